import type { Belongings } from './belongings.ts'
import { GPT_4O } from './client.ts'
import { asObject, type Operation, objectAt, resolve } from './documented.ts'

/**
 * Creates requests to every route of the OpenAPI document, with data of a customer. A new route is covered
 * automatically if this file has values for its parameters and fields. Otherwise, `fill` throws until a value is added.
 */
type Json = Readonly<Record<string, unknown>>
type Of<T> = (owner: Belongings) => T

/** The values of path parameters, each with the start of its route and its name. */
const PATH_PARAMETERS: readonly (readonly [prefix: string, name: string, value: Of<string>])[] = [
  ['/v1/events/', 'id', ({ event_id }) => event_id],
  ['/v1/holds/', 'id', ({ hold_id }) => hold_id],
  ['/v1/entitlements/', 'id', ({ entitlement_id }) => entitlement_id],
  ['/v1/burn-tables/', 'id', ({ burn_table_id }) => burn_table_id],
  ['/v1/credits/lots/', 'id', ({ lot_id }) => lot_id],
  ['/v1/credits/recurring-grants/', 'id', ({ recurring_grant_id }) => recurring_grant_id],
  ['/v1/api-keys/', 'id', ({ key_id }) => key_id],
  ['/v1/provider-keys/', 'id', ({ provider_key_id }) => provider_key_id],
  ['/v1/credit-packs/', 'id', ({ credit_pack_id }) => credit_pack_id],
  ['/v1/payments/', 'id', ({ payment_id }) => payment_id],
  ['/v1/alerts/', 'id', ({ alert_id }) => alert_id],
  ['/v1/gateway-routes/', 'id', ({ gateway_route_id }) => gateway_route_id],
  ['/v1/webhook-endpoints/', 'id', ({ webhook_endpoint_id }) => webhook_endpoint_id],
  ['/v1/webhook-deliveries/', 'id', ({ webhook_delivery_id }) => webhook_delivery_id],
  ['/v1/admin/webhook-endpoints/', 'id', ({ webhook_endpoint_id }) => webhook_endpoint_id],
  ['/v1/admin/webhook-deliveries/', 'id', ({ webhook_delivery_id }) => webhook_delivery_id],
  ['/v1/admin/customers/', 'id', ({ customer_id }) => customer_id],
  ['/v1/users/', 'user_id', ({ user_id }) => user_id],
  ['/v1/teams/', 'team_id', ({ team_id }) => team_id],
  ['/openmeter/', 'meter', ({ feature_id }) => feature_id],
  ['/openmeter/', 'customer', ({ user_id }) => user_id],
  ['/openmeter/', 'feature', ({ feature_id }) => feature_id],
  ['/openmonetize/v1/users/', 'userId', ({ user_id }) => user_id],
  ['/openmonetize/v1/customers/', 'customerId', ({ customer_id }) => customer_id],
  ['/openmonetize/v1/customers/', 'userId', ({ user_id }) => user_id],
  ['/openmonetize/v1/entitlements/', 'id', ({ entitlement_id }) => entitlement_id],
  ['/docs/', 'file', () => 'start.js'],
]

/**
 * The values of parameters and fields that refer to data of a customer, by name. Tests send each of them in a separate
 * request.
 */
export const REFERENCES: Readonly<Record<string, Of<unknown>>> = {
  customer_id: ({ customer_id }) => customer_id,
  user_id: ({ user_id }) => user_id,
  team_id: ({ team_id }) => team_id,
  key_id: ({ key_id }) => key_id,
  user: ({ user_id }) => user_id,
  team: ({ team_id }) => team_id,
  key: ({ key_id }) => key_id,
  feature: ({ feature_id }) => feature_id,
  feature_id: ({ feature_id }) => feature_id,
  transaction_id: ({ transaction_id }) => transaction_id,
  credit_pack_id: ({ credit_pack_id }) => credit_pack_id,
  credit_pack_ids: ({ credit_pack_id }) => [credit_pack_id],
  hold_id: ({ hold_id }) => hold_id,
  from: ({ user_id }) => ({ user_id }),
  to: ({ team_id }) => ({ team_id }),
  email: ({ email }) => email,
  name: ({ marker }) => marker,
  model: ({ marker }) => marker,
  events: ({ user_id, hold_id, feature_id }) => [{ ...GPT_4O, feature_id, user_id, hold_id }],
  customerId: ({ customer_id }) => customer_id,
  userId: ({ user_id }) => user_id,
  subject: ({ user_id }) => user_id,
  resourceMetrics: () => [],
  resourceSpans: ({ user_id }) => [
    { scopeSpans: [{ spans: [{ attributes: [{ key: 'user.id', value: { stringValue: user_id } }] }] }] },
  ],
  endpoint_id: ({ webhook_endpoint_id }) => webhook_endpoint_id,
  event: ({ customer_id, user_id, feature_id }) => ({ ...GPT_4O, feature_id, user_id, customer_id }),
}

