import type { Config } from '../../config.ts'
import type { LogFields } from '../../logging/log.ts'
import { earliest } from '../../time/durations.ts'
import { TimedAlerts } from '../alerts/timed.ts'
import type { GroupCommit } from '../commit/commits.ts'
import type { Draft } from '../commit/draft.ts'
import { nextAlarmAt, type Work } from '../commit/schedule.ts'
import type { LedgerStore } from '../commit/store.ts'
import { walletDueAt } from '../model/wallet.ts'
import { payAt } from '../payments/payers.ts'
import type { LedgerPayments } from '../payments/payments.ts'
import { settle } from '../wallets/settle.ts'
import { reportFlushFailure, withdrawFlushFailure } from './flush-failures.ts'
import type { Projection, Projector } from './projector.ts'

const MAX_DUE_WALLETS_PER_ALARM = 500
/**
 * The number of characters of deleted journal rows after which an alarm stops deleting. Their deletion takes about a
 * second. Requests run between the deletions and between the alarms.
 */
const MAX_FREED_PER_ALARM = 32 * 1024 * 1024

/** The minimum time between two flushes for notifications. */
const BETWEEN_FLUSHES_MS = 400

/** The delay after which an alarm that has not run counts as lost, because Cloudflare might no longer retry it. */
const ALARM_LOST_MS = 60_000

/**
 * The maximum number of `wallet_not_settled` log lines of one alarm. It keeps a broken ledger from flooding the log.
 */
const MAX_LOGGED = 10

/** The tasks of the alarm. They fail and retry independently. */
type AlarmWork = 'settle' | 'alerts' | 'pay' | 'flush' | 'forget'

/**
 * The outcome of a successful flush. After `all`, D1 has all rows that existed when the flush began, and no erasure
 * is left. After `a part`, the next alarm continues at once.
 */
export type Flushed = 'all' | 'a part'

interface Options {
  readonly storage: DurableObjectStorage
  readonly store: LedgerStore
  readonly group: GroupCommit
  readonly projector: Projector
  readonly payments: LedgerPayments
  readonly config: () => Config
  readonly projection: () => Projection
  /** Returns the time that a commit has if it is made now. */
  readonly now: () => number
  readonly log: (event: string, error: unknown, fields?: LogFields) => void
}

/** Runs the tasks of a ledger object's only alarm, and sets the time of the next alarm. */
export class LedgerAlarm {
  private readonly options: Options
  private readonly store: LedgerStore
  private readonly alerts: TimedAlerts
  /** The time of the next alarm; null if it is unknown or none is set. */
  private at_ms: number | null = null
  /** The time at which the last alarm began to flush. */
  private flushed_at_ms = 0
  /** The number of consecutive failures of each task. */
  private readonly failures: Record<AlarmWork, number> = {
    settle: 0,
    alerts: 0,
    pay: 0,
    flush: 0,
    forget: 0,
  }
  /**
   * Whether this object has recorded a flush failure in D1 and not removed it. False after a restart of the object.
   */
  private failureReported = false

  constructor(options: Options) {
    this.options = options
    this.store = options.store
    const { store, group, projection } = options
    this.alerts = new TimedAlerts(store, group, () => projection().ids)
  }

  /**
   * Runs all tasks, even if some of them fail: due items, alerts, payments, the flush, and the deletion of old rows.
   * The flush and the deletion run while payments wait for Stripe. The caller must arm the alarm again.
   */
  async ring(): Promise<Flushed> {
    this.at_ms = null
    let flushed: Flushed = 'all'
    await this.attempt('settle', () => this.settleDueWallets())
    await this.attempt('alerts', () => this.alerts.check(this.options.now()))
    this.flushed_at_ms = Date.now()
    const paid = this.attempt('pay', async () => {
      if (this.store.identity) await this.options.payments.work(this.options.now())
    })
    await this.attempt('flush', async () => {
      if (this.store.identity) flushed = await this.options.projector.advance()
    })
    await this.reportFlush()
    await this.attempt('forget', () => this.forget())
    await paid
    return flushed
  }

