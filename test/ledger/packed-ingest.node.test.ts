import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonTextOf } from '../../src/ledger/model/json.ts'
import type { IngestItem, IngestMessage } from '../../src/ledger/model/messages/events.ts'
import { packIngest, parseIngest } from '../../src/ledger/model/messages/packed-ingest.ts'
import { EVENT_TYPES, type PricedEvent } from '../../src/ledger/model/vocabulary.ts'

const text = fc.oneof(
  fc.constantFrom('chat', 'gpt-4o', '', '0', '__proto__', '\ud800', '{"a":[1]}'),
  fc.string(),
)
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 1e13, 0.123456789))
const usd = fc.record({ micro: fc.maxSafeNat(), pico: fc.nat(999_999) })
const price_version = text
/** The fast-check arbitraries for all fields of an event. A new field must be added here and must be packed. */
const FIELDS = {
  event_type: fc.constantFrom(...EVENT_TYPES),
  feature_id: text,
  timestamp_ms: fc.maxSafeNat(),
  charge: fc.oneof(
    fc.record({ kind: fc.constant('priced' as const), cost: usd, price_version }),
    fc.record({ kind: fc.constant('unpriced' as const), price_version, ceiling_cost: fc.option(usd) }),
    fc.record({ kind: fc.constant('none' as const), price_version }),
  ),
  user_id: text,
  team_id: text,
  provider: text,
  model: text,
  usage: fc.dictionary(
    fc.constantFrom('input_tokens', 'output_tokens', 'cache_read_tokens', 'audio_seconds', 'requests'),
    count,
  ),
  modifiers: fc.record({ service_tier: text, region: text }, { requiredKeys: [] }),
  custom: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), count),
  warnings: fc.array(text),
  hold: fc.record({ number: fc.nat(), wallet: fc.nat(), created_at_ms: fc.maxSafeNat() }),
  metadata: text.map(jsonTextOf),
} satisfies Record<keyof PricedEvent, fc.Arbitrary<unknown>>
const event: fc.Arbitrary<PricedEvent> = fc.record(FIELDS, {
  requiredKeys: ['event_type', 'feature_id', 'timestamp_ms', 'charge'],
})
const idempotency = fc.record({ key: text, fingerprint: text })
const item: fc.Arbitrary<IngestItem> = fc.oneof(
  fc.record({ idempotency, event, refusal: fc.constant(null) }, { requiredKeys: ['event', 'refusal'] }),
  fc.record(
    {
      idempotency,
      event: fc.constant(null),
      refusal: fc.constantFrom(
        { code: 'customer_mismatch' } as const,
        { code: 'unknown_provider', provider: 'x', nearest: ['y'] } as const,
      ),
    },
    { requiredKeys: ['event', 'refusal'] },
  ),
)
const message: fc.Arbitrary<IngestMessage> = fc.oneof(
  fc.record({ shape: fc.constant('single' as const), item }),
  fc.record(
    { shape: fc.constant('batch' as const), batch_id: text, idempotency, items: fc.array(item) },
    { requiredKeys: ['shape', 'batch_id', 'items'] },
  ),
)

describe('a packed message of ingest', () => {
  it('is read as the message that was sent, for any message', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const plain: IngestMessage = JSON.parse(JSON.stringify(sent))
        expect(parseIngest(packIngest(sent))).toEqual(plain)
        expect(parseIngest(JSON.stringify(sent))).toEqual(plain)
      }),
      { numRuns: 2_000 },
    )
  })

  it('keeps the order of the units of usage, which responses show', () => {
    const usages = [
      { output_tokens: 1, input_tokens: 2 },
      { input_tokens: 2, output_tokens: 1 },
    ]
    const items = usages.map((usage): IngestItem => ({ event: { ...EVENT, usage }, refusal: null }))
    const read = parseIngest(packIngest({ shape: 'batch', batch_id: 'batch_1', items }))
    const orders = read.shape === 'batch' ? read.items.map((one) => Object.keys(one.event?.usage ?? {})) : []
    expect(orders).toEqual(usages.map((usage) => Object.keys(usage)))
  })

  it('takes a quarter of the bytes of a plain one', () => {
    const items = Array.from(
      { length: 100 },
      (_, i): IngestItem => ({
        idempotency: { key: `key-${i}`, fingerprint: 'OevalmtUKO_p08vvwPWtHN' },
        event: EVENT,
        refusal: null,
      }),
    )
    const batch: IngestMessage = { shape: 'batch', batch_id: 'batch_1', items }
    expect(packIngest(batch).length).toBeLessThan(JSON.stringify(batch).length / 4)
  })
})

const EVENT: PricedEvent = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  usage: { input_tokens: 1000, output_tokens: 500 },
  timestamp_ms: 1_764_000_000_000,
  charge: { kind: 'priced', cost: { micro: 7500, pico: 0 }, price_version: 'abcdef1234:openai/gpt-4o' },
}
