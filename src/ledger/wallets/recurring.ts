import { type MicroCredits, microCredits } from '../../pricing/money.ts'
import { windowOf } from '../../time/windows.ts'
import type { Draft } from '../commit/draft.ts'
import type { NewLot } from '../model/journal.ts'
import { free, type Lot } from '../model/lots.ts'
import { fullRefusal, type RecurringGrant, type RecurringPeriod, type Wallet } from '../model/wallet.ts'
import { expireLot, putLot } from './funds.ts'
import { recordRollover } from './rollover.ts'

/** At most this many in a wallet: they are written with it. */
export const MAX_RECURRING_GRANTS = 50

const PERIODS = { day: 'DAILY', week: 'WEEKLY', month: 'MONTHLY' } as const

/** Returns the next time after `at_ms`. A month without that day uses its last day, always counted from the first grant. */
export function nextRecurrence(every: RecurringPeriod, anchor_ms: number, at_ms: number): number {
  return windowOf(PERIODS[every], anchor_ms, at_ms).end_ms
}

/**
 * Grants one recurrence, dated at its time. Credits left in earlier lots above the rollover maximum expire, the oldest
 * lots first. A wallet without room for another lot gets none that time.
 */
export function recur(draft: Draft, wallet: Wallet, grant: RecurringGrant): void {
  const at_ms = grant.next_at_ms
  grant.next_at_ms = nextRecurrence(grant.every, grant.created_at_ms, at_ms)
  if (grant.rollover_max !== null) rollOver(draft, wallet, grant, grant.rollover_max, at_ms)
  if (fullRefusal(wallet, grant.amount, 1)) return
  const lot: NewLot & { recurring: number } = {
    number: draft.nextLotNumber(),
    kind: grant.kind,
    priority: grant.priority,
    expires_at_ms: grant.lifetime_ms === null ? null : at_ms + grant.lifetime_ms,
    recurring: grant.number,
  }
  const lots = putLot(draft, wallet, { ...lot, created_at_ms: at_ms, amount: grant.amount })
  draft.append(wallet, {
    type: 'GRANT',
    amount: grant.amount,
    lots,
    new_lots: [lot],
    ...(at_ms < draft.at_ms && { effective_at_ms: at_ms }),
    ...(grant.reason !== undefined && { description: grant.reason }),
  })
}

/** Expires what the earlier lots of a grant hold above the maximum, oldest first, and records the room that is left. */
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
