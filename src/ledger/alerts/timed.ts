import { DAY_MS, earliest } from '../../time/durations.ts'
import type { GroupCommit } from '../commit/commits.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerStore } from '../commit/store.ts'
import { type Alert, THRESHOLD_DECIMALS } from '../model/alerts.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { free, type Lot } from '../model/lots.ts'
import { creditsOfSum } from '../model/notifications.ts'
import { unusedLots, type Wallet, walletKey } from '../model/wallet.ts'
import { settle } from '../wallets/settle.ts'
import { step } from './edge.ts'
import { BETWEEN_CHECKS_MS, checkRunway, spendingKey, spendingOf } from './values.ts'
import { alertFields, NOTIFICATION_OF, valueFields } from './watch.ts'

/**
 * Checks the alerts whose values change with time: the alerts on expiring lots and on the runway. The alarm runs the
 * checks.
 */

/** The maximum number of lots that a notification lists. The notification's count includes all lots. */
const MAX_LISTED = 10

export class TimedAlerts {
  private readonly store: LedgerStore
  private readonly group: GroupCommit
  private readonly ids: () => LedgerIds

  constructor(store: LedgerStore, group: GroupCommit, ids: () => LedgerIds) {
    this.store = store
    this.group = group
    this.ids = ids
  }

  /** Returns the time of the next check; null if there is none. Reads the wallets of at most 100 alerts. */
  due(): number | null {
    return earliest(this.store.alerts.timed().map((alert) => this.dueAt(alert)))
  }

  /** Returns the earliest time at which an alert on one of the wallets must be checked; null if there is none. */
  dueOf(wallets: ReadonlyMap<string, Wallet>): number | null {
    let first: number | null = null
    for (const [key, wallet] of wallets) {
      for (const alert of this.store.alerts.ofWallet(key))
        first = earliest([first, alertDueAt(alert, wallet)])
    }
    return first
  }

  /** Checks the alerts that are due, in one commit. */
  async check(now_ms: number): Promise<void> {
    const due = this.store.alerts.timed().filter((alert) => (this.dueAt(alert) ?? now_ms + 1) <= now_ms)
    if (due.length === 0) return
    await this.group.submit(1, (draft) => {
      for (const { id, owner } of due) {
        // The alert might have been deleted, or its wallet erased, since the alerts were selected.
        const alert = this.store.alerts.all().get(id)
        const wallet = draft.wallet(owner)
        if (alert) checkAlert(draft, alert, wallet && settle(draft, wallet), this.ids())
      }
    })
  }

  /**
   * Returns the time of the next check of an alert; null if there is none. Also returns null if the wallet cannot be
   * read, so that the alerts on other wallets are still checked.
   */
  private dueAt(alert: Alert): number | null {
    try {
      return alertDueAt(alert, this.store.wallet(walletKey(alert.owner)))
    } catch {
      return null
    }
  }
}

/**
 * Returns the time at which the alarm checks an alert next. Returns null if the alarm does not check alerts of this
 * type, or if the wallet has no lot that the alert must report.
 */
function alertDueAt(alert: Alert, wallet: Wallet | undefined): number | null {
  if (alert.type === 'runway_below') return (alert.state.runway?.checked_at_ms ?? 0) + BETWEEN_CHECKS_MS
  if (alert.type !== 'lot_expiring') return null
  let first: number | null = null
  for (const lot of wallet ? openLots(alert, wallet) : []) {
    const at_ms = (lot.expires_at_ms ?? 0) - aheadMs(alert)
    if (first === null || at_ms < first) first = at_ms
  }
  return first
}

/** Checks an alert if its check is due. Updates the alert's state, and adds a notification if the alert fires. */
function checkAlert(draft: Draft, alert: Alert, wallet: Wallet | undefined, ids: LedgerIds): void {
  const due_at_ms = alertDueAt(alert, wallet)
  if (due_at_ms === null || due_at_ms > draft.at_ms) return
  if (alert.type === 'runway_below') watchRunway(draft, alert, wallet, ids)
  else if (wallet) notifyExpiring(draft, alert, wallet, ids)
}

function watchRunway(draft: Draft, alert: Alert, wallet: Wallet | undefined, ids: LedgerIds): void {
  const { at_ms } = draft
  const { runway: last } = alert.state
  const total = spendingOf(wallet?.counters, spendingKey('TOTAL'), at_ms)
  const runway = checkRunway(last ?? { spent: [] }, total, wallet, at_ms)
  const state = { ...alert.state, runway }
  const value = runway.value ?? Number.MAX_SAFE_INTEGER
  const next = step(alert, state, value, at_ms)
  draft.alerts.set(alert.id, { ...alert, state: next.kind === 'nothing' ? state : next.state })
  if (next.kind !== 'fires') return
  draft.notify({
    type: NOTIFICATION_OF[alert.type],
    data: { ...alertFields(alert, ids, wallet), ...valueFields(alert, last?.value ?? null, value) },
  })
}

/**
 * Adds one notification for all lots that are due now. An alert reports a lot only once while the lot stays open. When
 * the alert fires again, it forgets reported lots that are closed, because its state must not grow with each lot. If
 * returned credits reopen a forgotten lot, the alert can report the lot again.
 */
function notifyExpiring(draft: Draft, alert: Alert, wallet: Wallet, ids: LedgerIds): void {
  const lots = openLots(alert, wallet).filter(
    ({ expires_at_ms }) => (expires_at_ms ?? 0) - aheadMs(alert) <= draft.at_ms,
  )
  const open = new Set(unusedLots(wallet).map(({ number }) => number))
  const notified = (alert.state.lots ?? []).filter((number) => open.has(number))
  const state = {
    ...alert.state,
    fired: true,
    fired_at_ms: draft.at_ms,
    lots: [...notified, ...lots.map(({ number }) => number)],
  }
  draft.alerts.set(alert.id, { ...alert, state })
  draft.notify({
    type: NOTIFICATION_OF[alert.type],
    data: {
      ...alertFields(alert, ids, wallet),
      lots: lots.length,
      expiring: creditsOfSum(lots.map(({ left }) => left)),
      first_expires_at: new Date(
        Math.min(...lots.map(({ expires_at_ms }) => expires_at_ms ?? 0)),
      ).toISOString(),
      lot_ids: lots.slice(0, MAX_LISTED).map(({ number }) => ids.lot(number)),
    },
  })
}

/**
 * Returns the wallet's lots that have an expiry and unreserved credits, and that the alert has not reported or has
 * forgotten: see `notifyExpiring`.
 */
function openLots({ state }: Alert, wallet: Wallet): Lot[] {
  const notified = new Set(state.lots)
  return unusedLots(wallet).filter(
    (lot) => lot.expires_at_ms !== null && free(lot) > 0 && !notified.has(lot.number),
  )
}

function aheadMs({ threshold }: Alert): number {
  return Math.round((threshold / 10 ** THRESHOLD_DECIMALS.days) * DAY_MS)
}
