import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isObject } from './api-types.ts'

/**
 * The table of calls that the clients of all languages run against the same server: the repeatable
 * examples of the OpenAPI document, in their order, and edge cases. `npm run generate -w sdk` writes it.
 */
export const CALLS = path.join(import.meta.dirname, '..', 'test', 'calls.json')

/** One call of the table. */
export interface CallCase {
  readonly name: string
  /**
   * The name of the method in TypeScript, such as `credits.recurringGrants.list`. Clients of other languages convert
   * it.
   */
  readonly method: string
  readonly args: readonly unknown[]
  readonly as: 'customer' | 'operator' | 'anonymous'
  /**
   * Ids and keys of the examples, each with a path in the response to this call. In later calls, the client
   * replaces the id or key by the value at this path.
   */
  readonly save?: Readonly<Record<string, readonly (string | number)[]>>
  /** Fields that the response must have. */
  readonly match?: Readonly<Record<string, unknown>>
  readonly error?: { readonly status: number; readonly code: string }
}

/** The name of the client's method for each route of the table. */
const METHODS: Readonly<Record<string, string>> = {
  'GET /health': 'platform.health',
  'POST /v1/customers/register': 'customers.register',
  'GET /v1/customers/me': 'customers.me',
  'POST /v1/users': 'users.create',
  'GET /v1/users': 'users.list',
  'GET /v1/users/{user_id}': 'users.retrieve',
  'PATCH /v1/users/{user_id}': 'users.update',
  'DELETE /v1/users/{user_id}': 'users.delete',
  'POST /v1/teams': 'teams.create',
  'GET /v1/teams': 'teams.list',
  'GET /v1/teams/{team_id}': 'teams.retrieve',
  'PATCH /v1/teams/{team_id}': 'teams.update',
  'DELETE /v1/teams/{team_id}': 'teams.delete',
  'POST /v1/events/ingest': 'events.ingest',
  'GET /v1/events': 'events.list',
  'GET /v1/events/{id}': 'events.retrieve',
  'POST /v1/events/{id}/void': 'events.void',
  'GET /v1/events/{id}/explain': 'events.explain',
  'GET /v1/events/{id}/receipt': 'events.receipt',
  'GET /v1/ledger/checkpoint': 'ledger.checkpoint',
  'POST /v1/credits/lots/{id}/revoke': 'credits.revoke',
  'GET /v1/credits/balance': 'credits.balance',
  'GET /v1/credits/lots': 'credits.lots',
  'GET /v1/credits/transactions': 'credits.transactions',
  'POST /v1/credits/grant': 'credits.grant',
  'POST /v1/credits/purchase': 'credits.purchase',
  'POST /v1/credits/refund': 'credits.refund',
  'POST /v1/credits/transfer': 'credits.transfer',
  'POST /v1/credits/adjust': 'credits.adjust',
  'PATCH /v1/credits/wallets': 'credits.updateWallet',
  'GET /v1/credits/recurring-grants': 'credits.recurringGrants.list',
  'DELETE /v1/credits/recurring-grants/{id}': 'credits.recurringGrants.delete',
  'POST /v1/holds': 'holds.create',
  'GET /v1/holds': 'holds.list',
  'GET /v1/holds/{id}': 'holds.retrieve',
  'POST /v1/holds/{id}/capture': 'holds.capture',
  'POST /v1/holds/{id}/release': 'holds.release',
  'POST /v1/holds/{id}/extend': 'holds.extend',
  'POST /v1/entitlements': 'entitlements.create',
  'POST /v1/entitlements/check': 'entitlements.check',
  'GET /v1/entitlements': 'entitlements.list',
  'GET /v1/entitlements/{id}': 'entitlements.retrieve',
  'PUT /v1/entitlements/{id}': 'entitlements.update',
  'DELETE /v1/entitlements/{id}': 'entitlements.delete',
  'POST /v1/rating/calculate': 'rating.calculate',
  'POST /v1/rating/calculate/bulk': 'rating.calculateBulk',
  'GET /v1/rating/pricing': 'rating.pricing',
  'POST /v1/rating/price-overrides': 'rating.priceOverrides.create',
  'GET /v1/rating/price-overrides': 'rating.priceOverrides.list',
  'POST /v1/burn-tables': 'burnTables.create',
  'GET /v1/burn-tables': 'burnTables.list',
  'GET /v1/burn-tables/active': 'burnTables.active',
  'GET /v1/burn-tables/{id}': 'burnTables.retrieve',
  'PATCH /v1/burn-tables/{id}': 'burnTables.update',
  'DELETE /v1/burn-tables/{id}': 'burnTables.delete',
  'GET /v1/api-keys': 'apiKeys.list',
  'POST /v1/api-keys': 'apiKeys.create',
  'POST /v1/api-keys/{id}/rotate': 'apiKeys.rotate',
  'DELETE /v1/api-keys/{id}': 'apiKeys.delete',
  'POST /v1/credit-packs': 'creditPacks.create',
  'GET /v1/credit-packs': 'creditPacks.list',
  'GET /v1/credit-packs/{id}': 'creditPacks.retrieve',
  'PATCH /v1/credit-packs/{id}': 'creditPacks.update',
  'DELETE /v1/credit-packs/{id}': 'creditPacks.delete',
  'POST /v1/payments/checkout': 'payments.checkout',
  'GET /v1/payments': 'payments.list',
  'GET /v1/payments/{id}': 'payments.retrieve',
  'PUT /v1/credits/auto-top-up': 'credits.autoTopUp.update',
  'GET /v1/credits/auto-top-up': 'credits.autoTopUp.retrieve',
  'DELETE /v1/credits/auto-top-up': 'credits.autoTopUp.delete',
  'GET /v1/alerts': 'alerts.list',
  'POST /v1/alerts': 'alerts.create',
  'GET /v1/alerts/{id}': 'alerts.retrieve',
  'PATCH /v1/alerts/{id}': 'alerts.update',
  'DELETE /v1/alerts/{id}': 'alerts.delete',
  'POST /v1/portal-tokens': 'portalTokens.create',
  'GET /v1/gateway-routes': 'gatewayRoutes.list',
  'POST /v1/gateway-routes': 'gatewayRoutes.create',
  'GET /v1/gateway-routes/{id}': 'gatewayRoutes.retrieve',
  'PATCH /v1/gateway-routes/{id}': 'gatewayRoutes.update',
  'DELETE /v1/gateway-routes/{id}': 'gatewayRoutes.delete',
  'GET /v1/webhook-endpoints': 'webhookEndpoints.list',
  'POST /v1/webhook-endpoints': 'webhookEndpoints.create',
  'GET /v1/webhook-endpoints/{id}': 'webhookEndpoints.retrieve',
  'PATCH /v1/webhook-endpoints/{id}': 'webhookEndpoints.update',
  'DELETE /v1/webhook-endpoints/{id}': 'webhookEndpoints.delete',
  'POST /v1/webhook-endpoints/{id}/rotate-secret': 'webhookEndpoints.rotateSecret',
  'POST /v1/webhook-endpoints/{id}/test': 'webhookEndpoints.test',
  'POST /v1/webhook-endpoints/{id}/replay': 'webhookEndpoints.replay',
  'GET /v1/webhook-deliveries': 'webhookDeliveries.list',
  'GET /v1/webhook-deliveries/{id}': 'webhookDeliveries.retrieve',
  'POST /v1/webhook-deliveries/{id}/retry': 'webhookDeliveries.retry',
  'GET /v1/provider-keys': 'providerKeys.list',
  'POST /v1/provider-keys': 'providerKeys.create',
  'DELETE /v1/provider-keys/{id}': 'providerKeys.delete',
  'GET /v1/drop-in': 'dropIn.retrieve',
  'GET /v1/drop-in/openmeter': 'dropIn.openMeter.retrieve',
  'PUT /v1/drop-in/openmeter': 'dropIn.openMeter.update',
  'GET /v1/analytics/usage': 'analytics.usage',
  'GET /v1/analytics/costs': 'analytics.costs',
  'GET /v1/analytics/burn-rate': 'analytics.burnRate',
  'GET /v1/admin/customers': 'admin.customers.list',
  'GET /v1/admin/customers/{id}': 'admin.customers.retrieve',
  'PATCH /v1/admin/customers/{id}': 'admin.customers.update',
  'POST /v1/admin/customers/{id}/api-keys': 'admin.customers.createApiKey',
  'GET /v1/admin/provider-costs': 'admin.providerCosts.list',
  'GET /v1/admin/audit': 'admin.audit',
  'GET /v1/admin/unrated': 'admin.unrated',
  'GET /v1/admin/dead-letters': 'admin.deadLetters.list',
}

