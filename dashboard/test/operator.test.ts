import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  OPERATOR_TOKEN,
  openDashboard,
  picture,
  rowsOf,
  useBrowser,
  violations,
} from './support/browser.ts'

useBrowser()

describeInBrowser('the operator', () => {
  it('finds a customer by email, suspends it, and sees the change in the audit log', async () => {
    const customer = await newCustomer({ name: 'Suspicious Ltd' })
    const own = await openDashboard({ credential: customer.api_key, at: '/credits', expected: [403] })
    const { page, expectQuiet, close } = await openDashboard({ credential: OPERATOR_TOKEN })
    await page.getByLabel('Email').fill(customer.email)
    await page.getByLabel('Email').blur()
    const row = page.getByRole('row', { name: /Suspicious Ltd/ })
    await row.getByRole('link').click()
    await page.getByRole('heading', { name: 'Suspicious Ltd', level: 1 }).waitFor()
    const form = page.getByRole('form', { name: 'Change the account' })
    await form.getByLabel('Status').selectOption('SUSPENDED')
    await form.getByRole('button', { name: 'Change' }).click()
    await page.getByRole('cell', { name: 'customers.change' }).waitFor()
    await picture(page, 'customer')
    const stored = Object(
      await api('GET', `/v1/admin/customers/${customer.customer_id}`, { key: OPERATOR_TOKEN }),
    )
    expect(stored.status).toBe('SUSPENDED')

    // The open session of the suspended customer can still read, but not write.
    const grant = own.page.getByRole('form', { name: 'Grant credits' })
    await grant.getByLabel('Credits').fill('5')
    await grant.getByRole('button', { name: 'Grant' }).click()
    await grant.getByRole('alert').getByText('customer_suspended').waitFor()
    await own.page.reload()
    await own.page.getByText('suspended: read only').waitFor()
    await own.page.getByRole('region', { name: 'Balance' }).getByText('10,000').waitFor()

    await page.getByRole('button', { name: 'Reconcile' }).click()
    await page.getByRole('status').getByText(customer.customer_id).waitFor()
    for (const opened of [own.expectQuiet, expectQuiet]) opened()
    await own.close()
    await close()
  })

  it('sees the lag of every part, and the price feed', async () => {
    const { page, expectQuiet, close } = await openDashboard({ credential: OPERATOR_TOKEN })
    await goTo(page, '/health')
    await page.getByRole('region', { name: 'Flush lag' }).getByText('seconds').waitFor()
    await page.getByText('No usage message waits for a replay.').waitFor()
    await page.getByRole('button', { name: 'Replay all' }).click()
    await page.getByText('0 replayed, 0 failed.').waitFor()
    await picture(page, 'health')
    await goTo(page, '/prices')
    await page.getByText('The feed is off.').waitFor()
    await goTo(page, '/audit')
    await page.getByRole('cell', { name: 'admin.replay_dead_letters' }).first().waitFor()
    expectQuiet()
    await close()
  })

  it('sets the price of a model that customers use without one, and rates its events', async () => {
    const { api_key: key, customer_id } = await newCustomer()
    const model = `model-${customer_id.slice(-8)}`
    const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', model }
    await api('POST', '/v1/events/ingest', {
      key,
      body: { ...event, input_tokens: 1_000, output_tokens: 500 },
    })
    await expect
      .poll(() => unratedOf(customer_id), { timeout: 15_000 })
      .toMatchObject([{ provider: 'OPENAI', model, events: '1', waits_for: 'price' }])
    const { page, expectQuiet, close } = await openDashboard({ credential: OPERATOR_TOKEN, at: '/unrated' })
    const row = page.getByRole('row', { name: new RegExp(`${model} ${customer_id} 1 .* a price`) })
    await row.getByRole('button', { name: /^Set a price/ }).click()
    const form = page.getByRole('form', { name: 'Set a price' })
    await form.getByLabel('Input tokens', { exact: true }).fill('2.5')
    await form.getByLabel('Output tokens').fill('10.000001')
    expect(await violations(page)).toEqual([])
    await form.getByRole('button', { name: 'Set the price' }).click()
    await page.getByText(`The price of ${model} is set.`, { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Rate them now' }).click()
    await row.waitFor({ state: 'detached' })
    await page
      .getByRole('status')
      .getByText(/Rated: [1-9]\d*\./)
      .waitFor()
    expect(await unratedOf(customer_id)).toEqual([])
    const [rated] = rowsOf(await api('GET', '/v1/events', { key }))
    expect(rated).toMatchObject({ credits_burned: '15.000001', provider_cost_usd: '0.0075000005' })
    expectQuiet()
    await close()
  })

  it('has pages that no API key can open', async () => {
    const { api_key, customer_id } = await newCustomer()
    const { page, close } = await openDashboard({ credential: api_key, expected: [403] })
    await goTo(page, `/customers/${customer_id}`)
    await page.getByText('Page not found').waitFor()
    const status = await page.evaluate(async () => (await fetch('/dashboard/api/v1/admin/stats')).status)
    expect(status).toBe(403)
    await close()
  })
})

async function unratedOf(customer_id: string) {
  const rows = rowsOf(await api('GET', '/v1/admin/unrated?limit=100', { key: OPERATOR_TOKEN }))
  return rows.filter((row) => row.customer_id === customer_id)
}
