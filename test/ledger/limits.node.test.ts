import { describe, expect, it } from 'vitest'
import { applyEvent } from '../../src/ledger/burns/burn.ts'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import {
  admit,
  countInPlaceOf,
  quantitiesOf,
  release,
  reserveLimits,
} from '../../src/ledger/entitlements/limits.ts'
import type { Counts, Entitlement } from '../../src/ledger/model/limits.ts'
import type { WalletOwner } from '../../src/ledger/model/vocabulary.ts'
import type { Hold } from '../../src/ledger/model/wallet.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { CUSTOMER, entitlement, hardEvents, rules, team, user } from '../support/entitlements.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { type EventOptions, eventItem, grant } from '../support/messages.ts'

const NOON = Date.UTC(2026, 2, 4, 12)
const MIDNIGHT = Date.UTC(2026, 2, 5)
const RICH = 1_000_000_000

function richLedger(...entitlements: Entitlement[]): MemoryLedger {
  const ledger = new MemoryLedger()
  ledger.credit(1, grant(RICH))
  ledger.entitlements.push(...entitlements)
  return ledger
}

/**
 * Returns a quantity for each entitlement: the used quantity in its latest window plus the quantity that open holds
 * reserve.
 */
function used(ledger: MemoryLedger, ...rows: Entitlement[]): (bigint | undefined)[] {
  return rows.map(({ counter }) => {
    const known = ledger.limitCounter(counter)
    return known && known.used + (known.reserved ?? 0n)
  })
}

function burnCode(ledger: MemoryLedger, now_ms: number, credits: number, options: EventOptions = {}): string {
  const outcome = ledger.burn(now_ms, eventItem(credits, options))
  return outcome.kind === 'refused' ? outcome.refusal.code : outcome.kind
}

describe('a feature', () => {
  const on = rules()
  const off = rules({ enabled: false })

  it.each<[string, [WalletOwner, typeof on][], 'done' | 'feature_disabled' | 'feature_not_enabled']>([
    ['without a row is allowed', [], 'done'],
    ["whose customer's row is off is not", [[CUSTOMER, off]], 'feature_disabled'],
    [
      "is what the user's row says before the team's and the customer's",
      [
        [CUSTOMER, off],
        [team('red'), off],
        [user('ann'), on],
      ],
      'done',
    ],
    [
      "is what the team's row says before the customer's",
      [
        [CUSTOMER, on],
        [team('red'), off],
      ],
      'feature_disabled',
    ],
    ['is not touched by a row of another user', [[user('bob'), off]], 'done'],
  ])('%s', (_, rows, expected) => {
    const ledger = richLedger(...rows.map(([owner, rule]) => entitlement(owner, rule)))
    const outcome = ledger.burn(NOON, eventItem(5, { user_id: 'ann', team_id: 'red' }))
    const said = outcome.kind === 'refused' ? outcome.refusal : outcome.kind
    expect(said).toEqual(
      expected === 'done' ? 'done' : { code: 'feature_not_allowed', feature_id: 'chat', reason: expected },
    )
  })

  it('without a row is refused where the default is to deny, and any row of its own allows it', () => {
    const deny = { ...CONTEXT, default_entitlement: 'deny' } as const
    const ledger = richLedger(entitlement(user('ann')))
    const allowed = (user_id: string) =>
      ledger.commit(NOON, (draft) =>
        admit(draft, { feature_id: 'chat', user_id }, NOTHING, deny.default_entitlement),
      )
    expect(allowed('ann').kind).toBe('admitted')
    expect(allowed('bob')).toMatchObject({ refusal: { reason: 'feature_not_enabled' } })
  })
})

const NOTHING = quantitiesOf({ credits_micro: 0n, price: 0n })

