import { formatDecimal } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import {
  type Alert,
  type AlertRules,
  type AlertState,
  type AlertType,
  THRESHOLD_DECIMALS,
} from '../model/alerts.ts'
import type { Entry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { LimitCounter } from '../model/limits.ts'
import { type NotificationData, type NotificationType, ownerFields } from '../model/notifications.ts'
import type { Wallet } from '../model/wallet.ts'
import { step } from './edge.ts'
import type { AlertRows, CounterFinder } from './rows.ts'
import {
  balanceValue,
  featureOf,
  limitOf,
  limitValue,
  spendingKey,
  spendingOf,
  spendingWindow,
  spentBy,
} from './values.ts'

/** The committed state that `watch` reads. */
export interface WatchedState {
  readonly alerts: Pick<AlertRows, 'ofWallet' | 'ofCounter'>
  /** A number that changes whenever an entitlement changes. */
  readonly entitlementsVersion: number
  wallet(key: string): Wallet | undefined
  limitCounter(counter: number): LimitCounter | undefined
}

export const NOTIFICATION_OF: Readonly<Record<AlertType, NotificationType>> = {
  balance_below: 'credits.low',
  spend_above: 'spend.above',
  limit_used: 'limit.threshold',
  lot_expiring: 'credits.lot_expiring',
  runway_below: 'runway.below',
}

/**
 * Evaluates the alerts on the wallets and limits that a commit changes. Runs after the last request of the commit, and
 * uses the values after the whole commit. Updates the counters of spending, and changes an alert only if the alert
 * fires or arms.
 */
export function watch(draft: Draft, ids: LedgerIds, state: WatchedState): void {
  const watcher = new Watcher(draft, ids, state)
  for (const [key, wallet] of draft.wallets) {
    const own = state.alerts.ofWallet(key)
    if (own.length > 0) watcher.watchWallet(key, wallet, own)
  }
  const finder: CounterFinder = {
    version: state.entitlementsVersion,
    of: (alert) => limitOf(draft, alert)?.counter,
  }
  for (const counter of draft.limitCounters.keys()) {
    for (const alert of state.alerts.ofCounter(counter, finder)) watcher.watchLimit(alert)
  }
}

class Watcher {
  private readonly draft: Draft
  private readonly ids: LedgerIds
  private readonly state: WatchedState
  private entries: ReadonlyMap<number, readonly Entry[]> | undefined

  constructor(draft: Draft, ids: LedgerIds, state: WatchedState) {
    this.draft = draft
    this.ids = ids
    this.state = state
  }

  watchWallet(key: string, wallet: Wallet, alerts: readonly Alert[]): void {
    const before = this.state.wallet(key)
    const counters = before?.counters
    this.countSpending(wallet, alerts)
    const { at_ms } = this.draft
    for (const alert of alerts) {
      if (alert.type === 'balance_below') {
        const values = [balanceValue(alert, before), balanceValue(alert, wallet)] as const
        this.decide(alert, alert.state, values, wallet)
      } else if (alert.type === 'spend_above' && alert.period) {
        const spending = spendingKey(alert.period, alert.feature_id)
        const values = [
          Number(spendingOf(counters, spending, at_ms)),
          Number(spendingOf(wallet.counters, spending, at_ms)),
        ] as const
        const { start_ms } = spendingWindow(alert.period, at_ms)
        this.decide(alert, inWindow(alert.state, start_ms), values, wallet)
      }
    }
  }

  watchLimit(alert: Alert): void {
    const { draft } = this
    const entitlement = limitOf(draft, alert)
    const counter = entitlement && draft.limitCounters.get(entitlement.counter)
    const after = counter && limitValue(entitlement, counter, draft.at_ms)
    if (!entitlement || !after) return
    const before = limitValue(entitlement, this.state.limitCounter(entitlement.counter), draft.at_ms)
    const { window_start_ms, value } = after
    const state = window_start_ms === null ? alert.state : inWindow(alert.state, window_start_ms)
    this.decide(alert, state, [before?.value ?? 0, value], undefined, { entitlement_id: entitlement.id })
  }

  private decide(
    alert: Alert,
    state: AlertState,
    [before, after]: readonly [number, number],
    wallet: Wallet | undefined,
    more: NotificationData = {},
  ): void {
    const { draft, ids } = this
    const next = step(alert, state, after, draft.at_ms)
    if (next.kind === 'nothing') return
    draft.alerts.set(alert.id, { ...alert, state: next.state })
    if (next.kind === 'arms') return
    draft.notify({
      type: NOTIFICATION_OF[alert.type],
      data: { ...alertFields(alert, ids, wallet), ...more, ...valueFields(alert, before, after) },
    })
  }

  /** Adds the spending of the commit to the wallet's counters. Updates only the counters that an alert reads. */
  private countSpending(wallet: Wallet, alerts: readonly Alert[]): void {
    const read = new Map(alerts.flatMap((alert) => spendingRead(alert)))
    if (read.size === 0) return
    const { at_ms } = this.draft
    for (const [key, { period, feature_id }] of read) {
      const spent = this.spentOf(wallet.number, feature_id)
      if (spent === 0) continue
      const sum = spendingOf(wallet.counters, key, at_ms) + BigInt(spent)
      const { end_ms } = spendingWindow(period, at_ms)
      // The sum can be below 0, because credits from an earlier period can be returned in this period.
      const quantity = String(sum < 0n ? 0n : sum)
      wallet.counters = { ...wallet.counters, [key]: { resets_at_ms: end_ms, quantity } }
    }
  }

  private spentOf(wallet: number, feature_id: string | undefined): number {
    this.entries ??= Map.groupBy(
      this.draft.records.filter((record) => record.kind === 'entry'),
      (entry) => entry.wallet,
    )
    const own = this.entries.get(wallet) ?? []
    const counted = feature_id === undefined ? own : own.filter((entry) => featureOf(entry) === feature_id)
    return counted.reduce((sum, entry) => sum + spentBy(entry), 0)
  }
}

interface Spending {
  readonly period: NonNullable<AlertRules['period']> | 'TOTAL'
  readonly feature_id?: string | undefined
}

function spendingRead({ type, period, feature_id }: Alert): (readonly [string, Spending])[] {
  if (type === 'runway_below') return [[spendingKey('TOTAL'), { period: 'TOTAL' }]]
  return type === 'spend_above' && period ? [[spendingKey(period, feature_id), { period, feature_id }]] : []
}

/** Returns the state of an alert in a window. An alert that fired in another window is armed. */
function inWindow(state: AlertState, window_start_ms: number): AlertState {
  return state.window_start_ms === window_start_ms ? state : { ...state, fired: false, window_start_ms }
}

/** Returns the fields of a notification that describe the alert and name its wallet. */
export function alertFields(
  alert: AlertRules & { readonly id: string },
  ids: LedgerIds,
  wallet: Wallet | undefined,
): NotificationData {
  const { id, type, unit, threshold, owner, feature_id, period } = alert
  return {
    alert_id: id,
    alert_type: type,
    ...(wallet && { wallet_id: ids.wallet(wallet.number) }),
    ...ownerFields(owner),
    ...(feature_id !== undefined && { feature_id }),
    ...(period && { period }),
    threshold: { [unit]: inUnit(alert, threshold) },
  }
}

export function valueFields(rules: AlertRules, before: number | null, after: number): NotificationData {
  return { value_before: before === null ? null : inUnit(rules, before), value_after: inUnit(rules, after) }
}

/** Converts an alert's value from an integer to a decimal number in the alert's unit. */
export function inUnit({ unit }: Pick<AlertRules, 'unit'>, value: number): number {
  return Number(formatDecimal(BigInt(value), THRESHOLD_DECIMALS[unit]))
}
