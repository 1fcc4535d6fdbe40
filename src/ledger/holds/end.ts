import { microCredits } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { release } from '../entitlements/limits.ts'
import type { HoldState, HoldStatus } from '../model/holds.ts'
import { type Hold, remaining, type Wallet } from '../model/wallet.ts'

export function holdState(wallet: Wallet, hold: Hold, status: HoldStatus): HoldState {
  const { parts: _parts, limits: _limits, ...kept } = hold
  return {
    ...kept,
    wallet: wallet.number,
    status,
    remaining: status === 'open' ? remaining(hold) : microCredits(0),
  }
}

/**
 * Takes a hold off its wallet, gives back what it reserved of limits, and writes down how it ended. The credits that it
 * still reserved are the caller's to release.
 */
export function closeHold(draft: Draft, wallet: Wallet, hold: Hold, status: HoldStatus): HoldState {
  wallet.holds.splice(wallet.holds.indexOf(hold), 1)
  release(draft, hold.limits)
  const state = holdState(wallet, hold, status)
  draft.record({ kind: 'hold', at_ms: draft.at_ms, hold: state })
  return state
}
