import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InexactNumber, parseJson } from '../../src/http/input/exact-json.ts'
import { JsonSource } from '../../src/http/input/json-source.ts'
import { eventSchema } from '../../src/rating/event.ts'
import { readPlainEvent } from '../../src/rating/plain-event.ts'

/**
 * Returns whether the fast reader accepts the event. If it accepts the event, checks that its result equals the result
 * of the schema.
 */
function agrees(body: unknown): boolean {
  const fast = readPlainEvent(body)
  if (fast === undefined) return false
  const slow = eventSchema.safeParse(body)
  expect(slow.success, JSON.stringify(body)).toBe(true)
  expect(present(fast)).toEqual(present(slow.data))
  // The units of the usage must be in the same order, because records and responses keep this order.
  expect(Object.keys(fast.usage ?? {})).toEqual(Object.keys(slow.data?.usage ?? {}))
  expect(Object.is(fast.input_tokens, slow.data?.input_tokens)).toBe(true)
  return true
}

function present(event: object | undefined): object {
  return Object.fromEntries(Object.entries(event ?? {}).filter(([, value]) => value !== undefined))
}

const REQUIRED = { event_type: 'TOKEN_USAGE', feature_id: 'chat' }

const texts = fc.oneof(
  fc.constantFrom('gpt-4o', 'é', '😀', '.', '..', '', ' ', 'a\u0000b', '\ud800', '\u0085', 'x'.repeat(255)),
  fc.constantFrom('x'.repeat(256), '😀'.repeat(128), '😀'.repeat(255), '😀'.repeat(256), '__proto__'),
  fc.string({ unit: 'binary', maxLength: 10 }),
)
const numbers = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 0.5, 1e13, 1e13 + 1, 1e21, 1e-7, 0.1234567, 0.123456, Number.NaN),
  fc.constantFrom(Number.POSITIVE_INFINITY, 2 ** 53, 5e-324),
  fc.double(),
  fc.nat(),
)
const anything = fc.oneof(
  fc.jsonValue(),
  texts,
  numbers,
  fc.constantFrom(null, undefined, [], {}, new InexactNumber('9007199254740993'), JsonSource.of({ a: 1 })),
)
const units = fc.constantFrom(
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'audio_seconds',
  'requests',
)
const usage = fc.oneof(
  fc.dictionary(units, fc.nat()),
  fc.dictionary(units, numbers),
  fc.dictionary(fc.oneof(units, texts), numbers),
  fc.record({ input_tokens: fc.nat(), custom: fc.dictionary(fc.string(), numbers) }),
  anything,
)
const times = fc.oneof(
  fc
    .date({ min: new Date(0), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  fc.constantFrom(
    '2026-02-30T00:00:00Z',
    '2026-01-31t09:30:00.1234567z',
    '1969-12-31T23:59:59Z',
    '2026-01-31',
  ),
  anything,
)
const metadata = fc.oneof(
  fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JsonSource.of(value)),
  fc.constantFrom(
    JsonSource.read('[1]'),
    JsonSource.read(JSON.stringify({ long: 'x'.repeat(20_000) })),
    JsonSource.read(JSON.stringify(Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, i])))),
  ),
  anything,
)
const free = fc.oneof(texts, anything)
const FIELDS = {
  event_type: fc.oneof(fc.constantFrom('TOKEN_USAGE', 'CUSTOM', 'toString', 'custom'), anything),
  feature_id: free,
  customer_id: free,
  user_id: free,
  team_id: free,
  provider: free,
  model: free,
  input_tokens: numbers,
  output_tokens: fc.oneof(numbers, anything),
  usage,
  provider_response: fc.oneof(fc.dictionary(texts, anything), anything),
  provider_api: free,
  image_count: numbers,
  image_size: free,
  quality: free,
  duration_seconds: fc.oneof(numbers, anything),
  service_tier: free,
  region: free,
  quantity: fc.oneof(numbers, anything),
  unit: fc.oneof(fc.constantFrom('pages', 'input_tokens', 'Pages', 'a'.repeat(64), 'a'.repeat(65)), anything),
  hold_id: fc.oneof(fc.constantFrom('h'.repeat(64), 'h'.repeat(65)), free),
  idempotency_key: fc.oneof(fc.constantFrom('k', 'k'.repeat(255), 'k'.repeat(256), 'caf\u00e9', ''), free),
  timestamp: times,
  metadata,
  unknown: anything,
}

/** Generates events in which up to four fields have random values. Most of these events are invalid. */
const events = fc
  .tuple(fc.record(FIELDS, { requiredKeys: [] }), fc.subarray(Object.keys(FIELDS), { maxLength: 4 }))
  .map(([fields, kept]) => ({
    ...REQUIRED,
    ...Object.fromEntries(Object.entries(fields).filter(([name]) => kept.includes(name))),
  }))

describe('the reader of common events', () => {
  it('agrees with the schema, or leaves the event to it', () => {
    fc.assert(
      fc.property(fc.oneof(events, anything), (event) => {
        agrees(event)
      }),
      { numRuns: 5_000 },
    )
  })

  it('agrees on hostile JSON', () => {
    const event = '"event_type":"TOKEN_USAGE","feature_id":"chat"'
    for (const fields of [
      '"__proto__":{"model":"gpt-4o"}',
      '"constructor":1',
      '"toString":1',
      '"model":"a","model":"b"',
      '"input_tokens":-0',
      '"input_tokens":1e400',
      '"input_tokens":9007199254740993',
      '"input_tokens":1.00000000000000000009',
      '"usage":{"__proto__":{"input_tokens":1}}',
      '"usage":{"toString":1}',
      '"usage":{"output_tokens":1,"input_tokens":2}',
      '"usage":{"custom":{"__proto__":1}}',
      '"provider_response":{"__proto__":{"usage":{}}}',
      '"provider_response":{"usage":{"__proto__":1}}',
      '"user_id":"\\ud800"',
      '"timestamp":1764000000000',
      '"metadata":{"\\u0061":1}',
    ]) {
      agrees(parseJson(`{${event},${fields}}`))
    }
  })

  it('reads all common forms itself', () => {
    const common: readonly object[] = [
      { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 },
      { user_id: 'mia', team_id: 'équipe', timestamp: '2026-11-28T10:00:00.5+01:00' },
      { provider: 'anthropic', model: 'm', usage: { cache_read_tokens: 5, input_tokens: 9 } },
      { model: 'whisper-1', usage: { audio_seconds: 12.5 }, service_tier: 'batch', region: 'eu' },
      { image_count: 2, image_size: '1024x1024', quality: 'hd', duration_seconds: 0.25 },
      { quantity: 3, unit: 'pages', hold_id: 'hold_1', idempotency_key: 'k', customer_id: 'cust_1' },
      { metadata: JsonSource.of({ any: ['thing', null] }) },
      {
        provider: 'openai',
        provider_response: { id: 'x', usage: { prompt_tokens: 5 } },
        provider_api: 'chat',
      },
    ]
    for (const fields of common) expect(agrees({ ...REQUIRED, ...fields }), JSON.stringify(fields)).toBe(true)
  })
})
