import fc from 'fast-check'
import { applyEvent } from '../../src/ledger/burns/burn.ts'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import type { Draft } from '../../src/ledger/commit/draft.ts'
import { applyCredit } from '../../src/ledger/credits/credit.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import { applyHold } from '../../src/ledger/holds/holds.ts'
import type { Entry } from '../../src/ledger/model/journal.ts'
import type { Movement } from '../../src/ledger/model/messages/credits.ts'
import type { HoldRequest } from '../../src/ledger/model/messages/holds.ts'
import type { WalletItemRef, WalletOwner } from '../../src/ledger/model/vocabulary.ts'
import { MAX_MICRO_CREDITS, microCredits } from '../../src/pricing/money.ts'
import { CONTEXT, type MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant } from '../support/messages.ts'

/**
 * Generates random ledger histories with all operations that move credits, in any order. A commit has one or several
 * operations.
 */

export type Op =
  | { op: 'credit'; owner: WalletOwner; amount: number; paid: boolean; expires_in_ms: number | null }
  | { op: 'event'; amount: number; owner: WalletOwner; hold: number | null }
  | { op: 'transfer'; from: WalletOwner; to: WalletOwner; amount: number }
  | { op: 'adjust'; owner: WalletOwner; amount: number }
  | { op: 'overdraft'; owner: WalletOwner; limit: number }
  | { op: 'void'; of: number }
  | { op: 'refund'; of: number; amount: number | null }
  | { op: 'hold'; owner: WalletOwner; credits: number; lifetime_ms: number }
  | { op: 'capture'; hold: number; credits: number; final: boolean }
  | { op: 'release'; hold: number }

export interface Step {
  readonly by_ms: number
  /** The operations that share one commit. */
  readonly ops: readonly Op[]
}

export const MINUTE = 60_000

const owner = fc.constantFrom<WalletOwner>(
  { kind: 'customer' },
  { kind: 'customer' },
  { kind: 'user', id: 'ann' },
  { kind: 'team', id: 'red' },
)
const amount = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(1, 3, 10, 30, 100) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 1, arbitrary: fc.constantFrom(MAX_MICRO_CREDITS, MAX_MICRO_CREDITS - 1) },
)
/** Generates a pick of an item, counted from the newest: 0 is the newest item. */
const nth = fc.nat(5)

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('credit' as const),
      owner,
      amount,
      paid: fc.boolean(),
      expires_in_ms: fc.constantFrom(null, null, 1, MINUTE, 5 * MINUTE),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('event' as const),
      amount: fc.oneof(fc.constant(0), amount),
      owner,
      hold: fc.option(nth, { freq: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('transfer' as const), from: owner, to: owner, amount }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('adjust' as const),
      owner,
      amount: fc.tuple(amount, fc.boolean()).map(([size, out]) => (out ? -size : size)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('overdraft' as const),
      owner,
      limit: fc.oneof(fc.constant(0), amount),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('void' as const), of: nth }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('refund' as const),
      of: nth,
      amount: fc.option(amount, { freq: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('hold' as const),
      owner,
      credits: amount,
      lifetime_ms: fc.constantFrom(1, MINUTE, 10 * MINUTE),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('capture' as const),
      hold: nth,
      credits: fc.oneof(fc.constant(0), amount),
      final: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('release' as const), hold: nth }) },
)

const step: fc.Arbitrary<Step> = fc.record({
  by_ms: fc.constantFrom(0, 0, 1, MINUTE, 6 * MINUTE),
  ops: fc.oneof(
    { weight: 3, arbitrary: op.map((one) => [one]) },
    fc.array(op, { minLength: 2, maxLength: 4 }),
  ),
})
export const lives = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' })

export interface World {
  readonly ledger: MemoryLedger
  /** All holds that were ever opened, including ended ones, newest first. */
  readonly holds: WalletItemRef[]
  /**
   * The credits that refunds and voids have returned to the wallet for each burn, or taken back for each purchase, by
   * entry number.
   */
  readonly givenBack: Map<number, number>
}

