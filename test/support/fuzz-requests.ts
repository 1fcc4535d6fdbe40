import fc from 'fast-check'
import { isRecord } from '../../src/ledger/model/json.ts'
import type { Belongings } from './belongings.ts'
import { asObject, document, type Operation, objectAt, operations, resolve } from './documented.ts'
import { fillPath, jsonOrFirst } from './requests.ts'

/**
 * Generates requests from the OpenAPI document: valid requests, requests with one fault, and hostile requests. They
 * have a key with full access to the routes of customers or operators.
 */
type Json = Readonly<Record<string, unknown>>

export interface FuzzRequest {
  readonly as: 'customer' | 'operator'
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The body as text, because it need not be valid JSON; undefined for a request without a body. */
  readonly body: string | undefined
}

/**
 * Returns an arbitrary that generates requests to all customer and operator routes. Customer requests use the ids of
 * `owner`. Operator requests change only `other`, so that `owner` is never suspended.
 */
export function anyRequest(owner: Belongings, other: Belongings): fc.Arbitrary<FuzzRequest> {
  const routes = operations.flatMap((route) => {
    const security = JSON.stringify(route.operation.security)
    if (security.includes('"apiKey"')) return [requestTo(route, 'customer', owner)]
    return security.includes('"operator"') ? [requestTo(route, 'operator', other)] : []
  })
  return fc.oneof(...routes)
}

function requestTo(
  { method, path, operation }: Operation,
  as: FuzzRequest['as'],
  owner: Belongings,
): fc.Arbitrary<FuzzRequest> {
  return fc.record({
    as: fc.constant(as),
    method: fc.constant(method),
    path: fc
      .tuple(pathOf(path, owner), queryOf(operation))
      .map(([filled, query]) => (query === '' ? filled : `${filled}?${query}`)),
    headers: headersOf(method),
    body: bodyOf(operation, owner),
  })
}

function pathOf(path: string, owner: Belongings): fc.Arbitrary<string> {
  const real = fc.constant(fillPath(path, owner))
  if (!path.includes('{')) return real
  const hostile = HOSTILE_TEXT.filter((text) => text !== '' && text !== '.' && text !== '..').map((text) =>
    path.replaceAll(/\{\w+\}/g, encodeURIComponent(text.toWellFormed())),
  )
  return fc.oneof({ weight: 3, arbitrary: real }, { weight: 2, arbitrary: hostile })
}

function queryOf(operation: Json): fc.Arbitrary<string> {
  const parameters: unknown[] = Array.isArray(operation.parameters) ? operation.parameters : []
  const known = parameters.map(resolve).filter((parameter) => parameter.in === 'query')
  const pairs = known.map((parameter) =>
    fc.option(
      fc
        .oneof(
          { weight: 3, arbitrary: anyOfSchema(asObject(parameter.schema)).map(String) },
          { weight: 1, arbitrary: HOSTILE_TEXT },
        )
        .map((value) => [String(parameter.name), value.toWellFormed()] as const),
      { nil: undefined, freq: 3 },
    ),
  )
  // Most requests have no unknown parameter, because every route refuses unknown parameters.
  const unknown = fc.oneof(
    { weight: 7, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ['limit', '0'] as const,
        ['__proto__', 'x'] as const,
        ['debug', 'true'] as const,
      ),
    },
  )
  return fc.tuple(unknown, ...pairs).map((all) => {
    const query = new URLSearchParams()
    for (const pair of all) if (pair) query.append(pair[0], pair[1])
    return query.toString()
  })
}

function headersOf(method: string): fc.Arbitrary<Record<string, string>> {
  const key = fc.oneof(
    fc.constantFrom('fuzz-1', 'fuzz-2', ' ', 'k'.repeat(256)),
    fc.string({ minLength: 1, maxLength: 40 }),
  )
  return fc.record(
    {
      ...(method === 'POST' && { 'Idempotency-Key': key.filter(isHeaderValue) }),
      'Content-Type': fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom('application/json', 'application/json; charset=utf-8') },
        { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/jsonp', 'multipart/form-data') },
      ),
      Accept: fc.constantFrom('text/csv', 'application/x-ndjson', 'text/csv;q=0, */*', 'text/plain', ';'),
      'X-Request-Id': fc.string({ maxLength: 80 }).filter(isHeaderValue),
    },
    { requiredKeys: [] },
  )
}

function isHeaderValue(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

const BROKEN_BODIES = fc.constantFrom(
  ...['', '{', '[]', 'null', '"text"', '1e999', '{"a":1}}', '\u0000', '{"amount":1,"amount":2}'],
  '['.repeat(70) + ']'.repeat(70),
  '{"__proto__":{"admin":true}}',
  `{"metadata":{"x":"${'y'.repeat(20_000)}"}}`,
)

function bodyOf(operation: Json, owner: Belongings): fc.Arbitrary<string | undefined> {
  if (operation.requestBody === undefined) return fc.constant(undefined)
  const content = objectAt(asObject(operation.requestBody), 'content')
  const valid = anyOfSchema(objectAt(jsonOrFirst(content), 'schema')).map((body) => withIds(body, owner))
  return fc.oneof(
    { weight: 4, arbitrary: valid.map(toJson) },
    { weight: 4, arbitrary: almost(valid).map(toJson) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }).map(toJson) },
    { weight: 1, arbitrary: BROKEN_BODIES },
  )
}

function toJson(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}

/** Replaces generated ids with ids of the owner, because no object has a generated id. */
function withIds(body: unknown, owner: Belongings): unknown {
  if (!isRecord(body)) return body
  const ids: Json = {
    transaction_id: owner.transaction_id,
    hold_id: owner.hold_id,
    customer_id: owner.customer_id,
  }
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, ids[name] ?? value]))
}

