import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { checkUse } from '../../src/ledger/entitlements/check.ts'
import type { CheckAnswer } from '../../src/ledger/model/answers.ts'
import { ENTITLEMENT_PERIODS, type Entitlement, LIMIT_UNITS } from '../../src/ledger/model/limits.ts'
import type { IngestItem } from '../../src/ledger/model/messages/events.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { CUSTOMER, entitlement, hardEvents, rules, team, user } from '../support/entitlements.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant } from '../support/messages.ts'

const NOON = Date.UTC(2026, 2, 4, 12)
const MIDNIGHT = Date.UTC(2026, 2, 5)

function checkOf(ledger: MemoryLedger, now_ms: number, { event }: IngestItem): CheckAnswer {
  if (!event) throw new Error('a check of no event')
  const result = ledger.look(now_ms, (draft) => checkUse(draft, { subject: event, event }, CONTEXT))
  if (result.kind === 'refused') throw new Error(result.refusal.code)
  return result.answer
}

function checkWithout(ledger: MemoryLedger, now_ms: number): CheckAnswer {
  const question = { subject: { feature_id: 'chat' }, event: null }
  const result = ledger.look(now_ms, (draft) => checkUse(draft, question, CONTEXT))
  if (result.kind === 'refused') throw new Error(result.refusal.code)
  return result.answer
}

function ledgerWith(credits: number, ...rows: Entitlement[]): MemoryLedger {
  const ledger = new MemoryLedger()
  if (credits > 0) ledger.credit(1, grant(credits))
  ledger.entitlements.push(...rows)
  return ledger
}

describe('the reason of a check', () => {
  const OFF = entitlement(
    CUSTOMER,
    rules({ enabled: false, limit_type: 'HARD', limit: '0', period: 'DAILY' }),
  )
  const FULL = entitlement(CUSTOMER, hardEvents(0))

  it.each<[string, MemoryLedger, number, Partial<CheckAnswer>]>([
    ['null when nothing is in the way', ledgerWith(1000), 10, { allowed: true, reason: null }],
    [
      'feature_disabled before limits and credits',
      ledgerWith(0, OFF),
      10,
      { allowed: false, reason: 'feature_disabled' },
    ],
    ['limit_reached before credits', ledgerWith(0, FULL), 10, { allowed: false, reason: 'limit_reached' }],
    ['insufficient_credits', ledgerWith(9), 10, { allowed: false, reason: 'insufficient_credits' }],
    [
      'soft_limit_reached before low_credits, and allowed',
      ledgerWith(10, entitlement(CUSTOMER, hardEvents(0, { limit_type: 'SOFT' }))),
      10,
      { allowed: true, reason: 'soft_limit_reached' },
    ],
    [
      'low_credits when less than ten more would be left',
      ledgerWith(109),
      10,
      { allowed: true, reason: 'low_credits' },
    ],
    [
      'not low_credits when exactly ten more would be left',
      ledgerWith(110),
      10,
      { allowed: true, reason: null },
    ],
    ['not low_credits for what costs nothing', ledgerWith(0), 0, { allowed: true, reason: null }],
  ])('is %s', (_, ledger, credits, expected) => {
    expect(checkOf(ledger, NOON, eventItem(credits))).toMatchObject(expected)
  })

  it('is feature_not_enabled if no entitlement allows it and the default is to deny', () => {
    const deny = { ...CONTEXT, default_entitlement: 'deny' } as const
    const question = { subject: { feature_id: 'chat' }, event: null }
    const result = ledgerWith(9).look(NOON, (draft) => checkUse(draft, question, deny))
    expect(result).toMatchObject({ answer: { allowed: false, reason: 'feature_not_enabled', limit: null } })
  })
})

describe('the limit of a check', () => {
  it('is the one that is reached, with its values before the action', () => {
    const ledger = ledgerWith(
      1000,
      entitlement(CUSTOMER, hardEvents(9)),
      entitlement(user('ann'), hardEvents(1)),
    )
    ledger.burn(NOON, eventItem(1, { user_id: 'ann' }))
    expect(checkOf(ledger, NOON, eventItem(1, { user_id: 'ann' })).limit).toMatchObject({
      level: 'user',
      unit: 'events',
      value: '1',
      used: '1',
      remaining: '0',
      period: 'DAILY',
      resets_at_ms: MIDNIGHT,
    })
  })

  it('is the limit with the smallest remaining share, in any unit, if none is reached', () => {
    const ledger = ledgerWith(
      1_000_000_000,
      entitlement(CUSTOMER, rules({ limit_type: 'HARD', limit: '1000', unit: 'credits', period: 'TOTAL' })),
      entitlement(user('ann'), hardEvents(10)),
    )
    ledger.burn(NOON, eventItem(150, { user_id: 'ann' }))
    expect(checkOf(ledger, NOON, eventItem(1, { user_id: 'ann' })).limit).toMatchObject({
      level: 'customer',
      value: '0.001',
      used: '0.00015',
      remaining: '0.00085',
      resets_at_ms: null,
    })
    ledger.burn(NOON, eventItem(0, { user_id: 'ann' }))
    expect(checkOf(ledger, NOON, eventItem(1, { user_id: 'ann' })).limit).toMatchObject({ level: 'user' })
  })

  it('never has a negative remainder', () => {
    const ledger = ledgerWith(1000, entitlement(CUSTOMER, hardEvents(1, { limit_type: 'SOFT' })))
    for (let i = 0; i < 3; i++) ledger.burn(NOON, eventItem(1))
    expect(checkOf(ledger, NOON, eventItem(1)).limit).toMatchObject({ used: '3', remaining: '0' })
  })

  it('is null where no limit applies', () => {
    expect(
      checkOf(ledgerWith(9, entitlement(CUSTOMER, rules({ period: 'DAILY' }))), NOON, eventItem(1)).limit,
    ).toBeNull()
  })
})

