import { expect, it } from 'vitest'
import { compare, type Decimal, decimal, sum } from '../src/api/decimal.ts'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  openDashboard,
  picture,
  rowsOf,
  textOf,
  useBrowser,
} from './support/browser.ts'
import { useOfModels } from './support/events.ts'

useBrowser()

describeInBrowser('the usage explorer', () => {
  it("shows and saves the API's response by day and model, with all digits", async () => {
    const { api_key } = await newCustomer()
    await useOfModels(api_key, 60)
    const { page, expectQuiet, close } = await openDashboard({ credential: api_key })
    await goTo(page, '/usage?group_by=day,model')
    const card = page.getByRole('group', { name: 'Usage' })
    const shown = await card
      .locator('.amount')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-value')))
    const answer = await api('GET', '/v1/analytics/usage?group_by=day,model', { key: api_key })
    const credits = rowsOf(answer).map((row) => decimal(row.credits ?? ''))
    for (const amount of credits) expect(shown).toContain(amount)
    const total: Decimal = Object(answer).totals.credits
    expect(compare(sum(credits), total)).toBe(0)
    expect(shown).toContain(total)
    await page.getByRole('img', { name: /^Credits burned: 30 bars/ }).waitFor()
    await picture(page, 'usage')

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download CSV' }).click(),
    ])
    const lines = (await textOf(download)).trim().split('\r\n')
    expect(lines[0]).toBe('day,model,events,credits,provider_cost_usd,input_tokens,output_tokens')
    expect(lines.length - 1).toBe(credits.length)
    for (const [index, amount] of credits.entries()) expect(lines[index + 1]).toContain(`,${amount},`)
    expectQuiet()
    await close()
  })

  it('shows other data when a group or a filter is chosen, and keeps the choice in the address', async () => {
    const { api_key } = await newCustomer()
    await useOfModels(api_key, 30)
    const { page, expectQuiet, close } = await openDashboard({ credential: api_key })
    await goTo(page, '/usage')
    await page.getByLabel('Rows by').selectOption('user')
    const table = page.getByRole('group', { name: 'Usage', exact: true })
    await table.getByRole('columnheader', { name: 'User' }).waitFor()
    await table.getByText('ada').waitFor()
    await page.getByText('Filters').click()
    await page.getByLabel('User', { exact: true }).fill('mia')
    await page.getByLabel('User', { exact: true }).blur()
    await table.getByText('ada').waitFor({ state: 'detached' })
    expect(page.url()).toContain('user=mia')
    await page.reload()
    await table.getByText('mia').waitFor()
    expectQuiet()
    await close()
  })

  it("shows the API's response to a query that it refuses", async () => {
    const { api_key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: api_key, expected: [400] })
    await goTo(page, '/usage?from=2024-01-01&to=2026-01-01')
    await page.getByRole('alert').getByText(/366/).waitFor()
    expectQuiet()
    await close()
  })

  it('teaches the first step where there is no usage', async () => {
    const { api_key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: api_key })
    await goTo(page, '/usage')
    await page.getByText('No usage in this period').waitFor()
    expect(
      await page.getByRole('group', { name: 'The command that sends an event' }).textContent(),
    ).toContain(api_key)
    expectQuiet()
    await close()
  })
})