describe('a HARD limit', () => {
  it.each([
    ['credits', '100', 60, 40, 41],
    ['usd', String(100 * 1000), 60, 40, 41],
  ] as const)('of %s allows use up to exactly the limit', (unit, limit, first, exactly, more) => {
    // At 1,000 credits per USD, a micro-credit costs 1e-9 USD, which is 1,000 pico-USD. The limit of the unit
    // `usd` is a number of pico-USD.
    const row = entitlement(CUSTOMER, rules({ limit_type: 'HARD', limit, unit, period: 'DAILY' }))
    const ledger = richLedger(row)
    expect(burnCode(ledger, NOON, first)).toBe('done')
    expect(burnCode(ledger, NOON, more)).toBe('limit_reached')
    expect(burnCode(ledger, NOON, exactly)).toBe('done')
    expect(burnCode(ledger, NOON, 0)).toBe('done')
    expect(burnCode(ledger, NOON, 1)).toBe('limit_reached')
  })

  it('of tokens counts input and output totals, and parts not twice', () => {
    const row = entitlement(
      CUSTOMER,
      rules({ limit_type: 'HARD', limit: '100', unit: 'tokens', period: 'DAILY' }),
    )
    const ledger = richLedger(row)
    const usage = { input_tokens: 40, cache_read_tokens: 30, output_tokens: 30, output_reasoning_tokens: 20 }
    expect(burnCode(ledger, NOON, 1, { usage })).toBe('done')
    expect(used(ledger, row)).toEqual([70n])
    expect(burnCode(ledger, NOON, 1, { usage: { input_tokens: 31 } })).toBe('limit_reached')
    expect(burnCode(ledger, NOON, 1, { usage: { output_tokens: 30 } })).toBe('done')
  })

  it('of events counts one for each, free ones included', () => {
    const row = entitlement(CUSTOMER, hardEvents(2))
    const ledger = richLedger(row)
    expect([0, 5, 0].map((credits) => burnCode(ledger, NOON, credits))).toEqual([
      'done',
      'done',
      'limit_reached',
    ])
  })

  it('of 0 refuses everything', () => {
    const ledger = richLedger(entitlement(CUSTOMER, hardEvents(0)))
    expect(burnCode(ledger, NOON, 0)).toBe('limit_reached')
  })

  it('starts again exactly at midnight UTC', () => {
    const ledger = richLedger(entitlement(CUSTOMER, hardEvents(1)))
    expect(burnCode(ledger, NOON, 1)).toBe('done')
    expect(burnCode(ledger, MIDNIGHT - 1, 1)).toBe('limit_reached')
    expect(burnCode(ledger, MIDNIGHT, 1)).toBe('done')
  })

  it('from an anchor on the 31st starts again on the last day of February', () => {
    const row = entitlement(
      CUSTOMER,
      hardEvents(1, { period: 'MONTHLY', anchor_ms: Date.UTC(2026, 0, 31, 9) }),
    )
    const ledger = richLedger(row)
    expect(burnCode(ledger, Date.UTC(2026, 0, 31, 9), 1)).toBe('done')
    expect(burnCode(ledger, Date.UTC(2026, 1, 28, 9) - 1, 1)).toBe('limit_reached')
    expect(burnCode(ledger, Date.UTC(2026, 1, 28, 9), 1)).toBe('done')
    expect(burnCode(ledger, Date.UTC(2026, 2, 31, 9) - 1, 1)).toBe('limit_reached')
    expect(burnCode(ledger, Date.UTC(2026, 2, 31, 9), 1)).toBe('done')
  })

  it('of TOTAL never starts again', () => {
    const ledger = richLedger(entitlement(CUSTOMER, hardEvents(1, { period: 'TOTAL' })))
    expect(burnCode(ledger, NOON, 1)).toBe('done')
    expect(ledger.burn(Date.UTC(2099, 0, 1), eventItem(1))).toMatchObject({ refusal: { resets_at_ms: null } })
  })

  it('counts by arrival, for any time of the event', () => {
    const ledger = richLedger(entitlement(CUSTOMER, hardEvents(1)))
    expect(burnCode(ledger, NOON, 1, { timestamp_ms: NOON - 30 * 86_400_000 })).toBe('done')
    expect(burnCode(ledger, NOON, 1)).toBe('limit_reached')
  })

  it('names its subject, its used amount, and when it resets', () => {
    const ledger = richLedger(
      entitlement(CUSTOMER, rules({ limit_type: 'HARD', limit: '2500000', period: 'DAILY' })),
    )
    burnCode(ledger, NOON, 2_000_001)
    expect(ledger.burn(NOON, eventItem(500_000))).toEqual({
      kind: 'refused',
      refusal: {
        code: 'limit_reached',
        feature_id: 'chat',
        level: 'customer',
        unit: 'credits',
        limit: '2.5',
        used: '2.000001',
        needed: '0.5',
        resets_at_ms: MIDNIGHT,
      },
    })
  })

  it('counts beyond 2^53 exactly', () => {
    const row = entitlement(CUSTOMER, rules({ unit: 'usd', period: 'TOTAL' }))
    const ledger = richLedger(row)
    ledger.credit(2, grant(7_000_000_000_000_000))
    burnCode(ledger, NOON, 5_000_000_000_000_001)
    burnCode(ledger, NOON, 1_000_000_000_000_001)
    expect(used(ledger, row)).toEqual([6_000_000_000_000_002_000n])
  })
})