/**
 * The routes whose examples are left out of the table, because their responses cannot be repeated: they depend on
 * Stripe, on data that all customers share, on the time, or on a webhook receiver.
 */
const NOT_REPEATABLE = [
  '/v1/payments',
  '/v1/admin/',
  '/v1/analytics/',
  '/v1/rating/simulate',
  '/v1/rating/price-overrides',
  // The calls of these routes need a webhook receiver.
  '/v1/webhook-endpoints/{id}/test',
  '/v1/webhook-deliveries',
]
/** The fields whose values can differ between two runs. */
const OF_THE_DAY = [
  'secret',
  'tier',
  'token',
  'price_version',
  'api_key',
  'email',
  'name',
  'burn_table_version',
  'version',
]
const ID = /^(?:[a-z]{2,6}|erased|batch)_[0-9a-z]{20,}$/
const UNKNOWN_FIELD = 'no_such_field'

type Json = Readonly<Record<string, unknown>>

interface Operation {
  readonly operation: string
  readonly method: string
  readonly parameters: readonly Json[]
  readonly body: Json | undefined
  readonly examples: readonly Json[]
}

export function calls(document: string): CallCase[] {
  const api: { paths: Record<string, Record<string, Json>> } = JSON.parse(document)
  const operations = Object.entries(api.paths).flatMap(([route, methods]) =>
    Object.entries(methods).flatMap(([verb, spec]) => {
      const operation = `${verb.toUpperCase()} ${route}`
      const method = METHODS[operation]
      if (method === undefined) return []
      const given: unknown = spec.parameters
      const body = spec.requestBody
      return [
        {
          operation,
          method,
          parameters: Array.isArray(given) ? given : [],
          body: isObject(body) ? body : undefined,
          examples: [],
        },
      ]
    }),
  )
  return [...examples(JSON.parse(readFileSync(EXAMPLES, 'utf8'))), ...operations.flatMap(edges), ...special()]
}

