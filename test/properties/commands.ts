import fc from 'fast-check'

/** Generates random commands that move credits. Amounts are in micro-credits. */

interface Subject {
  readonly user: string | null
  readonly team: string | null
}

interface Keyed {
  readonly key: string | null
}

export interface EventAct extends Subject, Keyed {
  readonly op: 'event'
  readonly amount: number
  /** The hold that the event captures; null for an event without a hold. */
  readonly hold: number | null
  /**
   * Whether the Worker refuses the event because its timestamp is too old. An earlier request with the same event can
   * have been valid.
   */
  readonly stale: boolean
}

export type Every = 'day' | 'week' | 'month' | 'quarter' | 'year'

export interface CreditAct extends Keyed {
  readonly op: 'credit'
  readonly type: 'GRANT' | 'PURCHASE'
  readonly owner: string
  readonly amount: number
  readonly paid: boolean
  readonly priority: number
  readonly expires_in_ms: number | null
  readonly starts_in_ms: number | null
  readonly recurring: {
    readonly every: Every
    readonly rollover: number | null
    readonly target: number | null
  } | null
}

/**
 * A request to the ledger. In a generated request, `hold`, `grant`, `entry` and `lot` are random picks. In a resolved
 * request, they are numbers that the ledger has assigned, or 0, which it never assigns.
 */
export type Act =
  | CreditAct
  | EventAct
  | (Keyed & { readonly op: 'batch'; readonly events: readonly EventAct[] })
  | (Keyed & Subject & { readonly op: 'hold'; readonly amount: number; readonly lifetime_ms: number })
  | (Keyed & {
      readonly op: 'capture'
      readonly hold: number
      readonly amount: number
      readonly by_event: boolean
      readonly final: boolean
    })
  | (Keyed & { readonly op: 'release'; readonly hold: number })
  | (Keyed & { readonly op: 'extend'; readonly hold: number; readonly lifetime_ms: number })
  | (Keyed & { readonly op: 'void'; readonly entry: number })
  | (Keyed & { readonly op: 'refund'; readonly entry: number; readonly amount: number | null })
  | (Keyed & {
      readonly op: 'transfer'
      readonly from: string
      readonly to: string
      readonly amount: number
    })
  | (Keyed & { readonly op: 'adjust'; readonly owner: string; readonly amount: number })
  | (Keyed & { readonly op: 'revoke'; readonly lot: number; readonly amount: number | null })
  | (Keyed & { readonly op: 'overdraft'; readonly owner: string; readonly limit: number })
  | { readonly op: 'stop'; readonly grant: number; readonly key: null }

export type Command =
  /** Requests that arrive at the same time, and can share a commit. */
  | { readonly op: 'acts'; readonly acts: readonly Act[] }
  | { readonly op: 'read'; readonly owner: string }
  | { readonly op: 'clock'; readonly by_ms: number }
  | { readonly op: 'alarm' }
  /**
   * A restart of the object, which loses the data in its memory. This also happens after ten idle seconds and on every
   * deployment.
   */
  | { readonly op: 'restart' }

export const OWNERS = ['customer', 'user:ann', 'user:bob', 'team:red'] as const

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const MOST = 8_000_000_000_000_000

/** Generates one of a few idempotency keys, so that requests reuse keys, with the same body or with another body. */
const key = fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4'), { freq: 4 })
/** Generates one of a few owners, so that movements often affect the same wallets. */
const owner = fc.constantFrom('customer', 'user:ann', 'team:red')
const user = fc.constantFrom(null, 'ann', 'nobody')
const team = fc.constantFrom(null, null, 'red')
const pick = fc.nat({ max: 5 })
const some = fc.oneof(fc.constantFrom(1, 10, 50, 100), fc.integer({ min: 1, max: 150 }))
const part: fc.Arbitrary<number | null> = fc.option(some)
const amount = fc.oneof(
  { weight: 30, arbitrary: some },
  { weight: 1, arbitrary: fc.constantFrom(MOST, MOST - 1, MOST - 100) },
)
const lifetime_ms = fc.constantFrom(SECOND, MINUTE, MINUTE, HOUR, DAY)

const credit: fc.Arbitrary<Act> = fc
  .record({
    op: fc.constant('credit' as const),
    type: fc.constantFrom('GRANT', 'PURCHASE'),
    owner,
    amount,
    paid: fc.boolean(),
    priority: fc.constantFrom(0, 50, 50, 100),
    expires_in_ms: fc.constantFrom(null, null, 0, SECOND, MINUTE, MINUTE, HOUR, DAY),
    starts_in_ms: fc.constantFrom(null, null, null, null, 0, SECOND, MINUTE, HOUR),
    recurring: fc.option(
      fc
        .record({
          every: fc.constantFrom('day', 'week', 'month', 'quarter', 'year'),
          rollover: fc.constantFrom(null, 0, 20, 100),
          target: fc.constantFrom(null, null, 1, 60, 200),
        })
        // Removes the target of a recurring grant with a rollover, because a grant cannot have both.
        .map((one) => (one.rollover === null ? one : { ...one, target: null })),
      { freq: 4 },
    ),
    key,
  })
  .map((act) => (act.type === 'PURCHASE' ? { ...act, recurring: null } : act))
  .map(withOneStart)

