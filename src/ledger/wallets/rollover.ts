import { type MicroCredits, microCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import type { Lot } from '../model/lots.ts'
import type { Rollover, Wallet } from '../model/wallet.ts'

/**
 * Returns the part of a returned `amount` that would have expired if it had stayed in its lot since `since_ms`. If the
 * lot has expired, this is the whole amount. Otherwise, it is the part that exceeds the smallest `room` of the
 * rollovers after `since_ms`. Subtracts the rest of the amount from the `room` of each of these rollovers.
 */
export function lapsed(
  wallet: Wallet,
  lot: Pick<Lot, 'expires_at_ms' | 'recurring'>,
  amount: MicroCredits,
  since_ms: number,
  now_ms: number,
): MicroCredits {
  if (lot.expires_at_ms !== null && lot.expires_at_ms <= now_ms) return amount
  const rollovers = lot.recurring === undefined ? undefined : wallet.rollovers?.[lot.recurring]
  if (lot.recurring === undefined || !rollovers) return ZERO_CREDITS
  const kept = rollovers.reduce<number>(
    (most, { at_ms, room }) => (at_ms > since_ms ? Math.min(most, room) : most),
    amount,
  )
  wallet.rollovers = {
    ...wallet.rollovers,
    [lot.recurring]: rollovers.map(({ at_ms, room }) => ({
      at_ms,
      room: at_ms > since_ms ? microCredits(room - kept) : room,
    })),
  }
  return microCredits(amount - kept)
}

/** The maximum number of rollovers that are kept for a grant. Above it, the two oldest rollovers are merged. */
const MAX_ROLLOVERS = 32
/**
 * The maximum number of grants whose rollovers a wallet keeps. Above it, the rollovers of the oldest grant are
 * deleted.
 */
const MAX_GRANTS_ROLLED_OVER = 100

/**
 * Adds a rollover of a grant. Deletes earlier rollovers with at least as much room, because they have no further
 * effect.
 */
export function recordRollover(wallet: Wallet, grant: number, rollover: Rollover): void {
  const [first, second, ...others] = (wallet.rollovers?.[grant] ?? []).filter(
    ({ room }) => room < rollover.room,
  )
  const tighter =
    first && second && others.length + 2 >= MAX_ROLLOVERS
      ? [{ at_ms: second.at_ms, room: first.room }, ...others]
      : [first, second, ...others].filter((kept) => kept !== undefined)
  // Integer keys of an object are in ascending order, so the oldest grants are first.
  const rollovers: Wallet['rollovers'] = { ...wallet.rollovers, [grant]: [...tighter, rollover] }
  const grants = Object.entries(rollovers)
  wallet.rollovers = Object.fromEntries(grants.slice(-MAX_GRANTS_ROLLED_OVER))
}