  /** Runs a task and logs its errors. Consecutive failures delay the next attempt. */
  async attempt(work: AlarmWork, run: () => Promise<void>): Promise<void> {
    try {
      await run()
      this.failures[work] = 0
    } catch (error) {
      this.failures[work]++
      const since_ms = work === 'flush' ? this.store.journal.unflushedSince() : null
      this.options.log('ledger_alarm_failed', error, {
        work,
        failures: this.failures[work],
        unflushed_seconds: since_ms === null ? undefined : Math.round((Date.now() - since_ms) / 1_000),
      })
    }
  }

  /**
   * Arms the alarm again when the object starts or is woken, because the alarm that should flush the journal can be
   * lost, for example in a crash.
   */
  async restore(): Promise<void> {
    this.at_ms = await this.options.storage.getAlarm()
    this.armForAll()
  }

  /**
   * Arms the alarm after a commit: for its wallets and payments, for the alerts on its wallets, and for the flush. The
   * flush runs early if an endpoint or a stream waits for the commit's notifications. A minimum time between flushes
   * keeps a busy ledger from writing a page for each notification.
   */
  armForCommit(draft: Draft): void {
    const { wallets, notifies } = draft
    const { flush_delay_ms, notification_delay_ms } = this.options.config()
    const now_ms = Date.now()
    let flush_at_ms = now_ms + flush_delay_ms
    if (notifies && this.options.projector.isListenedTo) {
      const soon_at_ms = Math.max(now_ms + notification_delay_ms, this.flushed_at_ms + BETWEEN_FLUSHES_MS)
      flush_at_ms = Math.min(flush_at_ms, soon_at_ms)
    }
    this.arm({
      due_at_ms: earliest([...wallets.values()].map(walletDueAt)),
      pay_at_ms: payAt(draft),
      alert_at_ms: this.alerts.dueOf(wallets),
      flush_at_ms,
      forget_at_ms: null,
    })
  }

  /**
   * Arms the alarm for the next due task of the ledger. Every alarm deletes old rows, so only overdue rows set an
   * alarm. Rows are overdue after an alarm that did not delete all old rows, or after a long idle time.
   */
  armForAll(flushed: Flushed = 'all'): void {
    const now_ms = Date.now()
    const oldest_at_ms = this.store.journal.oldestFreeableAt()
    this.arm({
      due_at_ms: this.store.nextDueAt(),
      // A wallet that cannot be settled stays due, and would hide the later due times of other wallets.
      later_due_at_ms: this.failures.settle === 0 ? null : this.store.nextDueAt(now_ms),
      pay_at_ms: this.store.identity ? this.options.payments.nextAt(now_ms) : null,
      alert_at_ms: this.alerts.due(),
      flush_at_ms: flushed === 'a part' ? now_ms : now_ms + this.options.config().flush_delay_ms,
      forget_at_ms: oldest_at_ms !== null && oldest_at_ms < this.forgetsBefore() ? now_ms : null,
      erasing: this.store.erasures.isPending,
    })
  }

  /**
   * Arms the alarm for the earliest of the given times. Moves an alarm that is not lost only to an earlier time, so
   * most commits do not set it again.
   */
  private arm(next: {
    readonly due_at_ms: number | null
    readonly later_due_at_ms?: number | null
    readonly pay_at_ms: number | null
    readonly alert_at_ms: number | null
    readonly flush_at_ms: number
    readonly forget_at_ms: number | null
    /** Whether an erasure is in progress or requested. The flush begins and continues erasures. */
    readonly erasing?: boolean
  }): void {
    const { failures } = this
    const flushes = this.store.journal.isDirty || next.erasing === true
    const now_ms = Date.now()
    // Only wallets that are already due wait for the retry delay. A wallet that becomes due later was not tried yet.
    const settling = (at_ms: number | null): Work => ({
      at_ms,
      failures: at_ms !== null && at_ms > now_ms ? 0 : failures.settle,
    })
    const at_ms = nextAlarmAt(now_ms, [
      settling(next.due_at_ms),
      settling(next.later_due_at_ms ?? null),
      { at_ms: next.pay_at_ms, failures: failures.pay },
      { at_ms: next.alert_at_ms, failures: failures.alerts },
      { at_ms: flushes ? next.flush_at_ms : null, failures: failures.flush },
      { at_ms: next.forget_at_ms, failures: failures.forget },
    ])
    const armed = this.at_ms !== null && this.at_ms > Date.now() - ALARM_LOST_MS
    if (at_ms === null || (armed && this.at_ms !== null && this.at_ms <= at_ms)) return
    void this.set(at_ms)
  }