/**
 * Returns an arbitrary for bodies with one fault: in a valid body, one field is missing, added, or has another value.
 */
function almost(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const change = fc.record({
    what: fc.constantFrom('drop', 'add', 'replace', 'nest'),
    at: fc.nat(),
    value: HOSTILE_VALUE,
  })
  return fc.tuple(valid, change).map(([body, { what, at, value }]) => {
    if (!isRecord(body)) return value
    const fields = Object.entries(body)
    const [name, old] = fields[at % Math.max(1, fields.length)] ?? ['amount', 1]
    if (what === 'drop') return Object.fromEntries(fields.filter(([other]) => other !== name))
    if (what === 'add') return { ...body, unknown_field: value }
    if (what === 'nest') return { ...body, [name]: [old] }
    return { ...body, [name]: value }
  })
}

const HOSTILE_TEXT: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...['', ' ', '\u0000', '\u007f', '\ud800', '../../etc/passwd', '%00', '%2e%2e%2f', 'a'.repeat(300)],
    ...["' OR 1=1 --", '"; DROP TABLE customers; --', '<script>alert(1)</script>', '{{7*7}}'],
    ...['__proto__', 'constructor', 'toString', 'null', 'undefined', 'NaN', '-0', '1e400', 'evt_', 'hold_0'],
    ...[
      'evt_zzzzzzzzzzzzzzzzzzzzzzzzzz',
      'txn_01m82kr9vnj1qk2s67ndqm186w',
      'om_live_x',
      '🧨'.repeat(64),
      '\u202e',
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
)

const HOSTILE_VALUE: fc.Arbitrary<unknown> = fc.oneof(
  HOSTILE_TEXT,
  fc.constantFrom<unknown>(
    ...[null, true, [], {}, -1, 0, 0.5, 1e-7, 1e21, 8_000_000_001, Number.MAX_SAFE_INTEGER, -0],
    ...['1e3', '0x10', '9'.repeat(400), '1.0000001', { toString: 1 }, [[[[]]]], 'a'.repeat(70_000)],
  ),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Returns an arbitrary for values that a schema of the document accepts, or almost accepts. */
function anyOfSchema(schema: Json, depth = 0): fc.Arbitrary<unknown> {
  const { const: only, enum: choices, oneOf, anyOf, type, items, properties, format } = resolve(schema)
  if (only !== undefined) return fc.constant(only)
  if (Array.isArray(choices)) return fc.constantFrom(...choices)
  const alternatives: unknown = oneOf ?? anyOf
  if (Array.isArray(alternatives)) {
    return fc.oneof(...alternatives.map((alternative: unknown) => anyOfSchema(asObject(alternative), depth)))
  }
  if (isRecord(properties)) return objectOf(resolve(schema), depth)
  const [kind] = [type].flat()
  switch (kind) {
    case 'object':
      return fc.dictionary(fc.constantFrom('a', 'b', 'tokens', 'input_tokens'), fc.nat(1000), { maxKeys: 3 })
    case 'array':
      return fc.array(items === undefined ? fc.constant({}) : anyOfSchema(asObject(items), depth + 1), {
        minLength: 1,
        maxLength: 3,
      })
    case 'integer':
    case 'number':
      return numberOf(resolve(schema))
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'string':
      return format === 'date-time' ? TIMES : TEXTS
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

const TEXTS = fc.constantFrom(
  'chat',
  'OPENAI',
  'gpt-4o',
  'zoe',
  'team-1',
  'zoe@example.com',
  'because',
  '1.5',
  'é',
)
const TIMES = fc
  .integer({ min: -40 * 86_400, max: 400 * 86_400 })
  .map((seconds) => new Date(Date.now() + seconds * 1000).toISOString())

function numberOf({ type, minimum, maximum }: Json): fc.Arbitrary<unknown> {
  const min = typeof minimum === 'number' ? minimum : 0
  const max = Math.min(typeof maximum === 'number' ? maximum : 1_000_000, 8_000_000_000)
  const whole = fc.oneof(
    fc.constantFrom(min, max),
    fc.integer({ min: Math.ceil(min), max: Math.floor(Math.min(max, min + 1000)) }),
  )
  if (type === 'integer') return whole
  return fc.oneof(whole, fc.constantFrom(0.5, 0.000001, 1.25, '2.5'))
}

function objectOf({ properties, required }: Json, depth: number): fc.Arbitrary<unknown> {
  const must = new Set(Array.isArray(required) ? required.map(String) : [])
  const fields = Object.entries(asObject(properties)).filter(([name]) => must.has(name) || depth < 3)
  return fc.record(
    Object.fromEntries(
      fields.map(([name, property]) => [
        name,
        must.has(name)
          ? anyOfSchema(asObject(property), depth + 1)
          : // Most fields are left out. A body with all fields is refused for its first wrong field.
            fc.option(anyOfSchema(asObject(property), depth + 1), { nil: undefined, freq: 1 }),
      ]),
    ),
  )
}

/**
 * Returns a pattern for internal names that responses must not contain: names of tables, columns, classes and bindings.
 */
export function internalNames(): RegExp {
  const allowed = JSON.stringify(document)
  const words = [
    'sqlite',
    'D1_',
    'CustomerLedger',
    'DurableObject',
    'workerd',
    'node_modules',
    'ZodError',
    'ledger_pages',
  ]
  const shown = words.filter((word) => !allowed.includes(word))
  return new RegExp(`${shown.join('|')}|\\bSELECT \\w|\\bINSERT INTO\\b|\\bat \\w+ \\(|\\.ts:\\d|\\.js:\\d`)
}
