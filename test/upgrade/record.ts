/**
 * Records the responses of a running server to a fixed series of requests, for `old-state.node.test.ts`. Run it against
 * a server of the version whose state you want to archive:
 *
 *   node test/upgrade/record.ts URL FILE phase     (phase: flushed | unflushed)
 *
 * Run the `flushed` phase on a server with a short FLUSH_DELAY_MS. Then restart the server with a long FLUSH_DELAY_MS,
 * run the `unflushed` phase, and kill the server with SIGKILL. The journal then has entries that D1 does not have.
 * Archive the state directory.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

export interface Recorded {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly key?: string
  readonly body?: unknown
  readonly status: number
  readonly answer: string
}

export interface Recording {
  readonly api_key: string
  readonly customer_id: string
  readonly requests: Recorded[]
  /** The balances after all requests, by the query string of `GET /v1/credits/balance`. */
  readonly balances: Record<string, number>
}

const [url, file, phase] = process.argv.slice(2)
if (!url || !file || (phase !== 'flushed' && phase !== 'unflushed')) {
  console.error('usage: node test/upgrade/record.ts URL FILE flushed|unflushed')
  process.exit(2)
}

const recording: Recording = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { ...(await register(url)), requests: [], balances: {} }

async function register(base: string): Promise<{ api_key: string; customer_id: string }> {
  const response = await fetch(`${base}/v1/customers/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: 'Bearer dev-operator-token' },
    body: JSON.stringify({ name: 'Old state', email: 'old-state@example.com', tier: 'ENTERPRISE' }),
  })
  const { api_key, customer_id }: { api_key: string; customer_id: string } = JSON.parse(await response.text())
  return { api_key, customer_id }
}

async function send(
  method: Recorded['method'],
  path: string,
  body?: unknown,
  key?: string,
): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${recording.api_key}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(key !== undefined && { 'Idempotency-Key': key }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`)
  recording.requests.push({
    method,
    path,
    ...(key && { key }),
    ...(body !== undefined && { body }),
    status: response.status,
    answer,
  })
  return JSON.parse(answer)
}

const post = (path: string, body: unknown, name: string) => send('POST', path, body, `${phase} ${name}`)
const event = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
}
const id = (answer: unknown, field: string): string => String((answer as Record<string, unknown>)[field])

await post(
  '/v1/credits/grant',
  { amount: 1000, user_id: 'ada', priority: 10, metadata: { of: 'ada', '~note/é': '✓' } },
  'grant',
)
const purchase = await post(
  '/v1/credits/purchase',
  { amount: 500, price_usd: 5, team_id: 'blue', payment_reference: `pi_${phase}` },
  'purchase',
)
await post(
  '/v1/credits/grant',
  { amount: 10, user_id: 'rec', recurring: { every: 'month', rollover_max: 5 } },
  'recurring',
)
const burned = await post(
  '/v1/events/ingest',
  { ...event, user_id: 'ada', metadata: { conversation: 'c1' } },
  'event',
)
await post('/v1/events/ingest', { ...event, user_id: 'ada', model: 'no-such-model-yet' }, 'unrated')
await post(
  '/v1/events/ingest',
  {
    ...event,
    provider: 'ANTHROPIC',
    model: undefined,
    input_tokens: undefined,
    output_tokens: undefined,
    provider_response: {
      model: 'claude-sonnet-4-5',
      usage: { input_tokens: 200, cache_read_input_tokens: 4000, output_tokens: 300 },
    },
  },
  'raw',
)
const batch = {
  events: Array.from({ length: 30 }, (_, n) => ({
    ...event,
    user_id: n % 2 ? 'ada' : undefined,
    team_id: n % 3 ? undefined : 'blue',
    idempotency_key: `${phase} in batch ${n}`,
    metadata: { n },
  })),
}
await post('/v1/events/ingest', batch, 'batch')
await post(
  '/v1/events/ingest',
  {
    events: [
      {
        ...event,
        custom: undefined,
        unit: 'pages',
        quantity: 3,
        event_type: 'CUSTOM',
        provider: undefined,
        model: undefined,
        input_tokens: undefined,
        output_tokens: undefined,
      },
      { ...event, input_tokens: -1 },
      event,
    ],
  },
  'batch with a rejected event',
)
const hold = await post('/v1/holds', { feature_id: 'chat', credits: 75, user_id: 'ada' }, 'hold')
await post(`/v1/holds/${id(hold, 'hold_id')}/capture`, { credits: 20 }, 'capture in part')
await post(
  `/v1/holds/${id(hold, 'hold_id')}/capture`,
  { event: { ...event, user_id: 'ada' }, final: true },
  'capture by event',
)
const open = await post('/v1/holds', { feature_id: 'chat', credits: 12.5, team_id: 'blue' }, 'open hold')
await post(`/v1/holds/${id(open, 'hold_id')}/release`, {}, 'release')
await post(
  '/v1/credits/transfer',
  { from: { user_id: 'ada' }, to: { team_id: 'blue' }, amount: 33.333333 },
  'transfer',
)
await post('/v1/credits/adjust', { amount: -1.5, reason: 'a correction', user_id: 'ada' }, 'adjust')
await post(`/v1/events/${id(burned, 'id')}/void`, {}, 'void')
await post(
  '/v1/credits/refund',
  { transaction_id: id(purchase, 'transaction_id'), amount: 100, reason: 'part' },
  'refund',
)
await post(
  '/v1/entitlements',
  { feature_id: `video-${phase}`, limit_type: 'HARD', limit_value: 1000, unit: 'tokens', period: 'MONTHLY' },
  'entitlement',
)
await post(
  '/v1/entitlements/check',
  {
    feature_id: 'chat',
    user_id: 'ada',
    hold: true,
    action: {
      type: 'token_usage',
      provider: 'OPENAI',
      model: 'gpt-4o',
      estimated_input_tokens: 100,
      estimated_output_tokens: 10,
    },
  },
  'check',
)
await post(
  '/v1/burn-tables',
  {
    name: `table ${phase}`,
    credits_per_usd: 1000,
    rounding: { mode: 'half_even', step: 0.000001 },
    min_charge: 0,
    on_unpriced: 'flag',
    rules: [
      {
        match: { feature: `special-${phase}` },
        method: 'per_unit',
        rates: { input_tokens: { amount: 2.5, per: 1000000 } },
      },
    ],
  },
  'burn table',
)
await post('/v1/events/ingest', { ...event, feature_id: `special-${phase}` }, 'event under the new table')
await send('PATCH', '/v1/credits/wallets', { user_id: 'ada', overdraft_limit: 50 })

for (const query of ['', '?user_id=ada', '?team_id=blue']) {
  const response = await fetch(`${url}/v1/credits/balance${query}`, {
    headers: { Authorization: `Bearer ${recording.api_key}` },
  })
  recording.balances[query] = Number(id(await response.json(), 'balance'))
}
writeFileSync(file, `${JSON.stringify(recording, null, 1)}\n`)
console.log(`${recording.requests.length} requests recorded`)