describe('a check without an action', () => {
  it('requires room for the smallest quantity of a limit', () => {
    const ledger = ledgerWith(
      1000,
      entitlement(CUSTOMER, rules({ limit_type: 'HARD', limit: '100', period: 'DAILY' })),
    )
    ledger.burn(NOON, eventItem(99))
    expect(checkWithout(ledger, NOON)).toMatchObject({ allowed: true, credits_micro: '0', price_pico: '0' })
    ledger.burn(NOON, eventItem(1))
    expect(checkWithout(ledger, NOON)).toMatchObject({ allowed: false, reason: 'limit_reached' })
  })

  it('requires no credits, and reports when none are available', () => {
    expect(checkWithout(ledgerWith(0), NOON)).toMatchObject({ allowed: true, reason: 'low_credits' })
    expect(checkWithout(ledgerWith(1), NOON)).toMatchObject({ allowed: true, reason: null })
  })
})

it('a check applies due items in its result, and changes nothing', () => {
  const ledger = new MemoryLedger()
  ledger.credit(1, grant(100, { expires_at_ms: NOON }))
  expect(checkOf(ledger, NOON - 1, eventItem(100))).toMatchObject({ allowed: true })
  expect(checkOf(ledger, NOON, eventItem(100))).toMatchObject({ allowed: false, balance: 0 })
  expect(ledger.entries).toHaveLength(1)
})

const owner = fc.constantFrom(CUSTOMER, user('ann'), user('bob'), team('red'))
const row = fc
  .record({
    owner,
    limit_type: fc.constantFrom('HARD' as const, 'HARD' as const, 'SOFT' as const, 'NONE' as const),
    unit: fc.constantFrom(...LIMIT_UNITS),
    period: fc.option(fc.constantFrom(...ENTITLEMENT_PERIODS), { freq: 6 }),
    time_zone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu'),
    anchor_ms: fc.option(fc.constant(Date.UTC(2026, 0, 31, 9))),
    limit: fc.integer({ min: 0, max: 400 }),
    enabled: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  })
  .map(({ owner, limit, ...rule }) =>
    entitlement(owner, {
      ...rule,
      ...(rule.period === 'ROLLING' && { rolling: { hours: 24 } }),
      // Scales the limit by its unit, so that a few events reach any limit.
      limit: String(
        rule.unit === 'usd' ? limit * 1000 : rule.unit === 'events' ? Math.ceil(limit / 40) : limit,
      ),
    }),
  )
const event = fc.record({
  wait_ms: fc.constantFrom(0, 0, 1, 3_600_000, 86_400_000),
  credits: fc.constantFrom(0, 1, 7, 50, 100),
  tokens: fc.constantFrom(0, 10, 120),
  user_id: fc.constantFrom(undefined, 'ann', 'bob'),
  team_id: fc.constantFrom(undefined, 'red'),
})

it('a check predicts the result of the burn for every event', () => {
  const { seed, runs } = inject('fuzz')
  fc.assert(
    fc.property(
      fc.uniqueArray(row, { maxLength: 4, selector: ({ owner }) => JSON.stringify(owner) }),
      fc.integer({ min: 0, max: 600 }),
      fc.array(event, { minLength: 1, maxLength: 15 }),
      (rows, credits, events) => {
        const ledger = ledgerWith(credits, ...rows)
        let now_ms = NOON
        for (const { wait_ms, credits, tokens, user_id, team_id } of events) {
          now_ms += wait_ms
          const item = eventItem(credits, {
            usage: { input_tokens: tokens },
            ...(user_id !== undefined && { user_id }),
            ...(team_id !== undefined && { team_id }),
          })
          const answer = checkOf(ledger, now_ms, item)
          const balance = ledger.walletOf().balance
          const outcome = ledger.burn(now_ms, item)
          expect(answer.allowed).toBe(outcome.kind === 'done')
          expect(answer.balance).toBe(balance)
          if (outcome.kind !== 'refused') {
            expect(answer.credits_micro).toBe(String(0 - outcome.entry.amount))
            expect(['soft_limit_reached', 'low_credits', null]).toContain(answer.reason)
            continue
          }
          const { refusal } = outcome
          expect(answer.reason).toBe(refusal.code === 'feature_not_allowed' ? refusal.reason : refusal.code)
          if (refusal.code === 'limit_reached') {
            const { level, unit, limit, used, resets_at_ms } = refusal
            expect(answer.limit).toMatchObject({ level, unit, value: limit, used, resets_at_ms })
          }
        }
        expect(ledger.walletOf().balance).toBeGreaterThanOrEqual(microCredits(0))
      },
    ),
    { numRuns: runs ?? 1000, ...(seed !== undefined && { seed }) },
  )
}, 60_000)