/**
 * Applies an operation, and returns whether the ledger accepts it. A refusal is an expected result, but an exception is
 * an error.
 */
export function apply({ holds, givenBack }: World, past: readonly Entry[], draft: Draft, what: Op): boolean {
  switch (what.op) {
    case 'credit': {
      const { owner, paid, expires_in_ms } = what
      const expires_at_ms = expires_in_ms === null ? null : draft.at_ms + expires_in_ms
      const message = grant(what.amount, {
        owner,
        expires_at_ms,
        ...(paid && { type: 'PURCHASE', lot_kind: 'paid', price: { micro: 7, pico: 3 } }),
      })
      return applyCredit(draft, message).kind === 'done'
    }
    case 'event': {
      const hold = what.hold === null ? undefined : holds[what.hold]
      const item = eventItem(what.amount, { ...subjectOf(what.owner), ...(hold && { hold }) })
      return applyEvent(draft, item, CONTEXT).kind === 'done'
    }
    case 'void':
    case 'refund': {
      const burns = past.filter(
        ({ type }) => type === 'BURN' || (what.op === 'refund' && type === 'PURCHASE'),
      )
      const entry = burns.at(-1 - what.of)
      if (!entry) return false
      const before = draft.records.length
      const movement: Movement =
        what.op === 'void'
          ? { type: 'VOID', past: pastEntry(entry) }
          : {
              type: 'REFUND',
              past: pastEntry(entry),
              amount: what.amount === null ? null : microCredits(what.amount),
            }
      const done = applyMovement(draft, { movement }, CONTEXT.ids).kind === 'done'
      for (const record of draft.records.slice(before)) {
        if (record.kind !== 'entry' || (record.type !== 'VOID' && record.type !== 'REFUND')) continue
        givenBack.set(entry.number, (givenBack.get(entry.number) ?? 0) + Math.abs(record.amount))
      }
      return done
    }
    case 'hold': {
      const { owner, credits, lifetime_ms } = what
      const size = { kind: 'credits', credits: microCredits(credits) } as const
      const request: HoldRequest = { op: 'open', feature_id: 'f', ...subjectOf(owner), lifetime_ms, size }
      const result = applyHold(draft, { request }, CONTEXT)
      if (result.kind !== 'done' || result.of !== 'hold') return false
      const { number, wallet, created_at_ms } = result.answer.hold
      holds.unshift({ number, wallet, created_at_ms })
      return true
    }
    case 'capture':
    case 'release': {
      const hold = holds[what.hold]
      if (!hold) return false
      const request: HoldRequest =
        what.op === 'release'
          ? { op: 'release', hold }
          : {
              op: 'capture',
              hold,
              final: what.final,
              what: { kind: 'credits', credits: microCredits(what.credits) },
            }
      return applyHold(draft, { request }, CONTEXT).kind === 'done'
    }
    default:
      return applyMovement(draft, { movement: movementOf(what) }, CONTEXT.ids).kind === 'done'
  }
}

function movementOf(what: Op & { op: 'transfer' | 'adjust' | 'overdraft' }): Movement {
  switch (what.op) {
    case 'transfer':
      return { type: 'TRANSFER', from: what.from, to: what.to, amount: microCredits(what.amount) }
    case 'adjust':
      return { type: 'ADJUSTMENT', owner: what.owner, amount: microCredits(what.amount), reason: 'r' }
    case 'overdraft':
      return { type: 'OVERDRAFT', owner: what.owner, limit: microCredits(what.limit) }
  }
}

function subjectOf(owner: WalletOwner): { user_id?: string; team_id?: string } {
  if (owner.kind === 'customer') return {}
  return owner.kind === 'user' ? { user_id: owner.id } : { team_id: owner.id }
}