const EXAMPLES = path.join(import.meta.dirname, '..', '..', 'src', 'openapi', 'examples.json')

interface Example {
  readonly operation: string
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly status: number
  readonly answer: unknown
}

function examples(all: readonly Example[]): CallCase[] {
  const known = new Set<string>()
  return all.flatMap((example) => {
    const { operation, parameters = {}, body, status, answer } = example
    const method = METHODS[operation]
    const isRegistration = operation === 'POST /v1/customers/register'
    if (method === undefined || NOT_REPEATABLE.some((part) => operation.includes(part))) return []
    const save: Record<string, (string | number)[]> = {}
    for (const [place, value] of leaves(answer)) {
      if (typeof value !== 'string' || !(ID.test(value) || place.at(-1) === 'api_key') || known.has(value))
        continue
      known.add(value)
      save[value] = place
    }
    const { code } = isObject(answer) ? answer : {}
    return [
      {
        name: `example: ${operation} ${status}`,
        method,
        args: argsOf(operation, parameters, body),
        as: isRegistration ? 'operator' : operation === 'GET /health' ? 'anonymous' : 'customer',
        ...(Object.keys(save).length > 0 && status < 400 && { save }),
        ...(status < 400 ? { match: matchOf(answer) } : { error: { status, code: String(code) } }),
      } satisfies CallCase,
    ]
  })
}

function argsOf(operation: string, parameters: Readonly<Record<string, unknown>>, body: unknown): unknown[] {
  const [name] = /(?<=\{)\w+(?=\})/.exec(operation) ?? []
  const { [name ?? '']: id, ...query } = parameters
  return [
    ...(name === undefined ? [] : [id]),
    ...(Object.keys(query).length > 0 ? [query] : []),
    ...(body === undefined || /\/(void|release)$/.test(operation) ? [] : [body]),
  ]
}

/**
 * Returns the top-level fields of a response that are the same in every run: numbers, booleans, nulls, and texts that
 * are neither ids nor times. Skips the fields in `OF_THE_DAY`.
 */
