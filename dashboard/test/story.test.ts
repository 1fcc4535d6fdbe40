import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  OPERATOR_TOKEN,
  openDashboard,
  rowsOf,
  signIn,
  URL_OF_SERVER,
  useBrowser,
} from './support/browser.ts'
import { atStripe, report, STRIPE_PAGES } from './support/checkout.ts'
import { counted } from './support/events.ts'
import { startReceiver } from './support/receiver.ts'

useBrowser()

/** The maximum time until an open page shows an event. */
const SHOWN_WITHIN_MS = 2_000

describeInBrowser('a story', () => {
  it('of a customer, from the first event to a new key', async () => {
    const { api_key: key } = await newCustomer()
    const receiver = await startReceiver()
    // The API returns 404 for a wallet without an automatic top-up.
    const { page, expectQuiet, close } = await openDashboard({ expected: [404], leads_to: STRIPE_PAGES })
    await signIn(page, key)
    const balance = page.getByRole('region', { name: 'Balance' })
    await balance.getByText('10,000 credits').waitFor()
    await page.getByText('No events yet').waitFor()

    // The command on the page sends the first event. The event changes the balance and the chart on the open page.
    const command = page.getByRole('group', { name: 'The command that sends the first event' })
    const { stdout } = await promisify(execFile)('sh', ['-c', (await command.textContent()) ?? ''])
    const event = Object(JSON.parse(stdout))
    expect(event).toMatchObject({ credits_burned: 15, balance_after: 9985 })
    const timeout = Date.parse(event.timestamp) + SHOWN_WITHIN_MS - Date.now()
    const chart = page.getByRole('img', {
      name: /^Credits of the latest events: 1 bar, the highest 15 credits/,
    })
    await Promise.all([balance.getByText('9,985 credits').waitFor({ timeout }), chart.waitFor({ timeout })])

    await page.getByRole('link', { name: 'Explain' }).click()
    await page.getByRole('heading', { name: event.id }).waitFor()
    const cost = page.getByRole('region', { name: "1. Usage times price is the provider's cost" })
    await cost.getByRole('row', { name: /input_tokens.*1,000 0\.0000025 0\.0025/ }).waitFor()
    await cost.getByRole('row', { name: /output_tokens.*500 0\.00001 0\.005/ }).waitFor()
    await cost.getByText('Together 0.0075 USD').waitFor()
    await page.getByText('15 credits burned.').waitFor()
    const lots = page.getByRole('region', { name: '3. The credits were taken from these lots' })
    await lots.getByRole('row', { name: /^lot_\w+ -15$/ }).waitFor()

    await goTo(page, '/webhooks')
    const endpoint = page.getByRole('form', { name: 'Add an endpoint' })
    await endpoint.getByLabel('URL').fill(receiver.url)
    await endpoint.getByLabel('everything').uncheck()
    await endpoint.getByLabel('credits', { exact: true }).check()
    await endpoint.getByRole('button', { name: 'Add' }).click()
    await page.getByRole('group', { name: 'The signing secret' }).waitFor()

    await goTo(page, '/alerts')
    const alert = page.getByRole('form', { name: 'Create an alert' })
    await alert.getByLabel('Threshold').fill('9980.5')
    await alert.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('row', { name: /The balance falls below 9,980\.5 credits.*armed/ }).waitFor()
    await api('POST', '/v1/events/ingest', {
      key,
      body: { ...EVENT, provider: 'ANTHROPIC', model: 'claude-sonnet-4-5' },
    })

    await goTo(page, '/payments')
    const checkout = page.getByRole('form', { name: 'Open a checkout' })
    await checkout.getByLabel('Credits', { exact: true }).fill('1234.000001')
    await checkout.getByLabel('Price (USD)').fill('12.5')
    const { success_url, event: paid } = await atStripe(page, { pays: true })
    await page.goto(success_url)
    await page.getByRole('row', { name: /checkout account 1,234\.000001 12\.5 USD pending/ }).waitFor()
    await report(paid)
    await page.getByRole('row', { name: /checkout account 1,234\.000001 12\.5 USD succeeded/ }).waitFor()
    await goTo(page, '/')
    await balance.getByText('11,198.000001 credits').waitFor()

    await expect.poll(() => receiver.types()).toEqual(['credits.low', 'credits.purchased'])
    await goTo(page, '/webhooks')
    const log = page.getByRole('region', { name: /^Deliveries/ })
    for (const type of ['credits.low', 'credits.purchased']) {
      await expect.poll(() => refreshed(log, type)).toContain('succeeded')
    }
    const delivery = log.getByRole('row', { name: /credits\.purchased/ })
    await delivery.locator('summary').click()
    await delivery.getByText(/: 200 in \d+ ms/).waitFor()
    await delivery.getByText('received', { exact: true }).waitFor()

    await counted(key, 2)
    await goTo(page, '/burn-tables')
    await page.getByRole('button', { name: 'Create your own table' }).click()
    const table = page.getByRole('form', { name: 'Burn table' })
    await table.getByLabel('Rules (JSON)').fill('[{"method":"cost_plus","markup_percent":300}]')
    await table.getByRole('button', { name: /^Simulate/ }).click()
    const simulation = page.getByRole('region', { name: 'Simulation' })
    await simulation.getByText('2 events: 36 credits were burned, 72 credits would be burned.').waitFor()
    const models = simulation.getByRole('group', { name: 'Difference by model' })
    await models.getByRole('row', { name: /^ANTHROPIC claude-sonnet-4-5 1 21 42 \+21 \+0\.021 / }).waitFor()
    await models.getByRole('row', { name: /^OPENAI gpt-4o 1 15 30 \+15 \+0\.015 / }).waitFor()
    expect(rowsOf(await api('GET', '/v1/burn-tables', { key }))).toEqual([])

    // The session moves to the new key, so the page stays signed in.
    await goTo(page, '/keys')
    await page
      .getByRole('row', { name: /this session/ })
      .getByRole('button', { name: /^Rotate/ })
      .click()
    await page.getByRole('form', { name: 'Rotate a key' }).getByRole('button', { name: 'Rotate' }).click()
    const next = (await page.getByRole('group', { name: 'The new API key' }).textContent()) ?? ''
    await expect(api('GET', '/v1/credits/balance', { key })).rejects.toThrow('revoked_api_key')
    expect(Object(await api('GET', '/v1/credits/balance', { key: next })).balance).toBe('11198.000001')
    await page.getByRole('row', { name: /this session/ }).waitFor()
    await goTo(page, '/')
    await balance.getByText('11,198.000001 credits').waitFor()
    expectQuiet()
    await close()
    await receiver.stop()
  })

  it('of the operator, from a search to the audit log', async () => {
    const { api_key: key, customer_id, email } = await newCustomer({ name: 'Story Ltd', tier: 'STARTER' })
    const model = `story-${customer_id.slice(-8)}`
    await api('POST', '/v1/events/ingest', { key, body: { ...EVENT, model } })
    const { page, expectQuiet, close } = await openDashboard()
    await signIn(page, OPERATOR_TOKEN)
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Email').blur()
    const row = page.getByRole('row', { name: /Story Ltd/ })
    await row.getByText('starter').waitFor()
    await row.getByRole('link').click()
    await page.getByRole('heading', { name: 'Story Ltd', level: 1 }).waitFor()
    const account = page.getByRole('form', { name: 'Change the account' })
    const changes = page.getByRole('region', { name: 'Changes, newest first' })
    await account.getByLabel('Tier').selectOption('GROWTH')
    await account.getByRole('button', { name: 'Change' }).click()
    await expect.poll(() => changes.getByRole('cell', { name: 'customers.change' }).count()).toBe(1)
    expect(await requestsAMinute(key)).toBe('1000')

    await account.getByLabel('Status').selectOption('SUSPENDED')
    await account.getByRole('button', { name: 'Change' }).click()
    await expect.poll(() => changes.getByRole('cell', { name: 'customers.change' }).count()).toBe(2)
    const event = { key, body: EVENT }
    await expect(api('POST', '/v1/events/ingest', event)).rejects.toThrow('customer_suspended')

    const facts = page.getByRole('region', { name: 'Account', exact: true })
    for (const fact of [customer_id, email, 'growth', 'suspended'])
      await facts.getByText(fact).first().waitFor()
    await page.getByRole('button', { name: 'Reconcile' }).click()
    await page.getByRole('status').getByText(`${customer_id}: OK`).waitFor()

    await goTo(page, '/health')
    await page.getByRole('region', { name: 'Flush lag' }).getByText('seconds').waitFor()
    await goTo(page, '/prices')
    await page.getByText('The feed is off.').waitFor()
    await goTo(page, '/unrated')
    const unrated = page.getByRole('row', { name: new RegExp(`${model} ${customer_id} 1 .* a price`) })
    await unrated.getByRole('button', { name: /^Set a price/ }).click()
    const price = page.getByRole('form', { name: 'Set a price' })
    await price.getByLabel('Input tokens', { exact: true }).fill('2.5')
    await price.getByRole('button', { name: 'Set the price' }).click()
    await page.getByText(`The price of ${model} is set.`, { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Rate them now' }).click()
    await unrated.waitFor({ state: 'detached' })
    await goTo(page, '/audit')
    await page.getByRole('cell', { name: 'admin.rerate' }).first().waitFor()
    await page
      .getByRole('row', { name: /provider_costs\.create/ })
      .first()
      .waitFor()
    for (const action of ['customers.change', 'admin.reconcile']) {
      const entry = page.getByRole('row', { name: new RegExp(`${action}.*${customer_id}`) })
      await entry.first().waitFor()
    }
    expectQuiet()
    await close()
  })
})

const EVENT = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1_000,
  output_tokens: 500,
}

async function refreshed(log: ReturnType<Page['getByRole']>, type: string): Promise<string | null> {
  await log.getByRole('button', { name: 'Refresh' }).click()
  return log.getByRole('row', { name: new RegExp(type.replace('.', '\\.')) }).textContent()
}

async function requestsAMinute(key: string): Promise<string | undefined> {
  const answer = await fetch(`${URL_OF_SERVER}/v1/credits/balance`, {
    headers: { Authorization: `Bearer ${key}` },
  })
  return /q=(\d+)/.exec(answer.headers.get('RateLimit-Policy') ?? '')?.[1]
}
