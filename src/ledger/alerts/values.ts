import { DAY_MS } from '../../time/durations.ts'
import { windowOf } from '../../time/windows.ts'
import type { Draft } from '../commit/draft.ts'
import { limitWindow } from '../entitlements/windows.ts'
import { type AlertPeriod, type AlertRules, type RunwayState, THRESHOLD_DECIMALS } from '../model/alerts.ts'
import type { Entry } from '../model/journal.ts'
import type { Entitlement, LimitCounter, PeriodCounters } from '../model/limits.ts'
import { available, type Wallet, walletKey } from '../model/wallet.ts'

/**
 * The values that alerts compare with their thresholds. A value is an integer in the smallest fraction of its unit, for
 * example in micro-credits: see `THRESHOLD_DECIMALS`.
 */

const PERCENT = 100n * 10n ** BigInt(THRESHOLD_DECIMALS.percent)

/**
 * Returns `part` as a percentage of `whole`, as an integer with the decimals of a percent threshold, rounded down.
 * Returns at most the largest safe integer.
 */
function percentOf(part: bigint, whole: bigint): number {
  if (whole <= 0n) return part > 0n ? Number.MAX_SAFE_INTEGER : 0
  return safe((part * PERCENT) / whole)
}

function safe(value: bigint): number {
  return Number(value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : value)
}

/**
 * Returns a wallet's available credits. If the unit is percent, returns them as a percentage of the original credits of
 * the wallet's open lots. Used-up lots do not count.
 */
export function balanceValue({ unit }: AlertRules, wallet: Wallet | undefined): number {
  if (!wallet) return 0
  if (unit === 'credits') return available(wallet)
  const began = wallet.lots.reduce((sum, { amount }) => sum + amount, 0)
  const left = available(wallet)
  return left <= 0 ? 0 : percentOf(BigInt(left), BigInt(began))
}

export interface LimitValue {
  readonly value: number
  /** The start of the window; null for a rolling window. */
  readonly window_start_ms: number | null
}

/**
 * Returns the used percentage of a limit in its current window, including holds; undefined if no limit applies. A limit
 * of 0 counts as used up.
 */
export function limitValue(
  entitlement: Entitlement,
  counter: LimitCounter | undefined,
  at_ms: number,
): LimitValue | undefined {
  const { limit, limit_type, rolling } = entitlement
  if (limit === null || limit_type === 'NONE') return undefined
  const window = limitWindow(entitlement, counter, 0n, { now_ms: at_ms, arrived_ms: at_ms })
  if (!window) return undefined
  const value = BigInt(limit) === 0n ? Number(PERCENT) : percentOf(window.used, BigInt(limit))
  return { value, window_start_ms: rolling ? null : window.start_ms }
}

/** Returns the entitlement of the alert's owner for the alert's feature; undefined if there is none. */
export function limitOf(draft: Draft, { feature_id = '', owner }: AlertRules): Entitlement | undefined {
  const user_id = owner.kind === 'user' ? owner.id : undefined
  const team_id = owner.kind === 'team' ? owner.id : undefined
  const rows = draft.entitlementsOf({ feature_id, user_id, team_id })
  return rows.find((row) => row.feature_id === feature_id && walletKey(row.owner) === walletKey(owner))
}

/**
 * Returns the key of a counter of a wallet's spending. A counter counts in each period or in total, for one feature or
 * for all features. The wallet's row contains its counters, so counting costs no additional row.
 */
export function spendingKey(period: AlertPeriod | 'TOTAL', feature_id?: string): string {
  return feature_id === undefined ? `spend ${period}` : `spend ${period} ${feature_id}`
}

export function spendingWindow(period: AlertPeriod | 'TOTAL', at_ms: number) {
  if (period === 'TOTAL') return { start_ms: 0, end_ms: Number.MAX_SAFE_INTEGER }
  return windowOf(period, null, at_ms)
}

/** Returns the spending that a counter has counted in the period of `at_ms`, in micro-credits. */
export function spendingOf(counters: PeriodCounters | undefined, key: string, at_ms: number): bigint {
  const counter = counters?.[key]
  return counter && counter.resets_at_ms > at_ms ? BigInt(counter.quantity) : 0n
}

/**
 * Returns the spending of an entry, in micro-credits: positive for a burn, negative for an entry that returns burned
 * credits, otherwise 0.
 */
export function spentBy({ type, amount, reverses, event }: Entry): number {
  const is_returned =
    (type === 'VOID' || type === 'REFUND') && (reverses !== undefined || event?.rerates !== undefined)
  return type === 'BURN' || is_returned ? 0 - amount : 0
}

export function featureOf({ event, captured, reverses }: Entry): string | undefined {
  return (event ?? captured ?? reverses)?.feature_id
}

const RUNWAY = 10n ** BigInt(THRESHOLD_DECIMALS.days)
/**
 * The approximate period whose spending determines the runway. An alert that is younger than this period uses the time
 * since its creation.
 */
const RUNWAY_WINDOW_MS = 7 * DAY_MS
const BETWEEN_SAMPLES_MS = DAY_MS / 4
const SHORTEST_MS = 3_600_000
export const BETWEEN_CHECKS_MS = 3_600_000

/**
 * Computes the runway: the number of days for which the available credits last at the average rate of spending in about
 * the last 7 days. Also adds the total spending as a sample if the last sample is at least 6 hours old.
 */
export function checkRunway(
  { spent }: Pick<RunwayState, 'spent'>,
  total: bigint,
  wallet: Wallet | undefined,
  at_ms: number,
): RunwayState {
  const kept = spent.filter(
    ([sampled_ms], i) => i === spent.length - 1 || sampled_ms >= at_ms - RUNWAY_WINDOW_MS,
  )
  const [oldest] = kept
  const last_ms = kept.at(-1)?.[0] ?? 0
  const next = at_ms - last_ms >= BETWEEN_SAMPLES_MS ? [...kept, [at_ms, String(total)] as const] : kept
  const value = oldest ? runway(wallet, total - BigInt(oldest[1]), at_ms - oldest[0]) : null
  return { checked_at_ms: at_ms, value, spent: next }
}

function runway(wallet: Wallet | undefined, spent: bigint, elapsed_ms: number): number | null {
  if (spent <= 0n || elapsed_ms < SHORTEST_MS) return null
  const left = wallet ? available(wallet) : 0
  return left <= 0 ? 0 : safe((BigInt(left) * BigInt(elapsed_ms) * RUNWAY) / (spent * BigInt(DAY_MS)))
}