describe('SOFT limits and rows without one', () => {
  it('count and let everything pass', () => {
    const soft = entitlement(CUSTOMER, hardEvents(1, { limit_type: 'SOFT' }))
    const none = entitlement(user('ann'), rules({ unit: 'events', period: 'DAILY' }))
    const ledger = richLedger(soft, none)
    for (let i = 0; i < 3; i++) expect(burnCode(ledger, NOON, 1, { user_id: 'ann' })).toBe('done')
    expect(used(ledger, soft, none)).toEqual([3n, 3n])
  })

  it('a row without a period counts nothing and leaves no trace in entries', () => {
    const ledger = richLedger(entitlement(CUSTOMER))
    burnCode(ledger, NOON, 1)
    expect(ledger.entries.at(-1)).not.toHaveProperty('counted')
  })
})

describe('the budget tree', () => {
  function tree(limits: { user: number; team: number; customer: number }) {
    const rows = {
      customer: entitlement(CUSTOMER, hardEvents(limits.customer)),
      team: entitlement(team('red'), hardEvents(limits.team)),
      user: entitlement(user('ann'), hardEvents(limits.user)),
    }
    return { ...rows, ledger: richLedger(rows.customer, rows.team, rows.user) }
  }

  const ANN = { user_id: 'ann', team_id: 'red' }

  it("counts at every level: for all users of the customer, for the team's members, and for the user", () => {
    const { ledger, customer, ...rows } = tree({ user: 9, team: 9, customer: 9 })
    burnCode(ledger, NOON, 1, ANN)
    burnCode(ledger, NOON, 1, { user_id: 'bob', team_id: 'red' })
    burnCode(ledger, NOON, 1, { user_id: 'cid' })
    burnCode(ledger, NOON, 1)
    expect(used(ledger, rows.user, rows.team, customer)).toEqual([1n, 2n, 4n])
  })

  it.each([
    [{ user: 1, team: 1, customer: 1 }, 'user'],
    [{ user: 2, team: 1, customer: 1 }, 'team'],
    [{ user: 2, team: 2, customer: 1 }, 'customer'],
  ] as const)('of %j names the first exhausted limit and then counts at no level', (limits, level) => {
    const { ledger, customer, ...rows } = tree(limits)
    burnCode(ledger, NOON, 1, ANN)
    expect(ledger.burn(NOON, eventItem(1, ANN))).toMatchObject({ refusal: { code: 'limit_reached', level } })
    expect(used(ledger, rows.user, rows.team, customer)).toEqual([1n, 1n, 1n])
  })

  it('applies as a whole, for any paying wallet', () => {
    const { ledger } = tree({ user: 9, team: 9, customer: 1 })
    ledger.credit(2, grant(RICH, { owner: user('ann') }))
    expect(burnCode(ledger, NOON, 1, ANN)).toBe('done')
    expect(burnCode(ledger, NOON, 1, { user_id: 'bob' })).toBe('limit_reached')
  })

  it('of another feature is another tree', () => {
    const { ledger } = tree({ user: 1, team: 1, customer: 1 })
    expect(burnCode(ledger, NOON, 1, ANN)).toBe('done')
    expect(burnCode(ledger, NOON, 1, { ...ANN, feature_id: 'images' })).toBe('done')
  })
})