/** Removes an invalid start time: a recurring grant must start immediately, and a lot must start before it expires. */
function withOneStart(act: CreditAct): CreditAct {
  const { recurring, starts_in_ms, expires_in_ms } = act
  const isWrong = recurring !== null || (expires_in_ms ?? Number.POSITIVE_INFINITY) <= (starts_in_ms ?? 0)
  return isWrong ? { ...act, starts_in_ms: null } : act
}

const event = fc.record({
  op: fc.constant('event' as const),
  user,
  team,
  amount: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 15, arbitrary: amount }),
  hold: fc.option(pick, { freq: 2 }).map((hold) => hold ?? null),
  stale: fc.constant(false),
  key,
})

const acts: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Act> }[] = [
  { weight: 6, arbitrary: credit },
  { weight: 5, arbitrary: event },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('batch'),
      events: fc.array(event, { minLength: 1, maxLength: 4 }),
      key,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('hold'), user, team, amount, lifetime_ms, key }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('capture'),
      hold: pick,
      amount: fc.oneof(
        { weight: 1, arbitrary: amount },
        { weight: 2, arbitrary: fc.integer({ min: 1, max: 20 }) },
      ),
      by_event: fc.boolean(),
      final: fc.boolean(),
      key,
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('release'), hold: pick, key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('extend'), hold: pick, lifetime_ms, key }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('void'), entry: pick, key }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('refund'), entry: pick, amount: part, key }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('revoke'), lot: pick, amount: part, key }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('transfer'), from: owner, to: owner, amount, key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('adjust'),
      owner,
      amount: fc.oneof(
        amount,
        some.map((n) => -n),
      ),
      key,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('overdraft'),
      owner,
      limit: fc.constantFrom(0, 20, 100, 100, 300, MOST),
      key,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('stop'), grant: pick, key: fc.constant(null) }) },
]

/**
 * The generators for histories with only usage. They use more wallets, keys and amounts, and also events that the
 * Worker refuses.
 */
const usageKey = fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5'), { freq: 3 })
const large = fc.oneof(fc.integer({ min: 1, max: MOST }), fc.constantFrom(MOST, MOST - 1))
const usageAmount = (least: number, ...often: number[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...often) },
    { weight: 6, arbitrary: fc.integer({ min: least, max: 500 }) },
    { weight: 1, arbitrary: large },
  )
const usageEvent = fc.record({
  op: fc.constant('event' as const),
  amount: usageAmount(0, 0, 1, 7, 50, 100),
  user: fc.constantFrom(null, 'ann', 'bob', 'nobody'),
  team: fc.constantFrom(null, null, 'red', 'nobody'),
  hold: fc.constant(null),
  stale: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
  key: usageKey,
})
const usageActs: typeof acts = [
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('credit'),
      type: fc.constantFrom('GRANT', 'PURCHASE'),
      owner: fc.constantFrom(...OWNERS),
      amount: usageAmount(1, 1, 50, 100, 300),
      paid: fc.boolean(),
      priority: fc.constantFrom(0, 50, 50, 100),
      expires_in_ms: fc.constantFrom(null, null, 0, 1, MINUTE, MINUTE, HOUR, 10 * DAY),
      starts_in_ms: fc.constant(null),
      recurring: fc.constant(null),
      key: usageKey,
    }),
  },
  { weight: 6, arbitrary: usageEvent },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('batch'),
      events: fc.array(usageEvent, { minLength: 1, maxLength: 6 }),
      key: usageKey,
    }),
  },
]

const JUMPS = [1, MINUTE - 1, MINUTE, HOUR, DAY, 8 * DAY, -MINUTE]

function livesOf(
  some: typeof acts,
  most_commands: number,
  most_together: number,
  jumps: readonly number[],
): fc.Arbitrary<Command[]> {
  const act = fc.oneof(...some)
  const alone = act.map((one) => [one])
  const together = fc.array(act, { minLength: 2, maxLength: most_together })
  /** A client that gets no response sends its request again. */
  const twice = act.map((one) => [one, one])
  const command: fc.Arbitrary<Command> = fc.oneof(
    {
      weight: 24,
      arbitrary: fc.record({
        op: fc.constant('acts' as const),
        acts: fc.oneof({ weight: 6, arbitrary: alone }, together, twice),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constant('read' as const), owner: fc.constantFrom(...OWNERS) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ op: fc.constant('clock' as const), by_ms: fc.constantFrom(...jumps) }),
    },
    { weight: 2, arbitrary: fc.constant({ op: 'alarm' as const }) },
    { weight: 2, arbitrary: fc.constant({ op: 'restart' as const }) },
  )
  return fc.array(command, { minLength: 1, maxLength: most_commands, size: 'max' })
}

/**
 * The generators of random ledger histories: `usage` with only usage, and the others with all operations that move
 * credits.
 */
export const LIVES = {
  usage: livesOf(usageActs, 40, 5, JUMPS),
  everything: livesOf(acts, 60, 4, [...JUMPS, SECOND, MINUTE, 31 * DAY, 92 * DAY]),
}

export type Kind = keyof typeof LIVES

/** Returns the text that identifies the content of a request: all fields except the idempotency key and `stale`. */
export function payloadOf(act: Act): string {
  return JSON.stringify({ ...act, key: null }, (field, value) => (field === 'stale' ? undefined : value))
}