function matchOf(answer: unknown): Json {
  if (!isObject(answer)) return {}
  return Object.fromEntries(
    Object.entries(answer).filter(([field, value]) => {
      if (OF_THE_DAY.includes(field)) return false
      if (typeof value === 'string') return !ID.test(value) && !/^\d{4}-\d\d-\d\dT/.test(value)
      return typeof value === 'number' || typeof value === 'boolean' || value === null
    }),
  )
}

/** Returns requests that a route must refuse, derived from its description in the OpenAPI document. */
function edges({ operation, method, parameters, body }: Operation): CallCase[] {
  const as = /\/admin\/|\/register$/.test(operation) ? 'operator' : 'customer'
  const hasId = operation.includes('{')
  const isList = parameters.some((parameter) => parameter.name === 'limit')
  const takesQuery = operation.startsWith('GET') && !hasId && operation !== 'GET /health'
  const invalid = { status: 400, code: 'invalid_request' }
  const cases: CallCase[] = []
  const add = (name: string, args: unknown[], error: CallCase['error'], who: CallCase['as'] = as) =>
    cases.push({ name: `${operation}: ${name}`, method, args, as: who, ...(error && { error }) })
  const filled = hasId ? ['x'] : []
  const hasFields = body !== undefined && !/\/(void|release)$/.test(operation)
  if (operation !== 'GET /health' && operation !== 'POST /v1/customers/register') {
    add(
      'without a key',
      [...filled, ...(hasFields ? [{}] : [])],
      { status: 401, code: 'missing_api_key' },
      'anonymous',
    )
  }
  if (isList) {
    add('a limit of 0', [{ limit: 0 }], invalid)
    add('a limit of 101', [{ limit: 101 }], invalid)
    add('an invalid cursor', [{ cursor: '%%%' }], invalid)
  }
  if (takesQuery && operation !== 'GET /v1/customers/me') {
    if (!WITHOUT_QUERY.includes(method)) add('an unknown parameter', [{ [UNKNOWN_FIELD]: '1' }], invalid)
  }
  if (hasFields) {
    add('an unknown field', [...filled, { [UNKNOWN_FIELD]: 1 }], invalid)
  }
  return cases
}

/** Methods for `GET` routes without query parameters, in addition to the routes that `edges` names. */
const WITHOUT_QUERY = [
  'ledger.checkpoint',
  'burnTables.active',
  'dropIn.retrieve',
  'dropIn.openMeter.retrieve',
]