describe('only burned events are counted', () => {
  it('a replay, a reused key, and an event that cannot be paid', () => {
    const row = entitlement(CUSTOMER, hardEvents(9))
    const ledger = richLedger(row)
    expect(burnCode(ledger, NOON, 5, { key: 'k' })).toBe('done')
    expect(burnCode(ledger, NOON, 5, { key: 'k' })).toBe('replayed')
    expect(burnCode(ledger, NOON, 6, { key: 'k' })).toBe('idempotency_mismatch')
    expect(burnCode(ledger, NOON, RICH)).toBe('insufficient_credits')
    expect(used(ledger, row)).toEqual([1n])
  })

  it('an event that cannot be paid, also when it shares its commit with one that can', () => {
    const row = entitlement(CUSTOMER, hardEvents(9))
    const ledger = richLedger(row)
    const kinds = ledger.commit(NOON, (draft) =>
      [RICH + 1, 5].map((credits) => applyEvent(draft, eventItem(credits), CONTEXT).kind),
    )
    expect(kinds).toEqual(['refused', 'done'])
    expect(used(ledger, row)).toEqual([1n])
  })

  it('a limit that is reached leaves the key unused', () => {
    const ledger = richLedger(entitlement(CUSTOMER, hardEvents(1)))
    burnCode(ledger, NOON, 5)
    expect(burnCode(ledger, NOON, 5, { key: 'k' })).toBe('limit_reached')
    expect(burnCode(ledger, MIDNIGHT, 5, { key: 'k' })).toBe('done')
  })

  it('the counts of a dropped draft', () => {
    const row = entitlement(CUSTOMER, hardEvents(9))
    const ledger = richLedger(row)
    const dropped = () =>
      ledger.commit(NOON, (draft) => {
        const use = admit(draft, { feature_id: 'chat' }, NOTHING, 'allow')
        if (use.kind === 'admitted') reserveLimits(draft, use.meters)
        throw new Error('the disk is full')
      })
    expect(dropped).toThrow('the disk is full')
    expect(used(ledger, row)).toEqual([undefined])
  })
})

describe('a void', () => {
  function voidLast(ledger: MemoryLedger, now_ms: number): void {
    const entry = ledger.entries.findLast(({ type }) => type === 'BURN')
    if (!entry) throw new Error('nothing was burned')
    const movement = { type: 'VOID', past: pastEntry(entry) } as const
    const result = ledger.commit(now_ms, (draft) => applyMovement(draft, { movement }, CONTEXT.ids))
    expect(result.kind).toBe('done')
  }

  it('gives the use back in the window in which it was counted, at every level', () => {
    const rows = [
      entitlement(CUSTOMER, hardEvents(9)),
      entitlement(user('ann'), rules({ period: 'MONTHLY' })),
    ] as const
    const ledger = richLedger(...rows)
    burnCode(ledger, NOON, 70, { user_id: 'ann' })
    burnCode(ledger, NOON, 30, { user_id: 'ann' })
    voidLast(ledger, NOON + 1)
    expect(used(ledger, ...rows)).toEqual([1n, 70n])
  })

  it('gives nothing back to a later window', () => {
    const rows = [
      entitlement(CUSTOMER, hardEvents(9)),
      entitlement(user('ann'), hardEvents(9, { period: 'MONTHLY' })),
    ] as const
    const ledger = richLedger(...rows)
    burnCode(ledger, NOON, 5, { user_id: 'ann' })
    ledger.burn(MIDNIGHT, eventItem(5, { feature_id: 'images' }))
    const [first] = ledger.entries.filter(({ type }) => type === 'BURN')
    if (!first) throw new Error('nothing was burned')
    burnCode(ledger, MIDNIGHT, 5, { user_id: 'ann' })
    ledger.commit(MIDNIGHT, (draft) =>
      applyMovement(draft, { movement: { type: 'VOID', past: pastEntry(first) } }, CONTEXT.ids),
    )
    expect(used(ledger, ...rows)).toEqual([1n, 1n])
  })

  it('gives nothing back to a counter that an entitlement no longer has', () => {
    const row = entitlement(CUSTOMER, hardEvents(9))
    const ledger = richLedger(row)
    burnCode(ledger, NOON, 5)
    const other = entitlement(CUSTOMER, hardEvents(9))
    ledger.entitlements.splice(0, 1, other)
    burnCode(ledger, NOON, 5)
    voidLast(ledger, NOON)
    expect(used(ledger, other)).toEqual([0n])
  })

  it('a refund gives credits back, but no count', () => {
    const row = entitlement(CUSTOMER, hardEvents(9))
    const ledger = richLedger(row)
    burnCode(ledger, NOON, 50)
    const last = ledger.entries.at(-1)
    if (!last) throw new Error('nothing was burned')
    const movement = { type: 'REFUND', past: pastEntry(last), amount: microCredits(20) } as const
    ledger.commit(NOON, (draft) => applyMovement(draft, { movement }, CONTEXT.ids))
    expect(used(ledger, row)).toEqual([1n])
  })
})