/** The names of parameters and fields that do not refer to data of a customer. */
const NEUTRAL = new Set([
  ...[
    'limit',
    'cursor',
    'at',
    'version',
    'unrated',
    'event_type',
    'provider',
    'type',
    'group_by',
    'time_zone',
    'explain',
  ],
  ...[
    'amount',
    'price_usd',
    'reason',
    'expires_at',
    'starts_at',
    'priority',
    'metadata',
    'kind',
    'recurring',
  ],
  ...['payment_reference', 'overdraft_limit', 'credits', 'final', 'expires_in_seconds', 'max_output_tokens'],
  ...[
    'usage',
    'service_tier',
    'region',
    'limit_type',
    'limit_value',
    'unit',
    'period',
    'anchor',
    'value',
    'rolling',
  ],
  ...['enabled', 'action', 'hold', 'input_tokens', 'output_tokens', 'provider_response', 'provider_api'],
  ...['image_count', 'image_size', 'quality', 'duration_seconds', 'quantity', 'calculations', 'burn_table'],
  ...['prices', 'effective_from', 'effective_to', 'credits_per_usd', 'rounding', 'min_charge', 'rules'],
  ...['on_unpriced', 'scopes', 'mode', 'overlap_seconds', 'idempotency_key', 'timestamp'],
  ...['mappings', 'windowSize', 'windowTimeZone', 'groupBy', 'offset', 'event_name', 'identifier'],
  ...['start_date', 'end_date', 'startDate', 'endDate'],
  ...['tier', 'status', 'dead_letter_ids', 'full', 'jurisdiction', 'feed_id', 'key', 'base_url'],
  ...['success_url', 'cancel_url', 'save_payment_method', 'expires_in_days'],
  ...['below', 'max_usd_per_month', 'max_per_day'],
  ...['threshold', 'rearm_at', 'cooldown_seconds', 'after'],
  ...['origins', 'api', 'targets', 'on_ambiguous', 'timeouts', 'actor', 'target', 'state'],
  ...['url', 'types', 'description', 'v1a', 'only_failed'],
])

/** The values of required fields that do not refer to existing data of a customer. */
const VALUES: Readonly<Record<string, unknown>> = {
  mappings: [],
  feed_id: 'pf_00000000000000000000000000',
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  prices: { multiplier: 0.5 },
  calculations: [GPT_4O_CALCULATION()],
  burn_table: { name: 'draft' },
  name: 'mine',
  email: 'mine@acme.example',
  amount: 1,
  price_usd: 1,
  reason: 'because',
  key: 'sk-mine-0123456789',
  api: 'openai',
  targets: [{}],
  origins: ['https://mine.example'],
  url: 'http://127.0.0.1:9/mine',
  types: ['*'],
  from: {},
  to: {},
  overdraft_limit: 0,
  credits: 1,
  below: 1,
  max_usd_per_month: 1,
  limit_type: 'NONE',
  expires_in_seconds: 60,
  transaction_id: 'txn_0',
  user_id: 'mine',
  team_id: 'mine',
}

function GPT_4O_CALCULATION(): Json {
  return { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 10 }
}

/** The complete bodies for routes whose fields depend on each other. */
const BODIES: Readonly<Record<string, Json>> = {
  'POST /v1/events/ingest': { ...GPT_4O },
  'POST /v1/rating/simulate': {
    burn_table: { name: 'draft' },
    from: '2026-01-01T00:00:00Z',
    to: '2026-01-02T00:00:00Z',
  },
  'POST /v1/rating/calculate': GPT_4O_CALCULATION(),
  'POST /v1/alerts': { type: 'spend_above', threshold: { credits: 1 } },
  'POST /v1/holds': { feature_id: 'chat', credits: 1 },
  'POST /v1/holds/{id}/capture': { credits: 1 },
  'PATCH /v1/burn-tables/{id}': { name: 'mine' },
  'POST /v1/portal-tokens': { user_id: 'mine', expires_in_seconds: 60, origins: ['https://mine.example'] },
  'PATCH /v1/gateway-routes/{id}': { name: 'mine' },
  'PATCH /v1/alerts/{id}': { enabled: true },
  'PATCH /v1/users/{user_id}': { metadata: {} },
  'PATCH /v1/teams/{team_id}': { metadata: {} },
  'PATCH /v1/credit-packs/{id}': { name: 'mine' },
  'POST /v1/payments/checkout': {
    credits: 1,
    price_usd: 1,
    success_url: 'https://mine.example/',
    cancel_url: 'https://mine.example/',
  },
  'PATCH /v1/webhook-endpoints/{id}': { description: 'mine' },
  'PATCH /v1/admin/webhook-endpoints/{id}': { description: 'mine' },
  'POST /v1/webhook-endpoints/{id}/replay': { from: '2026-01-01T00:00:00Z' },
  'POST /v1/admin/webhook-endpoints/{id}/replay': { from: '2026-01-01T00:00:00Z' },
}

