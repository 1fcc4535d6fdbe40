import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  openDashboard,
  picture,
  useBrowser,
} from './support/browser.ts'

useBrowser()

const event = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  user_id: 'ada',
  provider: 'ANTHROPIC',
  model: 'claude-sonnet-4-5',
  usage: { input_tokens: 210_000, cache_read_tokens: 10_000, output_tokens: 321 },
}

describeInBrowser('events', () => {
  it('arrive while the page is open, and each is explained to the last digit', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/events')
    const burned = Object(await api('POST', '/v1/events/ingest', { key, body: event }))
    const row = page.getByRole('row', { name: /claude-sonnet-4-5/ })
    await row.waitFor()
    await row.getByRole('link', { name: /Explain/ }).click()
    await page.getByRole('heading', { name: '2. The burn table turns cost into credits' }).waitFor()
    const told = Object(await api('GET', `/v1/events/${burned.id}/explain`, { key }))
    const main = page.locator('main')
    const shown = await main
      .locator('.amount')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-value')))
    expect(told.units.length).toBeGreaterThanOrEqual(3)
    for (const { quantity, cost_usd } of told.units) {
      expect(shown).toContain(quantity)
      expect(shown).toContain(cost_usd)
    }
    for (const { amount } of told.lots) expect(shown).toContain(amount)
    expect(shown).toContain(told.credits_burned)
    expect(shown).toContain(told.provider_cost_usd)
    const text = (await main.textContent()) ?? ''
    expect(text).toContain(`matched by ${told.price.rule.matched_by}`)
    expect(text).toContain(told.lots[0].lot_id)
    expect(text).toContain('input tokens')
    await picture(page, 'explain')

    await page.getByRole('button', { name: 'Void this event' }).click()
    await page.getByRole('button', { name: 'Void this event' }).click()
    await page.getByText('burned, voided').waitFor()
    expectQuiet()
    await close()
  })

  it('leave a filter unchanged while it is typed and a new event arrives', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/events')
    await page.getByLabel('Feature', { exact: true }).pressSequentially('cha')
    await api('POST', '/v1/events/ingest', { key, body: event })
    await page.getByRole('row', { name: /claude-sonnet-4-5/ }).waitFor()
    expect(await page.getByLabel('Feature', { exact: true }).inputValue()).toBe('cha')
    expectQuiet()
    await close()
  })

  it('are found by user, and by their id', async () => {
    const { api_key: key } = await newCustomer()
    await api('POST', '/v1/events/ingest', { key, body: event })
    const other = Object(await api('POST', '/v1/events/ingest', { key, body: { ...event, user_id: 'mia' } }))
    const { page, expectQuiet, close } = await openDashboard({ credential: key, expected: [404] })
    await goTo(page, '/events?user_id=ada')
    await page.getByRole('cell', { name: 'ada' }).waitFor()
    expect(await page.getByRole('cell', { name: 'mia' }).count()).toBe(0)
    await page.getByLabel('Event id').fill(other.id)
    await page.getByLabel('Event id').blur()
    await page.getByRole('heading', { name: other.id }).waitFor()
    await goTo(page, `/events?event=evt_${'0'.repeat(26)}`)
    await page
      .getByRole('alert')
      .first()
      .getByText(/not found/)
      .waitFor()
    expectQuiet()
    await close()
  })
})
