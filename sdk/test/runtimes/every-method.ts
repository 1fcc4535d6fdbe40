import { OpenMonetize, type OpenMonetizeError } from '../../src/index.ts'
import { verifyWebhook } from '../../src/webhooks.ts'

/** A sent request: its method and its path without the query. */
export type Sent = string

/**
 * Calls each method of the client against the real server, in the current runtime, and returns the sent requests.
 * Throws at the first unexpected response.
 */
export async function everyMethod(baseUrl: string, operatorToken: string): Promise<Sent[]> {
  const sent = new Set<Sent>()
  const recording: typeof fetch = (input, init) => {
    sent.add(`${init?.method} ${new URL(String(input)).pathname}`)
    return fetch(input, init)
  }
  const operator = new OpenMonetize({ apiKey: operatorToken, baseUrl, fetch: recording })
  const name = `sdk-${crypto.randomUUID()}`
  const registered = await operator.customers.register({
    name,
    email: `${name}@example.com`,
    tier: 'ENTERPRISE',
  })
  const om = new OpenMonetize({ apiKey: registered.api_key, baseUrl, fetch: recording })
  const { customer_id } = await om.customers.me()
  equal(customer_id, registered.customer_id)
  await events(om)
  await credits(om)
  await payments(om)
  await holds(om)
  await entitlements(om)
  await rating(om)
  await subjects(om)
  await analytics(om)
  await keys(om)
  await queue(om)
  await admin(operator, customer_id)
  const anonymous = new OpenMonetize({ apiKey: null, baseUrl, fetch: recording })
  equal((await anonymous.platform.health()).status, 'ok')
  equal((await anonymous.platform.ready()).status, 'ready')
  equal(String((await anonymous.platform.openapi()).openapi).slice(0, 3), '3.1')
  await webhooks()
  return [...sent]
}

const CALL = {
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
} as const
const PRICES = { input_tokens: { amount: 1, per: 1_000_000 } }
const EVENT = { event_type: 'TOKEN_USAGE', ...CALL } as const

async function events(om: OpenMonetize): Promise<void> {
  const { id, credits_burned } = await om.events.ingest({ ...EVENT, idempotency_key: 'once' })
  equal(credits_burned, 15)
  equal((await om.events.ingest({ events: [{ ...EVENT, idempotency_key: 'once' }, EVENT] })).duplicates, 1)
  equal((await om.events.list({ limit: 1 })).data.length, 1)
  equal((await om.events.retrieve(id)).id, id)
  equal((await om.events.explain(id)).lots?.length, 1)
  equal((await om.events.receipt(id)).receipt.split('.').length, 3)
  equal((await om.ledger.checkpoint()).hash.length, 43)
  equal((await om.events.void(id)).amount, 15)
}

async function credits(om: OpenMonetize): Promise<void> {
  const bought = await om.credits.purchase({ user_id: 'ada', amount: 100, price_usd: 10 })
  equal((await om.credits.balance({ user_id: 'ada' })).balance, 100)
  equal((await om.credits.lots({ user_id: 'ada' })).data[0]?.lot_id, bought.lot_id)
  equal((await om.credits.transactions({ user_id: 'ada' })).data[0]?.id, bought.transaction_id)
  equal((await om.credits.refund({ transaction_id: bought.transaction_id, amount: 10 })).balance_after, 90)
  await om.credits.transfer({ from: { user_id: 'ada' }, to: {}, amount: 40 })
  equal((await om.credits.adjust({ user_id: 'ada', amount: -5, reason: 'test' })).balance_after, 45)
  const { lot_id } = await om.credits.grant({ user_id: 'ada', amount: 7 })
  equal((await om.credits.revoke(lot_id, { reason: 'test' })).amount, -7)
  equal((await om.credits.updateWallet({ user_id: 'ada', overdraft_limit: 7 })).overdraft_limit, 7)
  const granted = await om.credits.grant({ team_id: 'red', amount: 1, recurring: { every: 'day' } })
  const [recurring] = (await om.credits.recurringGrants.list()).data
  equal(recurring?.recurring_grant_id, granted.recurring_grant_id)
  await om.credits.recurringGrants.delete(String(granted.recurring_grant_id))
}

