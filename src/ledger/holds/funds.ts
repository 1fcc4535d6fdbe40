import { lesser, MAX_MICRO_CREDITS, type MicroCredits, microCredits, picoUsd } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { release } from '../entitlements/limits.ts'
import { type LotPart, lotPart, paidOf } from '../model/lots.ts'
import type { PricedEvent, WalletItemRef } from '../model/vocabulary.ts'
import {
  type Hold,
  type HoldState,
  type HoldStatus,
  remaining,
  spendable,
  type Wallet,
} from '../model/wallet.ts'
import { expireFreed, releaseParts, take, takeReserved } from '../wallets/funds.ts'

/** Captures and closes holds, for hold requests, events that settle a hold, calls through the gateway, and expiries. */

/** Returns the hold that a reference names; undefined if the hold is closed or never existed. */
export function findHold(wallet: Wallet, ref: WalletItemRef): Hold | undefined {
  return wallet.holds.find((hold) => hold.number === ref.number && hold.created_at_ms === ref.created_at_ms)
}

/** Returns the hold that a reference names. Throws if the hold is not open. */
export function heldBy(wallet: Wallet, ref: WalletItemRef): Hold {
  const hold = findHold(wallet, ref)
  if (!hold) throw new Error(`hold ${ref.number} is not open`)
  return hold
}

/** Reports whether a hold was opened for the user and the team of an event. */
export function isOfSubjects(
  { user_id, team_id }: Hold,
  event: { readonly user_id?: string | undefined; readonly team_id?: string | undefined },
): boolean {
  return user_id === event.user_id && team_id === event.team_id
}

/**
 * Returns the event of a call with the user and the team of its hold. They differ from those of the event if the user or
 * the team was erased while the call ran. The erased id and the metadata must then not be written again.
 */
export function withSubjectsOf(hold: Hold, event: PricedEvent): PricedEvent {
  if (isOfSubjects(hold, event)) return event
  const { user_id, team_id } = hold
  const { user_id: _user, team_id: _team, metadata: _metadata, ...rest } = event
  return { ...rest, ...(user_id !== undefined && { user_id }), ...(team_id !== undefined && { team_id }) }
}

export interface Captured {
  readonly amount: MicroCredits
  readonly lots: readonly LotPart[]
  /**
   * The requested amount that could not be taken. It is a bigint because a request can exceed the credits of any
   * wallet.
   */
  readonly shortfall_micro: bigint
}

/**
 * Takes credits from a hold, then from unreserved credits and the unused overdraft, as far as they suffice. Returns a
 * shortfall instead of failing, because a capture pays for usage that has already happened. All captures of a hold
 * together take at most `MAX_MICRO_CREDITS`.
 */
export function captureParts(draft: Draft, wallet: Wallet, hold: Hold, wanted_micro: bigint): Captured {
  const bounded = BigInt(lesser(wanted_micro, microCredits(MAX_MICRO_CREDITS - hold.captured)))
  // Reads the spendable credits before taking any, because the balance changes only when the entry is appended.
  const beyond = spendable(wallet)
  const from_hold = lesser(bounded, remaining(hold))
  const { taken, left } = takeReserved(draft, wallet, hold.parts, from_hold)
  hold.parts = left
  const above = lesser(bounded - BigInt(from_hold), beyond)
  const lots = merge([...taken, ...take(draft, wallet, above)])
  const amount = microCredits(from_hold + above)
  hold.captured = microCredits(hold.captured + amount)
  return { amount, lots, shortfall_micro: wanted_micro - BigInt(amount) }
}

/**
 * Closes a hold, and releases the credits that it still reserves. Credits that would have expired without the hold
 * expire at once.
 */
export function endHold(draft: Draft, wallet: Wallet, hold: Hold, status: HoldStatus): HoldState {
  const { parts } = hold
  const state = closeHold(draft, wallet, hold, status)
  expireFreed(draft, wallet, releaseParts(wallet, parts), draft.at_ms, hold.created_at_ms)
  return state
}

export function holdState(wallet: Wallet, hold: Hold, status: HoldStatus): HoldState {
  const {
    parts: _parts,
    limits: _limits,
    reserves: _reserves,
    key_id: _key,
    model: _model,
    call: _call,
    ...kept
  } = hold
  return {
    ...kept,
    wallet: wallet.number,
    status,
    remaining: status === 'open' ? remaining(hold) : microCredits(0),
  }
}

/**
 * Removes a hold from its wallet, releases the quantities that it reserves in limits, and records how it ended. The
 * caller must release the credits that the hold still reserves.
 */
export function closeHold(draft: Draft, wallet: Wallet, hold: Hold, status: HoldStatus): HoldState {
  wallet.holds.splice(wallet.holds.indexOf(hold), 1)
  release(draft, hold)
  const state = holdState(wallet, hold, status)
  draft.record({ kind: 'hold', at_ms: draft.at_ms, hold: state })
  return state
}

/** Merges the parts of each lot into one part. */
function merge(parts: readonly LotPart[]): LotPart[] {
  const sums = new Map<number, LotPart>()
  for (const part of parts) {
    const [lot, amount] = part
    const sum = sums.get(lot)
    sums.set(lot, sum ? lotPart(lot, sum[1] + amount, picoUsd(paidOf(sum) + paidOf(part))) : part)
  }
  return [...sums.values()]
}
