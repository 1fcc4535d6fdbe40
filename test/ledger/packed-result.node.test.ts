import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import { packResult, parseResult } from '../../src/ledger/model/messages/packed-result.ts'
import { microCredits } from '../../src/pricing/money.ts'

const text = fc.oneof(fc.constantFrom('evt_1', '', '1', '\ud800', '["a"]'), fc.string())
const credits = fc.integer({ min: 0, max: 8e15 }).map(microCredits)
const item = fc.oneof(
  fc.record({
    status: fc.constantFrom('accepted' as const, 'duplicate' as const),
    id: text,
    credits,
    balance_after: credits,
  }),
  fc.record({
    status: fc.constant('rejected' as const),
    code: fc.constantFrom('insufficient_credits' as const, 'invalid_request' as const),
    detail: text,
  }),
)
const batch = fc.record({
  shape: fc.constant('batch' as const),
  kind: fc.constantFrom('done' as const, 'replayed' as const),
  format: fc.nat(),
  answer: fc.record({ batch_id: text, results: fc.array(item) }),
})
const refused = fc.constant({ kind: 'refused' as const, refusal: { code: 'overloaded' as const } })
const result: fc.Arbitrary<IngestResult> = fc.oneof(batch, refused)

it('a packed result is read as the result that it replaces', () => {
  fc.assert(
    fc.property(result, (any) => {
      const packed = packResult(any)
      expect(parseResult(packed)).toEqual(any)
      expect(packed.startsWith('[')).toBe(any.kind !== 'refused')
      expect(parseResult(JSON.stringify(any))).toEqual(any)
    }),
  )
})
