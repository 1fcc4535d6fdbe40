import { DAY_MS, earliest, HOUR_MS, MINUTE_MS } from '../../time/durations.ts'
import { windowOf } from '../../time/windows.ts'
import { type Draft, monthOf } from '../commit/draft.ts'
import { isUnsettled, mayBePaid, type Payer, type Payment, type TopUpRule } from '../model/payments.ts'
import { available, walletKey } from '../model/wallet.ts'
import { announcePause } from './notices.ts'
import type { Report } from './report.ts'

/**
 * The number of consecutive declined charges after which a top-up is paused. The pause ends when the wallet has
 * another card or its rule is set again.
 */
export const MAX_DECLINES = 3
/**
 * The waits after the first and after the second consecutive declined charge. `LOOK_FOR_CARD_MS` is the wait before a
 * paused top-up looks for another card.
 */
const AFTER_DECLINE_MS = [HOUR_MS, 6 * HOUR_MS] as const
export const LOOK_FOR_CARD_MS = DAY_MS
/** The wait after a charge that failed for a reason other than the card. */
const AFTER_FAILURE_MS = HOUR_MS

/**
 * Updates the payer after a change of one of its payments: the open checkouts, the saved card, the top-up without an
 * outcome, the counts for the limits, the declines and the pause. Does nothing if the payer was erased.
 */
export function payerAfter(draft: Draft, before: Payment, after: Payment, report: Report): void {
  const payer = draft.payer(after.owner)
  if (!payer) return
  const changed =
    after.type === 'top_up'
      ? afterTopUp(draft, payer, before, after, report)
      : afterCheckout(draft, payer, before, after, report)
  if (changed !== payer) draft.payers.set(walletKey(after.owner), changed)
}

function afterCheckout(draft: Draft, payer: Payer, before: Payment, after: Payment, report: Report): Payer {
  const is_open = after.status === 'pending'
  const closed =
    is_open || !payer.open.includes(after.number)
      ? payer
      : { ...payer, open: payer.open.filter((number) => number !== after.number) }
  // Only the report that credits the payment can save a card for the payer. A later report can name a card that was
  // replaced.
  const is_news = before.credited === undefined && after.credited !== undefined
  if (
    !is_news ||
    report.kind !== 'paid' ||
    !after.saves_card ||
    report.customer === undefined ||
    !report.card
  )
    return closed
  const saved = { ...closed, customer: report.customer, urls: after.urls }
  return resumed(draft, saved, report.card.fingerprint)
}

/**
 * Ends a pause if its reason is a missing card, or if its reason is that Stripe declined a card other than the new
 * card. Other pauses continue.
 */
function resumed(draft: Draft, payer: Payer, fingerprint: string | null): Payer {
  const { paused, declined_card, ...rest } = payer
  const is_same = paused === 'declined' && declined_card === fingerprint
  if ((paused !== 'no_payment_method' && paused !== 'declined') || is_same) return payer
  dueIfLow(draft, payer)
  return { ...rest, declines: 0 }
}

function afterTopUp(draft: Draft, payer: Payer, before: Payment, after: Payment, report: Report): Payer {
  const counted = recount(payer, before, after)
  if (isUnsettled(after) || payer.in_flight !== after.number) return counted
  const { in_flight: _, ...landed } = counted
  if (after.status !== 'failed') {
    const { paused: __, declined_card: ___, ...good } = landed
    dueIfLow(draft, payer)
    return { ...good, declines: 0 }
  }
  const is_declined = report.kind === 'failed' && report.declined
  if (!is_declined) {
    draft.payersDue.set(walletKey(payer.owner), draft.at_ms + AFTER_FAILURE_MS)
    return landed
  }
  const declines = landed.declines + 1
  const declined = { ...landed, declines, declined_card: before.card?.fingerprint ?? null }
  const wait_ms = declines < MAX_DECLINES ? AFTER_DECLINE_MS[declines - 1] : LOOK_FOR_CARD_MS
  draft.payersDue.set(walletKey(payer.owner), draft.at_ms + (wait_ms ?? LOOK_FOR_CARD_MS))
  return declines < MAX_DECLINES ? declined : pause(draft, declined, 'declined')
}