describe('a hold', () => {
  const credits = (amount: number) => quantitiesOf({ credits_micro: BigInt(amount), price: 0n })
  const LIMITED = rules({ limit_type: 'HARD', limit: '100', period: 'DAILY' })

  function hold(now_ms: number): Hold {
    return {
      number: 1,
      feature_id: 'chat',
      user_id: 'ann',
      created_at_ms: now_ms,
      credits: microCredits(0),
      expires_at_ms: now_ms + 1,
      captured: microCredits(0),
      parts: [],
    }
  }

  function reserved(ledger: MemoryLedger, now_ms: number, amount: number): Hold | string {
    return ledger.commit(now_ms, (draft) => {
      // Changes the wallet, as a real hold does. A commit without changes would not be written.
      draft.change(ledger.walletOf())
      const opened = hold(now_ms)
      const use = admit(draft, opened, credits(amount), 'allow')
      return use.kind === 'admitted' ? { ...opened, ...reserveLimits(draft, use.meters) } : use.refusal.code
    })
  }

  /** Counts a captured amount against the limits, and reduces the hold's reservation by this amount. */
  function captured(ledger: MemoryLedger, now_ms: number, held: Hold, amount: number): Counts {
    return ledger.commit(now_ms, (draft) => {
      draft.change(ledger.walletOf())
      return countInPlaceOf(draft, held, credits(amount))
    })
  }

  function released(ledger: MemoryLedger, now_ms: number, held: Hold): void {
    ledger.commit(now_ms, (draft) => {
      draft.change(ledger.walletOf())
      release(draft, held)
    })
  }

  function held(ledger: MemoryLedger, amount: number): Hold {
    const outcome = reserved(ledger, NOON, amount)
    if (typeof outcome === 'string') throw new Error(outcome)
    return outcome
  }

  it('reserves its limits, and other burns see it', () => {
    const ledger = richLedger(entitlement(CUSTOMER, LIMITED))
    held(ledger, 60)
    expect(burnCode(ledger, NOON, 41)).toBe('limit_reached')
    expect(reserved(ledger, NOON, 41)).toBe('limit_reached')
    expect(burnCode(ledger, NOON, 40)).toBe('done')
  })

  it('gives its whole reservation back when it is released', () => {
    const row = entitlement(CUSTOMER, LIMITED)
    const ledger = richLedger(row)
    released(ledger, NOON, held(ledger, 60))
    expect(used(ledger, row)).toEqual([0n])
  })

  it('counts each captured part in place of its reservation', () => {
    const row = entitlement(CUSTOMER, LIMITED)
    const ledger = richLedger(row)
    const opened = held(ledger, 60)
    captured(ledger, NOON, opened, 25)
    expect(used(ledger, row)).toEqual([60n])
    const second = captured(ledger, NOON, opened, 25)
    expect(used(ledger, row)).toEqual([60n])
    released(ledger, NOON, opened)
    expect(used(ledger, row)).toEqual([50n])
    expect(second.counted).toEqual([[row.counter, Date.UTC(2026, 2, 4), 25]])
  })

  it('captures above its limit, because captured usage was already consumed', () => {
    const row = entitlement(CUSTOMER, LIMITED)
    const ledger = richLedger(row)
    const opened = held(ledger, 60)
    captured(ledger, NOON, opened, 130)
    expect(used(ledger, row)).toEqual([130n])
    expect(opened.reserves?.filter(([counter]) => counter === row.counter)).toEqual([])
  })

  it('continues to reserve in the next window, so that a HARD limit of 100 allows exactly 100', () => {
    const row = entitlement(CUSTOMER, LIMITED)
    const ledger = richLedger(row)
    const opened = held(ledger, 60)
    expect(burnCode(ledger, MIDNIGHT, 41, { user_id: 'ann' })).toBe('limit_reached')
    captured(ledger, MIDNIGHT, opened, 30)
    expect(used(ledger, row)).toEqual([60n])
    expect(burnCode(ledger, MIDNIGHT, 41)).toBe('limit_reached')
    released(ledger, MIDNIGHT, opened)
    expect(used(ledger, row)).toEqual([30n])
    expect(burnCode(ledger, MIDNIGHT, 70)).toBe('done')
  })

  it('that was opened before reservations counted in every window still gives its reservation back', () => {
    const row = entitlement(CUSTOMER, LIMITED)
    const ledger = richLedger(row)
    burnCode(ledger, NOON, 60)
    const opened: Hold = { ...hold(NOON), limits: [[row.counter, Date.UTC(2026, 2, 4), 60]] }
    captured(ledger, NOON, opened, 25)
    expect(used(ledger, row)).toEqual([60n])
    released(ledger, NOON, opened)
    expect(used(ledger, row)).toEqual([25n])
  })
})