async function payments(om: OpenMonetize): Promise<void> {
  const pack = await om.creditPacks.create({ name: 'Small', credits: 10, price_usd: 1 })
  equal((await om.creditPacks.list()).data.length, 1)
  equal((await om.creditPacks.retrieve(pack.id)).price_usd, 1)
  equal((await om.creditPacks.update(pack.id, { price_usd: 2 })).price_usd, 2)
  const urls = { success_url: 'https://shop.test/', cancel_url: 'https://shop.test/' }
  // The server does not call Stripe for a pack that does not exist.
  const refused = om.payments.checkout({ credit_pack_id: 'pack_none', ...urls }, { maxRetries: 0 })
  equal(await refused.catch((error: OpenMonetizeError) => error.code), 'not_found')
  equal((await om.payments.list()).data.length, 0)
  const missing = om.payments.retrieve('pay_none')
  equal(await missing.catch((error: OpenMonetizeError) => error.code), 'not_found')
  const rule = { below: 1, credits: 10, price_usd: 1, max_usd_per_month: 5 }
  equal((await om.credits.autoTopUp.update(rule)).paused_reason, 'no_payment_method')
  equal((await om.credits.autoTopUp.update({ ...rule, below: 2 }, { user_id: 'ada' })).below, 2)
  equal((await om.credits.autoTopUp.retrieve()).below, 1)
  await om.credits.autoTopUp.delete({ user_id: 'ada' })
  await om.creditPacks.delete(pack.id)
}

async function holds(om: OpenMonetize): Promise<void> {
  const { hold_id } = await om.holds.create({ feature_id: 'chat', credits: 20 })
  equal((await om.holds.retrieve(hold_id)).status, 'open')
  equal((await om.holds.list()).data[0]?.hold_id, hold_id)
  equal((await om.holds.capture(hold_id, { credits: 5 })).remaining, 15)
  await om.holds.extend(hold_id, { expires_in_seconds: 900 })
  equal((await om.holds.release(hold_id)).status, 'released')
}

async function entitlements(om: OpenMonetize): Promise<void> {
  const made = await om.entitlements.create({
    feature_id: 'images',
    limit_type: 'HARD',
    limit_value: 2,
    unit: 'events',
    period: 'DAILY',
  })
  equal((await om.entitlements.check({ feature_id: 'images' })).allowed, true)
  equal((await om.entitlements.retrieve(made.id)).limit_value, 2)
  equal((await om.entitlements.list()).data.length, 1)
  const changed = { limit_type: 'HARD', limit_value: 3, unit: 'events', period: 'DAILY' } as const
  equal((await om.entitlements.update(made.id, changed)).limit_value, 3)
  await om.entitlements.delete(made.id)
}

async function rating(om: OpenMonetize): Promise<void> {
  equal((await om.rating.calculate(CALL)).credits, 15)
  equal((await om.rating.calculateBulk({ calculations: [CALL, CALL] })).totals.credits, 30)
  equal((await om.rating.pricing({ provider: 'OPENAI', model: 'gpt-4o' })).model, 'gpt-4o')
  equal((await om.rating.pricing({ provider: 'OPENAI', limit: 2 })).data.length, 2)
  await om.rating.priceOverrides.create({ provider: 'OPENAI', model: 'gpt-4o-mini', prices: PRICES })
  equal((await om.rating.priceOverrides.list()).data.length, 1)
  const table = await om.burnTables.create({
    name: 'Mine',
    credits_per_usd: 1000,
    rules: [{ match: {}, method: 'cost_plus', markup_percent: 100 }],
  })
  const id = String(table.id)
  equal((await om.burnTables.retrieve(id)).name, 'Mine')
  equal((await om.burnTables.list()).data.length > 0, true)
  equal((await om.burnTables.active()).id, id)
  equal((await om.burnTables.update(id, { name: 'Ours' })).name, 'Ours')
  await om.rating.simulate({
    burn_table: { credits_per_usd: 1000, rules: [{ match: {}, method: 'cost_plus', markup_percent: 50 }] },
    from: new Date(Date.now() - 86_400_000).toISOString(),
    to: new Date().toISOString(),
  })
  await om.burnTables.delete(id)
}

async function subjects(om: OpenMonetize): Promise<void> {
  for (const [resource, made] of [
    [om.users, om.users.create({ user_id: 'a/b ü', email: 'a@example.com' })],
    [om.teams, om.teams.create({ team_id: 'a/b ü' })],
  ] as const) {
    await made
    await resource.retrieve('a/b ü')
    await resource.update('a/b ü', { metadata: { plan: 'x' } })
    equal((await resource.list()).data.length > 0, true)
    await resource.delete('a/b ü')
  }
}

async function analytics(om: OpenMonetize): Promise<void> {
  equal(Array.isArray((await om.analytics.usage({ group_by: 'day,feature' })).data), true)
  equal(Array.isArray((await om.analytics.costs()).data), true)
  equal(typeof (await om.analytics.burnRate()).balance, 'number')
}