/** Returns edge cases that are not derived from the document. */
function special(): CallCase[] {
  const call = { feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o' }
  const event = { event_type: 'TOKEN_USAGE', ...call }
  const invalid = { status: 400, code: 'invalid_request' }
  const missing = { status: 404, code: 'not_found' }
  const rows: [name: string, method: string, args: unknown[], CallCase['error']?, Json?][] = [
    ['an amount with seven decimals', 'credits.grant', [{ amount: '0.0000001' }], invalid],
    ['an amount of 0', 'credits.grant', [{ amount: 0 }], invalid],
    ['a negative amount', 'credits.purchase', [{ amount: -1, price_usd: 1 }], invalid],
    ['a user and a team', 'credits.grant', [{ user_id: 'u', team_id: 't', amount: 1 }], invalid],
    [
      'the smallest amount',
      'credits.grant',
      [{ user_id: 'small', amount: 0.000001 }],
      undefined,
      { balance_after: 0.000001 },
    ],
    [
      'an amount as text',
      'credits.grant',
      [{ user_id: 'text', amount: '12.345678' }],
      undefined,
      { balance_after: 12.345678 },
    ],
    [
      'the largest amount',
      'credits.grant',
      [{ user_id: 'large', amount: 8_000_000_000 }],
      undefined,
      { balance_after: 8_000_000_000 },
    ],
    [
      'the balance of a wallet that does not exist',
      'credits.balance',
      [{ user_id: 'nobody at all' }],
      missing,
    ],
    [
      'a user with a slash and accents',
      'users.create',
      [{ user_id: 'ü/ß?#%' }],
      undefined,
      { user_id: 'ü/ß?#%' },
    ],
    ['that user again', 'users.retrieve', ['ü/ß?#%'], undefined, { user_id: 'ü/ß?#%' }],
    ['a user that does not exist', 'users.retrieve', ['nobody at all'], missing],
    ['a hold that does not exist', 'holds.retrieve', ['hold_none'], missing],
    ['the release of a hold that does not exist', 'holds.release', ['hold_none'], missing],
    ['an event that does not exist', 'events.retrieve', ['evt_none'], missing],
    [
      'a refund of a transaction that does not exist',
      'credits.refund',
      [{ transaction_id: 'txn_none' }],
      missing,
    ],
    ['a burn table that does not exist', 'burnTables.retrieve', ['bt_none'], missing],
    ['an entitlement that does not exist', 'entitlements.delete', ['ent_none'], missing],
    ['a key that does not exist', 'apiKeys.delete', ['key_none'], missing],
    ['negative tokens', 'events.ingest', [{ ...event, input_tokens: -1 }], invalid],
    ['half a token', 'events.ingest', [{ ...event, input_tokens: 0.5 }], invalid],
    [
      'a provider that is unknown',
      'events.ingest',
      [{ ...event, provider: 'NOBODY' }],
      { status: 422, code: 'unknown_provider' },
    ],
    [
      'another customer',
      'events.ingest',
      [{ ...event, customer_id: 'cust_other' }],
      { status: 403, code: 'customer_mismatch' },
    ],
    [
      'an event of the year 2020',
      'events.ingest',
      [{ ...event, input_tokens: 1, timestamp: '2020-01-01T00:00:00Z' }],
      invalid,
    ],
    ['an empty batch', 'events.ingest', [{ events: [] }], invalid],
    [
      'a model that is unknown',
      'rating.calculate',
      [{ ...call, model: 'no-such-model', input_tokens: 1 }],
      { status: 422, code: 'unpriced_model' },
    ],
    [
      'an event that a wallet cannot pay',
      'events.ingest',
      [{ ...event, user_id: 'small', input_tokens: 1000 }],
      { status: 402, code: 'insufficient_credits' },
    ],
    [
      'a hold that a wallet cannot pay',
      'holds.create',
      [{ feature_id: 'chat', user_id: 'small', credits: 1 }],
      { status: 402, code: 'insufficient_credits' },
    ],
    ['a key with an unknown scope', 'apiKeys.create', [{ name: 'x', scopes: ['everything'] }], invalid],
    ['an unknown group', 'analytics.usage', [{ group_by: 'weather' }], invalid],
    ['an id that would change the path', 'users.delete', ['..'], { status: 0, code: 'invalid_options' }],
    ['an empty id', 'holds.retrieve', [''], { status: 0, code: 'invalid_options' }],
    [
      'numbers of usage',
      'rating.calculate',
      [{ ...call, input_tokens: 1000, output_tokens: 500 }],
      undefined,
      { provider_cost_usd: 0.0075, credits: 15, customer_price_usd: 0.015, margin_percent: 50 },
    ],
    ['no usage', 'rating.calculate', [{ ...call, input_tokens: 0 }], undefined, { credits: 0 }],
    [
      'cached tokens',
      'rating.calculate',
      [{ ...call, usage: { input_tokens: 1000, cache_read_tokens: 1000 } }],
      undefined,
      { credits: 2.5 },
    ],
    [
      'more cached tokens than input',
      'rating.calculate',
      [{ ...call, usage: { input_tokens: 1, cache_read_tokens: 2 } }],
      invalid,
    ],
    [
      'a raw response',
      'rating.calculate',
      [
        {
          provider: 'openai',
          provider_api: 'chat',
          provider_response: { model: 'gpt-4o', usage: { prompt_tokens: 1000, completion_tokens: 500 } },
        },
      ],
      undefined,
      { credits: 15 },
    ],
    [
      'an invalid raw response',
      'rating.calculate',
      [{ provider: 'openai', provider_api: 'chat', provider_response: {} }],
      invalid,
    ],
  ]
  return rows.map(([name, method, args, error, match]) => ({
    name,
    method,
    args,
    as: 'customer',
    ...(error && { error }),
    ...(match && { match }),
  }))
}

function* leaves(value: unknown, place: (string | number)[] = []): Generator<[(string | number)[], unknown]> {
  if (Array.isArray(value))
    for (const [index, item] of value.entries()) yield* leaves(item, [...place, index])
  else if (isObject(value))
    for (const [key, item] of Object.entries(value)) yield* leaves(item, [...place, key])
  else yield [place, value]
}
