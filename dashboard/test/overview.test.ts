import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import {
  describeInBrowser,
  newCustomer,
  OPERATOR_TOKEN,
  openDashboard,
  picture,
  signIn,
  useBrowser,
} from './support/browser.ts'

useBrowser()

describeInBrowser('the overview', () => {
  it('shows a new customer a command that sends the first event, and the event without a reload', async () => {
    const { api_key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard()
    await signIn(page, api_key)
    const balance = page.getByRole('region', { name: 'Balance' })
    expect(await balance.textContent()).toContain('10,000 credits')
    const command = page.getByRole('group', { name: 'The command that sends the first event' })
    const text = (await command.textContent()) ?? ''
    expect(text).toContain(api_key)

    const { stdout } = await promisify(execFile)('sh', ['-c', text])
    expect(JSON.parse(stdout)).toMatchObject({ credits_burned: 15, balance_after: 9985 })
    await page.getByText('9,985 credits').waitFor()
    await page.getByRole('img', { name: /^Credits of the latest events: 1 bar, the highest 15/ }).waitFor()

    // Analytics are delayed by the flush and the queue.
    const today = page.getByRole('region', { name: 'Burned today' })
    await today.getByText('15').waitFor({ timeout: 15_000 })
    await page.getByRole('region', { name: 'Top models, 30 days' }).getByText('gpt-4o').waitFor()
    await page.getByRole('img', { name: /^Credits burned by day: 30 bars, the highest 15/ }).waitFor()
    await picture(page, 'overview')
    expectQuiet()
    await close()
  })
})

describeInBrowser('signing in', () => {
  it('is one click in development', async () => {
    const { page, expectQuiet, close } = await openDashboard()
    await page.getByRole('button', { name: 'Sign in as the demo customer' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'OpenMonetize Edge' }).waitFor()
    expectQuiet()
    await close()
  })

  it("shows the API's response to a wrong key", async () => {
    const { page, expectQuiet, close } = await openDashboard({ expected: [401] })
    await page.getByLabel('API key or operator token').fill('om_live_wrong')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('The API key is not valid. Check that it was copied completely.').waitFor()
    expectQuiet()
    await close()
  })

  it('survives a reload, and keeps no key in the page or its storage', async () => {
    const { api_key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: api_key })
    await page.reload()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    const stored = await page.evaluate(
      () => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie,
    )
    expect(stored).not.toContain(api_key.slice(8))
    expect(stored).not.toContain('om_session')
    await page.getByText('YOUR_API_KEY').waitFor()
    expectQuiet()
    await close()
  })

  it('leads the operator to its own pages', async () => {
    const { page, expectQuiet, close } = await openDashboard({ credential: OPERATOR_TOKEN })
    expect(await page.locator('.identity').textContent()).toBe('Operator')
    expectQuiet()
    await close()
  })

  it('ends in an open page when the key is deleted', async () => {
    const { api_key } = await newCustomer()
    const { page, close } = await openDashboard({ credential: api_key, expected: [401] })
    await page.evaluate(async () => {
      const answer = await (await fetch('/dashboard/api/session')).json()
      await fetch(`/dashboard/api/v1/api-keys/${answer.session.key_id}`, { method: 'DELETE' })
    })
    await page
      .getByText('This session has ended, or its key was deleted or replaced. Sign in again.')
      .waitFor()
    await close()
  })
})