async function keys(om: OpenMonetize): Promise<void> {
  const made = await om.apiKeys.create({ name: 'Second', scopes: ['events:write'] })
  equal((await om.apiKeys.list()).data.length, 2)
  const rotated = await om.apiKeys.rotate(made.key_id, { overlap_seconds: 0 })
  await om.apiKeys.delete(rotated.key_id)
  const stored = await om.providerKeys.create({ provider: 'OPENAI', name: 'Main', key: 'sk-0123456789' })
  equal(stored.last_four, '6789')
  equal((await om.providerKeys.list()).data.length, 1)
  const route = await om.gatewayRoutes.create({
    name: 'Backup',
    api: 'openai',
    targets: [{ provider_key: 'Main' }],
  })
  equal((await om.gatewayRoutes.list()).data.length, 1)
  equal((await om.gatewayRoutes.update(route.id, { enabled: false })).enabled, false)
  equal((await om.gatewayRoutes.retrieve(route.id)).enabled, false)
  await om.gatewayRoutes.delete(route.id)
  const alert = await om.alerts.create({ type: 'balance_below', threshold: { credits: 5 } })
  equal((await om.alerts.list()).data.length, 1)
  equal((await om.alerts.update(alert.id, { enabled: false })).enabled, false)
  equal((await om.alerts.retrieve(alert.id)).enabled, false)
  await om.alerts.delete(alert.id)
  const hook = await om.webhookEndpoints.create({ url: 'https://example.com/hook', types: ['runway.below'] })
  equal(hook.secret.startsWith('whsec_'), true)
  equal((await om.webhookEndpoints.list()).data.length, 1)
  equal((await om.webhookEndpoints.update(hook.id, { enabled: false })).enabled, false)
  equal((await om.webhookEndpoints.retrieve(hook.id)).enabled, false)
  equal((await om.webhookEndpoints.rotateSecret(hook.id)).secret === hook.secret, false)
  const delivery = await om.webhookEndpoints.test(hook.id)
  equal((await om.webhookDeliveries.list({ endpoint_id: hook.id })).data.length, 1)
  equal((await om.webhookDeliveries.retrieve(delivery.id)).attempts.length, 1)
  await om.webhookEndpoints.update(hook.id, { enabled: true })
  equal((await om.webhookEndpoints.replay(hook.id, { from: '2026-01-01T00:00:00Z' })).deliveries, 0)
  equal((await om.webhookDeliveries.retry(delivery.id)).status, 'pending')
  await om.webhookEndpoints.delete(hook.id)
  await om.providerKeys.delete(stored.id)

  const token = { user_id: 'ada', expires_in_seconds: 60, origins: ['https://app.example.com'] }
  equal((await om.portalTokens.create(token)).token.startsWith('om_portal_'), true)

  const mapping = { type: 'request', feature_id: 'api', unit: 'api_calls', quantity: '/count' }
  await om.dropIn.openMeter.update({ mappings: [mapping] })
  equal((await om.dropIn.openMeter.retrieve()).mappings.length, 1)
  equal((await om.dropIn.retrieve()).openmeter.accepted, 0)
}

async function queue(om: OpenMonetize): Promise<void> {
  for (let number = 0; number < 50; number++) om.track({ ...EVENT, idempotency_key: `tracked-${number}` })
  await om.flush()
  equal(JSON.stringify(om.stats()), '{"queued":0,"sent":50,"dropped":0,"rejected":0}')
}

async function admin(operator: OpenMonetize, customer_id: string): Promise<void> {
  const { admin } = operator
  equal(typeof (await admin.stats()), 'object')
  equal((await admin.customers.list({ limit: 1 })).data.length, 1)
  equal((await admin.customers.retrieve(customer_id)).customer_id, customer_id)
  equal((await admin.customers.update(customer_id, { tier: 'ENTERPRISE' })).tier, 'ENTERPRISE')
  await admin.customers.createApiKey(customer_id, { name: 'Lost' })
  await admin.customers.rebuild(customer_id)
  await admin.providerCosts.list()
  await admin.providerCosts.create({
    provider: 'OPENAI',
    model: `sdk-${customer_id}`,
    prices: PRICES,
  })
  await admin.unrated()
  await admin.rerate({ customer_id })
  await admin.reconcile({ customer_id })
  equal((await admin.priceFeed.retrieve()).data.length, 0)
  for (const decide of [admin.priceFeed.apply, admin.priceFeed.reject]) {
    equal(await decide({ feed_id: 'pf_none' }).catch(({ status }: OpenMonetizeError) => status), 400)
  }
  await admin.deadLetters.list()
  await admin.deadLetters.replay()
  equal((await admin.audit()).data.length > 0, true)
}

async function webhooks(): Promise<void> {
  const bytes = new TextEncoder().encode('a secret of some length')
  const secret = `whsec_${btoa(String.fromCharCode(...bytes))}`
  const payload = '{"id":"ntf_1","type":"credits.low"}'
  const timestamp = String(Math.floor(Date.now() / 1000))
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const signed = new TextEncoder().encode(`ntf_1.${timestamp}.${payload}`)
  const signature = String.fromCharCode(...new Uint8Array(await crypto.subtle.sign('HMAC', key, signed)))
  const headers = {
    'webhook-id': 'ntf_1',
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${btoa(signature)}`,
  }
  equal((await verifyWebhook(payload, headers, secret)).type, 'credits.low')
}

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)} is not ${String(expected)}`)
}