  private async set(at_ms: number): Promise<void> {
    this.at_ms = at_ms
    try {
      await this.options.storage.setAlarm(at_ms)
    } catch (error) {
      this.options.log('alarm_not_set', error)
      if (this.at_ms === at_ms) this.at_ms = null
    }
  }

  /**
   * Settles each due wallet separately. A wallet that cannot be settled fails in every alarm, and must not affect other
   * wallets.
   */
  private async settleDueWallets(): Promise<void> {
    const keys = this.inOrderOfDue(this.store.dueWallets(this.options.now(), MAX_DUE_WALLETS_PER_ALARM))
    const results = await Promise.allSettled(
      keys.map((key) =>
        this.options.group.submit(1, (draft) => {
          const wallet = draft.wallets.get(key) ?? this.store.wallet(key)
          // Writes the wallet even if no item is due yet, because the write corrects the wallet's stored due time.
          if (wallet) draft.change(settle(draft, wallet))
        }),
      ),
    )
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    for (const error of failed.slice(0, MAX_LOGGED)) this.options.log('wallet_not_settled', error)
    if (failed.length > 0) throw new Error(`${failed.length} of ${keys.length} due wallets were not settled`)
  }

  /**
   * Sorts wallets by the times of their first due items, so that their entries are in this order. Does not use the
   * times in the wallets' rows, because they can be earlier.
   */
  private inOrderOfDue(keys: readonly string[]): string[] {
    const due = keys.map((key) => ({ key, at_ms: this.dueAt(key) }))
    due.sort((a, b) => a.at_ms - b.at_ms || (a.key < b.key ? -1 : 1))
    return due.map(({ key }) => key)
  }

  /**
   * Returns the time of the first due item of a wallet, or the largest integer if it has none. Returns 0 for a wallet
   * that cannot be read, so that it is settled first and the error is logged.
   */
  private dueAt(key: string): number {
    try {
      const wallet = this.store.wallet(key)
      return (wallet && walletDueAt(wallet)) ?? Number.MAX_SAFE_INTEGER
    } catch {
      return 0
    }
  }

  /**
   * Records in D1 that the flush has failed at least twice in succession. Removes the record after a successful flush.
   */
  private async reportFlush(): Promise<void> {
    const failures = this.failures.flush
    const unflushed_since_ms = failures >= 2 ? this.store.journal.unflushedSince() : null
    const behind = unflushed_since_ms !== null
    if (!behind && (failures > 0 || !this.failureReported)) return
    try {
      const { db, ledger_id } = this.options.projection()
      if (behind) await reportFlushFailure(db, { ledger_id, unflushed_since_ms, failures }, Date.now())
      else await withdrawFlushFailure(db, ledger_id)
      this.failureReported = behind
    } catch {
      // The report failed, usually because D1 is unavailable. The next alarm tries again. If the flush failed, its log
      // line already reports the delay.
    }
  }

  private async forget(): Promise<void> {
    const before_ms = this.forgetsBefore()
    for (let freed = 0; freed < MAX_FREED_PER_ALARM; ) {
      const length = this.options.storage.transactionSync(() => this.store.journal.forgetBefore(before_ms))
      if (length === 0) return
      freed += length
      await scheduler.wait(0)
    }
  }

  /** Returns the time before which journal rows can be deleted: the start of the idempotency window. */
  private forgetsBefore(): number {
    return Date.now() - this.options.config().idempotency_window_ms
  }
}
