import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  expectFits,
  goTo,
  LOOKS,
  newCustomer,
  openDashboard,
  picture,
  rowsOf,
  useBrowser,
  violations,
} from './support/browser.ts'
import { hostileCustomer, MARKS } from './support/hostile.ts'
import { type Receiver, startReceiver } from './support/receiver.ts'

useBrowser()

const KINDS = [
  { type: 'balance_below', threshold: { percent: '12.5' } },
  { type: 'spend_above', threshold: { credits: '100.000001' }, period: 'DAILY' },
  { type: 'limit_used', threshold: { percent: '80' }, feature_id: 'chat' },
  { type: 'lot_expiring', threshold: { days: '3.5' } },
  { type: 'runway_below', threshold: { days: '7' } },
] as const

describeInBrowser('alerts', () => {
  it('of each type are created with their fields, disabled, enabled and deleted', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key, at: '/alerts' })
    await page.getByText('No alert yet').waitFor()
    const form = page.getByRole('form', { name: 'Create an alert' })
    for (const [index, kind] of KINDS.entries()) {
      const [unit = '', value = ''] = Object.entries(kind.threshold)[0] ?? []
      await form.getByLabel('Fires when').selectOption(kind.type)
      await form.getByLabel('Threshold').fill(value)
      await form.getByLabel('Unit').selectOption(unit)
      if ('period' in kind) await form.getByLabel('Period (UTC)').selectOption(kind.period)
      if ('feature_id' in kind) await form.getByLabel('Feature').fill(kind.feature_id)
      await form.getByRole('button', { name: 'Create' }).click()
      await expect.poll(() => page.locator('tbody tr').count()).toBe(index + 1)
    }
    const stored = rowsOf(await api('GET', '/v1/alerts', { key }))
    for (const kind of KINDS) {
      expect(stored.find(({ type }) => type === kind.type)).toMatchObject(kind)
    }
    await picture(page, 'alerts')
    const row = page.getByRole('row', { name: /Usage in a period exceeds 100\.000001 credits/ })
    await row.getByRole('button', { name: /^Disable/ }).click()
    await row.getByText('disabled', { exact: true }).waitFor()
    await row.getByRole('button', { name: /^Enable/ }).click()
    await row.getByText('armed', { exact: true }).waitFor()
    await row.getByRole('button', { name: /^Delete/ }).click()
    await row.getByRole('button', { name: 'Delete', exact: true }).click()
    await expect.poll(() => page.locator('tbody tr').count()).toBe(KINDS.length - 1)
    expectQuiet()
    await close()
  })
})

describeInBrowser('webhooks', () => {
  it('notify a receiver of an alert that fired, and repeat, rotate and delete', async () => {
    const receiver = await startReceiver()
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key, at: '/webhooks' })
    await page.getByText('No endpoint yet').waitFor()
    const form = page.getByRole('form', { name: 'Add an endpoint' })
    await form.getByLabel('URL').fill(receiver.url)
    await form.getByLabel('everything').uncheck()
    await form.getByLabel('credits', { exact: true }).check()
    await form.getByRole('button', { name: 'Add' }).click()
    const secret = page.getByRole('group', { name: 'The signing secret' })
    expect(await secret.textContent()).toMatch(/^whsec_/)
    const first = await secret.textContent()
    expect(rowsOf(await api('GET', '/v1/webhook-endpoints', { key }))[0]?.types).toEqual(['credits.*'])

    const endpoints = page.getByRole('region', { name: 'Endpoints' })
    await endpoints.getByRole('button', { name: /^Test/ }).click()
    await endpoints.getByText(/succeeded: 200/).waitFor()
    expect(receiver.types()).toEqual(['webhook_endpoint.test'])

    await goTo(page, '/alerts')
    const alert = page.getByRole('form', { name: 'Create an alert' })
    await alert.getByLabel('Threshold').fill('9990')
    await alert.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('row', { name: /The balance falls below 9,990 credits/ }).waitFor()
    const event = { feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o' }
    const tokens = { input_tokens: 1_000, output_tokens: 500 }
    await api('POST', '/v1/events/ingest', { key, body: { event_type: 'TOKEN_USAGE', ...event, ...tokens } })
    await expect.poll(() => receiver.types(), { timeout: 15_000 }).toContain('credits.low')

    await goTo(page, '/webhooks')
    const log = page.getByRole('region', { name: /^Deliveries/ })
    await log.getByLabel('Type').fill('credits.low')
    await log.getByLabel('Type').press('Enter')
    const row = log.getByRole('row', { name: /credits\.low/ })
    await expect
      .poll(async () => {
        await log.getByRole('button', { name: 'Refresh' }).click()
        return row.textContent()
      })
      .toContain('succeeded')
    await expect.poll(() => log.locator('tbody tr').count()).toBe(1)
    await row.locator('summary').click()
    await row.getByText('received', { exact: true }).waitFor()
    await picture(page, 'webhooks')
    await row.getByRole('button', { name: /^Retry/ }).click()
    await expect.poll(() => lowsOf(receiver), { timeout: 15_000 }).toBe(2)

    // A replay omits a delivery whose attempt is not recorded yet.
    await expect
      .poll(async () => {
        const answer = await api('GET', '/v1/webhook-deliveries?type=credits.low', { key })
        return rowsOf(answer).map(({ status, attempts }) => [status, attempts?.length])
      })
      .toEqual([['succeeded', 2]])

    const replay = page.getByRole('form', { name: 'Replay' })
    await replay.getByLabel(/only undelivered/).uncheck()
    await replay.getByRole('button', { name: 'Send again' }).click()
    await page.getByText(/^Repeated deliveries: [1-9]\d*\.$/).waitFor()
    await expect.poll(() => lowsOf(receiver), { timeout: 15_000 }).toBe(3)

    await endpoints.getByRole('button', { name: /^Rotate secret/ }).click()
    await endpoints.getByRole('button', { name: 'Rotate secret', exact: true }).click()
    await expect.poll(() => secret.textContent()).not.toBe(first)
    await endpoints.getByRole('button', { name: /^Disable/ }).click()
    await endpoints.getByText('disabled', { exact: true }).waitFor()
    await endpoints.getByRole('button', { name: /^Delete/ }).click()
    await endpoints.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('No endpoint yet').waitFor()
    expectQuiet()
    await close()
    await receiver.stop()
  })
})

describeInBrowser('alerts and webhooks of a hostile customer', () => {
  it.each(['/alerts', '/webhooks'])('%s is accessible, fits, and executes none of its texts', async (at) => {
    const { api_key: key } = await hostileCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key, at })
    await page.locator('tbody tr').first().waitFor()
    for (const { width, colours } of LOOKS) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme: colours })
      const place = `${at} at ${width} pixels, ${colours}`
      expect.soft(await violations(page), place).toEqual([])
      await expectFits(page, place)
    }
    expect(await page.evaluate((mark) => mark in window, MARKS.global)).toBe(false)
    expect(await page.locator(`[data-${MARKS.element}]`).count()).toBe(0)
    expectQuiet()
    await close()
  })
})

function lowsOf(receiver: Receiver): number {
  return receiver.types().filter((type) => type === 'credits.low').length
}