export interface FilledRequest {
  readonly path: string
  readonly body: Json | undefined
  /** The name of the parameter or field that has an id of the owner; `path` if only the path has one. */
  readonly carries: string
}

/**
 * Returns requests to a route with the ids of `owner`: one with ids only in the path, and one more for each parameter
 * or field that can have an id.
 */
export function fill({ method, path, operation }: Operation, owner: Belongings): FilledRequest[] {
  const filled_path = fillPath(path, owner)
  const query = names(operation, 'query')
  const schema = bodySchema(operation)
  const fields = Object.keys(schema?.properties ?? {})
  for (const name of [...query, ...fields]) {
    if (REFERENCES[name] === undefined && !NEUTRAL.has(name)) {
      throw new Error(`${method} ${path}: define the value of ${name} in test/support/requests.ts`)
    }
  }
  const body = schema && (BODIES[`${method} ${path}`] ?? requiredFields(schema, `${method} ${path}`))
  const times = new Set(['from', 'to'])
  const in_query = query
    .filter((name) => REFERENCES[name] !== undefined && !times.has(name))
    .map((name) => ({
      path: `${filled_path}?${name}=${encodeURIComponent(String(REFERENCES[name]?.(owner)))}`,
      body,
      carries: name,
    }))
  const in_body = fields
    .filter((name) => REFERENCES[name] !== undefined && !(times.has(name) && isRange(path)))
    .map((name) => ({
      path: filled_path,
      body: withField(body ?? {}, name, REFERENCES[name]?.(owner)),
      carries: name,
    }))
  return [{ path: filled_path, body, carries: 'path' }, ...in_query, ...in_body]
}

/** Reports whether `from` and `to` in the body of a route are times. In other bodies, they are wallets. */
function isRange(path: string): boolean {
  return path.startsWith('/v1/rating/') || path.endsWith('/replay')
}

/**
 * Returns a body with an additional field. `events` and `event` replace the whole body, because a request has either
 * one of them or other fields.
 */
function withField(body: Json, name: string, value: unknown): Json {
  if (name === 'events') return { events: value }
  if (name === 'event') return { event: value }
  return { ...body, [name]: value }
}

export function fillPath(path: string, owner: Belongings): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const known = PATH_PARAMETERS.find(([prefix, of_name]) => path.startsWith(prefix) && of_name === name)
    if (!known) throw new Error(`${path}: define the value of ${name} in test/support/requests.ts`)
    return encodeURIComponent(known[2](owner))
  })
}

export function names(operation: Json, place: 'query' | 'path'): string[] {
  const parameters: unknown[] = Array.isArray(operation.parameters) ? operation.parameters : []
  return parameters
    .map(resolve)
    .filter((parameter) => parameter.in === place)
    .map((parameter) => String(parameter.name))
}

interface BodySchema {
  readonly properties: Json
  readonly required: readonly string[]
}

/**
 * Returns the fields of a route's body; undefined for a route without a body. If the body has several alternatives,
 * returns the fields of all of them.
 */
export function bodySchema(operation: Json): BodySchema | undefined {
  if (operation.requestBody === undefined) return undefined
  const content = objectAt(asObject(operation.requestBody), 'content')
  return fieldsOf(objectAt(jsonOrFirst(content), 'schema'))
}

/**
 * Returns the JSON content of a body. If there is no JSON, returns the first content, because some bodies are forms.
 */
export function jsonOrFirst(content: Json): Json {
  return asObject(content['application/json'] ?? Object.values(content)[0])
}

function fieldsOf(schema: Json): BodySchema {
  const { properties, required, oneOf } = resolve(schema)
  if (Array.isArray(oneOf)) {
    const parts = oneOf.map((part: unknown) => fieldsOf(asObject(part)))
    return { properties: Object.assign({}, ...parts.map((part) => part.properties)), required: [] }
  }
  return {
    properties: asObject(properties ?? {}),
    required: Array.isArray(required) ? required.map(String) : [],
  }
}

function requiredFields({ required }: BodySchema, route: string): Json {
  return Object.fromEntries(
    required.map((name) => {
      if (VALUES[name] === undefined) {
        throw new Error(`${route}: say in test/support/requests.ts what to send as ${name}`)
      }
      return [name, VALUES[name]]
    }),
  )
}