/** Pauses a top-up, and adds a notification unless it is already paused for the same reason. */
export function pause(draft: Draft, payer: Payer, paused: NonNullable<Payer['paused']>): Payer {
  if (payer.paused === paused) return payer
  announcePause(draft, payer.owner, paused)
  return { ...payer, paused }
}

/** Makes the next top-up due at once if the wallet is low; otherwise clears its due time. */
export function dueIfLow(draft: Draft, { owner }: Payer): void {
  const wallet = draft.wallet(owner)
  const is_low = wallet?.top_up !== undefined && available(wallet) < wallet.top_up.below
  draft.payersDue.set(walletKey(owner), is_low ? draft.at_ms : null)
}

/**
 * Marks the wallets of a draft that are below the amount of their top-up rule, and makes their top-up due unless the
 * draft already sets its due time. Removes the mark when a wallet has at least the amount again. Writes a row of the
 * payer only when a wallet gets the mark.
 */
export function noteLowWallets({ wallets, payersDue, at_ms }: Draft): void {
  for (const [key, wallet] of wallets) {
    const mark = wallet.top_up
    if (!mark) continue
    const low = available(wallet) < mark.below
    if (low === (mark.noted ?? false)) continue
    wallet.top_up = low ? { below: mark.below, noted: true } : { below: mark.below }
    if (low && !payersDue.has(key)) payersDue.set(key, at_ms)
  }
}

/** The wait after a change of a payment before the alarm reports the payment figures, if no earlier alarm does. */
const REPORT_WITHIN_MS = MINUTE_MS

/** Returns the time of the alarm's next task for the payments of a draft; null if there is none. */
export function payAt({ payersDue, paymentIntents, at_ms }: Draft): number | null {
  if (payersDue.size === 0 && paymentIntents.size === 0) return null
  const asked = [...paymentIntents.values()].map(({ ask_at_ms }) => ask_at_ms)
  const report_at_ms = asked.length > 0 ? at_ms + REPORT_WITHIN_MS : null
  return earliest([...payersDue.values(), ...asked, report_at_ms])
}

/**
 * Updates the counts if a payment failed, or was paid after it had failed. A failed payment does not count towards
 * the limits.
 */
function recount(payer: Payer, before: Payment, after: Payment): Payer {
  if (mayBePaid(before) === mayBePaid(after)) return payer
  return count(payer, after, mayBePaid(after) ? 1 : -1)
}

/**
 * Adds a top-up to the counts of the month and the day of its creation, or subtracts it from these counts. Skips a
 * count whose month or day is over.
 */
export function count(payer: Payer, { created_at_ms, price_cents }: Payment, sign: 1 | -1): Payer {
  const { month, day } = currentCounts(payer, created_at_ms)
  const is_month = monthOf(created_at_ms).start_ms === month.start_ms
  const is_day = dayOf(created_at_ms) === day.start_ms
  return {
    ...payer,
    month: is_month ? { ...month, cents: month.cents + sign * price_cents } : month,
    day: is_day ? { ...day, count: day.count + sign } : day,
  }
}

/**
 * Returns the counts of the month and the day of `at_ms`. A new month or day begins with 0. If the counts already
 * belong to a later month or day, they are returned unchanged.
 */
export function currentCounts({ month, day }: Payer, at_ms: number): Pick<Payer, 'month' | 'day'> {
  const [month_ms, day_ms] = [monthOf(at_ms).start_ms, dayOf(at_ms)]
  return {
    month: month.start_ms >= month_ms ? month : { start_ms: month_ms, cents: 0 },
    day: day.start_ms >= day_ms ? day : { start_ms: day_ms, count: 0 },
  }
}

/** Reports whether one more top-up at this time would exceed a limit of the rule. */
export function isLimitReached(
  limit: 'monthly_limit' | 'daily_limit',
  payer: Payer,
  { price_cents, max_cents_a_month, max_a_day }: TopUpRule,
  at_ms: number,
): boolean {
  const { month, day } = currentCounts(payer, at_ms)
  if (limit === 'monthly_limit') return month.cents + price_cents > max_cents_a_month
  return max_a_day !== null && day.count >= max_a_day
}

function dayOf(at_ms: number): number {
  return windowOf('DAILY', null, at_ms).start_ms
}
