import { type MicroCredits, microCredits } from '../../pricing/money.ts'
import { nextAfterMonths, windowOf } from '../../time/windows.ts'
import type { Draft } from '../commit/draft.ts'
import type { NewLot } from '../model/journal.ts'
import { free, type Lot, sumOfFree } from '../model/lots.ts'
import { fullRefusal, type RecurringGrant, type RecurringPeriod, type Wallet } from '../model/wallet.ts'
import { expireLot, putLot } from './funds.ts'
import { recordRollover } from './rollover.ts'

/**
 * The maximum number of recurring grants in a wallet. It is limited because the wallet is written with all of its
 * grants.
 */
export const MAX_RECURRING_GRANTS = 50

const MONTHS = { month: 1, quarter: 3, year: 12 } as const

/**
 * Returns the next time of a recurrence after `at_ms`. A `month`, `quarter` or `year` recurs on the same day of the
 * month as the first grant, or on the last day of a shorter month.
 */
export function nextRecurrence(every: RecurringPeriod, anchor_ms: number, at_ms: number): number {
  return every === 'day' || every === 'week'
    ? windowOf(every === 'day' ? 'DAILY' : 'WEEKLY', anchor_ms, at_ms).end_ms
    : nextAfterMonths(MONTHS[every], anchor_ms, at_ms)
}

/**
 * Grants one recurrence, effective at its time, and schedules the next one. Unreserved credits of the grant's earlier
 * lots above the rollover maximum expire, the oldest lots first. Adds no lot if the lot would exceed a maximum of the
 * wallet, or if the grant's target is already reached.
 */
export function recur(draft: Draft, wallet: Wallet, grant: RecurringGrant): void {
  const at_ms = grant.next_at_ms
  grant.next_at_ms = nextRecurrence(grant.every, grant.created_at_ms, at_ms)
  if (grant.rollover_max !== null) rollOver(draft, wallet, grant, grant.rollover_max, at_ms)
  const amount = dueAmount(wallet, grant)
  if (amount === 0 || fullRefusal(wallet, amount, 1)) return
  const lot: NewLot & { recurring: number } = {
    number: draft.nextLotNumber(),
    kind: grant.kind,
    priority: grant.priority,
    expires_at_ms: grant.lifetime_ms === null ? null : at_ms + grant.lifetime_ms,
    recurring: grant.number,
  }
  const lots = putLot(draft, wallet, { ...lot, created_at_ms: at_ms, amount })
  draft.append(wallet, {
    type: 'GRANT',
    amount,
    lots,
    new_lots: [lot],
    ...(at_ms < draft.at_ms && { effective_at_ms: at_ms }),
    ...(grant.reason !== undefined && { description: grant.reason }),
  })
}

/**
 * Returns the amount of a recurrence. With a target, it is the difference between the target and the unreserved credits
 * of the grant's lots, and at least 0.
 */
function dueAmount(wallet: Wallet, { number, amount, target }: RecurringGrant): MicroCredits {
  if (target === undefined) return amount
  const available = sumOfFree(wallet.lots.filter((lot) => lot.recurring === number))
  return microCredits(Math.max(0, target - available))
}

/**
 * Expires the unreserved credits of a grant's lots above the maximum, oldest lots first. Records the number of credits
 * that can still be returned to the lots: the difference if the lots have less than the maximum, otherwise 0.
 */
function rollOver(
  draft: Draft,
  wallet: Wallet,
  grant: RecurringGrant,
  maximum: MicroCredits,
  at_ms: number,
): void {
  const lots = wallet.lots.filter((lot) => lot.recurring === grant.number && free(lot) > 0)
  const carried = lots.reduce((sum, lot) => sum + free(lot), 0)
  let above = carried - maximum
  for (const lot of lots.toSorted(byAge)) {
    if (above <= 0) break
    const part = microCredits(Math.min(above, free(lot)))
    above -= part
    expireLot(draft, wallet, lot, part, at_ms)
  }
  recordRollover(wallet, grant.number, { at_ms, room: microCredits(Math.max(0, maximum - carried)) })
}

function byAge(a: Lot, b: Lot): number {
  return a.number - b.number
}
