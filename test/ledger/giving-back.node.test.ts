import { describe, expect, it } from 'vitest'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import { applyHold } from '../../src/ledger/holds/holds.ts'
import type { HoldRequest } from '../../src/ledger/model/messages/holds.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { DAY_MS } from '../../src/time/durations.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant } from '../support/messages.ts'

/** Tests that after a void, the wallet has the same state as without the burn. */

const START = Date.UTC(2027, 0, 31, 12)
const FEBRUARY = Date.UTC(2027, 1, 28, 12)
const CUSTOMER = { kind: 'customer' } as const

function monthly(ledger: MemoryLedger, credits: number, rollover_max: number): void {
  ledger.credit(
    START,
    grant(credits, { recurring: { every: 'month', rollover_max: microCredits(rollover_max) } }),
  )
}

/** Burns credits, and returns the burn's entry in the form that a void needs. */
function burn(ledger: MemoryLedger, at_ms: number, credits: number) {
  const outcome = ledger.burn(at_ms, eventItem(credits))
  if (outcome.kind === 'refused') throw new Error(outcome.refusal.code)
  return pastEntry(outcome.entry)
}

function voidBurn(ledger: MemoryLedger, at_ms: number, past: ReturnType<typeof burn>) {
  const movement = { type: 'VOID', past } as const
  return ledger.commit(at_ms, (draft) => applyMovement(draft, { movement }, CONTEXT.ids))
}

function hold(ledger: MemoryLedger, at_ms: number, request: HoldRequest) {
  return ledger.commit(at_ms, (draft) => applyHold(draft, { request }, CONTEXT))
}

describe('a void', () => {
  it('of a burn from a lot that has expired repays no overdraft: the credits return expired', () => {
    const ledger = new MemoryLedger()
    ledger.credit(START, grant(100, { expires_at_ms: START + 3_000 }))
    const past = burn(ledger, START + 1, 100)
    ledger.commit(START + 2, (draft) =>
      applyMovement(
        draft,
        { movement: { type: 'OVERDRAFT', owner: CUSTOMER, limit: microCredits(100) } },
        CONTEXT.ids,
      ),
    )
    burn(ledger, START + 4_000, 100)
    expect(voidBurn(ledger, START + 5_000, past)).toMatchObject({
      answer: { balance_after: -100, returned_expired: 100 },
    })
    expect(ledger.walletOf()).toMatchObject({ balance: -100, overdrawn: 100, lots: [] })
  })

  it('after a rollover that keeps nothing returns nothing', () => {
    const ledger = new MemoryLedger()
    monthly(ledger, 100, 0)
    const past = burn(ledger, START + 1, 10)
    expect(voidBurn(ledger, FEBRUARY + 1, past)).toMatchObject({
      answer: { balance_after: 100, returned_expired: 10 },
    })
  })

  it.each([
    { rollover_max: 95, burned: 10, expired: 5 },
    { rollover_max: 50, burned: 10, expired: 10 },
    { rollover_max: 50, burned: 80, expired: 50 },
    { rollover_max: 100, burned: 100, expired: 0 },
    { rollover_max: 30, burned: 100, expired: 70 },
  ])(
    'after a rollover of at most $rollover_max returns the part of $burned that the rollover would have kept',
    ({ rollover_max, burned, expired }) => {
      const ledger = new MemoryLedger()
      monthly(ledger, 100, rollover_max)
      const past = burn(ledger, START + 1, burned)
      const voided = voidBurn(ledger, FEBRUARY + 1, past)
      // The wallet has the same balance as without the burn: the credits that the rollover keeps, plus the 100 credits
      // of the new grant.
      expect(ledger.walletOf().balance).toBe(rollover_max + 100)
      expect(voided).toHaveProperty('answer.balance_after', rollover_max + 100)
      if (expired > 0) expect(voided).toHaveProperty('answer.returned_expired', expired)
      else expect(voided).not.toHaveProperty('answer.returned_expired')
    },
  )

  it('uses the room of a rollover once', () => {
    const ledger = new MemoryLedger()
    monthly(ledger, 100, 50)
    const [first, second] = [burn(ledger, START + 1, 40), burn(ledger, START + 2, 40)]
    voidBurn(ledger, FEBRUARY + 1, first)
    voidBurn(ledger, FEBRUARY + 2, second)
    expect(ledger.walletOf().balance).toBe(150)
  })

  it('of a burn after the rollover returns all of it', () => {
    const ledger = new MemoryLedger()
    monthly(ledger, 100, 50)
    const past = burn(ledger, FEBRUARY + 1, 120)
    voidBurn(ledger, FEBRUARY + 2, past)
    expect(ledger.walletOf().balance).toBe(150)
  })

  it('remembers the rollovers of a grant that was stopped', () => {
    const ledger = new MemoryLedger()
    monthly(ledger, 100, 0)
    const past = burn(ledger, START + 1, 10)
    const [granted] = ledger.walletOf().recurring
    if (!granted) throw new Error('the grant does not recur')
    const { number, created_at_ms } = granted
    ledger.commit(FEBRUARY + DAY_MS, (draft) =>
      applyMovement(
        draft,
        { movement: { type: 'STOP_RECURRING', grant: { number, created_at_ms, wallet: 1 } } },
        CONTEXT.ids,
      ),
    )
    expect(voidBurn(ledger, FEBRUARY + 2 * DAY_MS, past)).toMatchObject({ answer: { returned_expired: 10 } })
  })
})

describe('a hold that spans a rollover', () => {
  it('frees at most the amount that the rollover would have kept', () => {
    const ledger = new MemoryLedger()
    monthly(ledger, 100, 20)
    const opened = hold(ledger, START + 1, {
      op: 'open',
      feature_id: 'chat',
      lifetime_ms: 60 * DAY_MS,
      size: { kind: 'credits', credits: microCredits(90) },
    })
    if (opened.kind === 'refused' || opened.of !== 'hold') throw new Error('the hold was refused')
    const { number, created_at_ms } = opened.answer.hold
    hold(ledger, FEBRUARY + 1, { op: 'release', hold: { number, created_at_ms, wallet: 1 } })
    // The rollover keeps at most 20 credits. It has already kept the 10 unreserved credits, so it keeps only 10 of the
    // 90 released credits.
    expect(ledger.walletOf().balance).toBe(120)
  })
})
