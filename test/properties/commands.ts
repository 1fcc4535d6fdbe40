import fc from 'fast-check'

/** What may happen to a ledger, and how the generator thinks of it. */

export interface CreditSpec {
  readonly op: 'credit'
  readonly type: 'GRANT' | 'PURCHASE'
  readonly owner: string
  readonly amount: number
  readonly paid: boolean
  readonly priority: number
  readonly expires_in_ms: number | null
  readonly key: string | null
}

export interface EventSpec {
  readonly op: 'event'
  readonly amount: number
  readonly user: string | null
  readonly team: string | null
  /** It comes refused, as an event does that was fine once and is too old now. */
  readonly stale: boolean
  readonly key: string | null
}

export interface BatchSpec {
  readonly op: 'batch'
  readonly events: readonly EventSpec[]
  readonly key: string | null
}

export type RequestSpec = CreditSpec | EventSpec | BatchSpec

export type Command =
  /** Requests that arrive together, and may share a commit. */
  | { readonly op: 'requests'; readonly requests: readonly RequestSpec[] }
  | { readonly op: 'read'; readonly owner: string }
  | { readonly op: 'clock'; readonly by_ms: number }
  | { readonly op: 'alarm' }
  /** The object loses its memory, as it does after ten idle seconds and at every deploy. */
  | { readonly op: 'evict' }

export const OWNERS = ['customer', 'user:ann', 'user:bob', 'team:red'] as const

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const MOST = 8_000_000_000_000_000

/** Few keys and few payloads, so that keys come again with the same payload and with others. */
const key = fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5'), { freq: 3 })
const large = fc.oneof(fc.integer({ min: 1, max: MOST }), fc.constantFrom(MOST, MOST - 1))
const burned = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 7, 50, 100) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 1, arbitrary: large },
)
const granted = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(1, 50, 100, 300) },
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 500 }) },
  { weight: 1, arbitrary: large },
)

const credit: fc.Arbitrary<CreditSpec> = fc.record({
  op: fc.constant('credit'),
  type: fc.constantFrom('GRANT', 'PURCHASE'),
  owner: fc.constantFrom(...OWNERS),
  amount: granted,
  paid: fc.boolean(),
  priority: fc.constantFrom(0, 50, 50, 100),
  expires_in_ms: fc.constantFrom(null, null, 0, 1, MINUTE, MINUTE, HOUR, 10 * DAY),
  key,
})

const event: fc.Arbitrary<EventSpec> = fc.record({
  op: fc.constant('event'),
  amount: burned,
  user: fc.constantFrom(null, 'ann', 'bob', 'nobody'),
  team: fc.constantFrom(null, null, 'red', 'nobody'),
  stale: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
  key,
})

const batch: fc.Arbitrary<BatchSpec> = fc.record({
  op: fc.constant('batch'),
  events: fc.array(event, { minLength: 1, maxLength: 6 }),
  key,
})

const request: fc.Arbitrary<RequestSpec> = fc.oneof(
  { weight: 3, arbitrary: credit },
  { weight: 6, arbitrary: event },
  { weight: 2, arbitrary: batch },
)

const alone = request.map((one) => [one])
const together = fc.array(request, { minLength: 2, maxLength: 5 })
/** A client that lost the answer and repeats itself. */
const twice = request.map((one) => [one, one])

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      op: fc.constant('requests' as const),
      requests: fc.oneof({ weight: 5, arbitrary: alone }, together, twice),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('read' as const), owner: fc.constantFrom(...OWNERS) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('clock' as const),
      by_ms: fc.constantFrom(1, MINUTE - 1, MINUTE, HOUR, DAY, 8 * DAY, -MINUTE),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ op: 'alarm' as const }) },
  { weight: 2, arbitrary: fc.constant({ op: 'evict' as const }) },
)

export const commands = fc.array(command, { minLength: 1, maxLength: 40, size: 'max' })
