import type { Config } from '../../config.ts'
import type { LogFields } from '../../logging/log.ts'
import { earliest } from '../../time/durations.ts'
import { TimedAlerts } from '../alerts/timed.ts'
import type { GroupCommit } from '../commit/commits.ts'
import type { Draft } from '../commit/draft.ts'
import { nextAlarmAt } from '../commit/schedule.ts'
import type { LedgerStore } from '../commit/store.ts'
import { walletDueAt } from '../model/wallet.ts'
import { payAt } from '../payments/payers.ts'
import type { LedgerPayments } from '../payments/payments.ts'
import { settle } from '../wallets/settle.ts'
import { reportFlushFailure, withdrawFlushFailure } from './flush-failures.ts'
import type { Projection, Projector } from './projector.ts'

const MAX_DUE_WALLETS_PER_ALARM = 500
/**
 * The maximum number of characters of journal rows that one alarm frees, about a second of work. Requests run between
 * the alarms.
 */
const MAX_FREED_PER_ALARM = 32 * 1024 * 1024

/** The minimum time between two flushes for notifications. */
const BETWEEN_FLUSHES_MS = 400

/** An alarm that is this late does not run any more: the platform has given up its retries. */
const ALARM_LOST_MS = 60_000

/** The maximum number of log lines of one alarm, so that a broken ledger does not flood the log. */
const MAX_LOGGED = 10

/** The alarm's tasks. They fail and retry independently. */
type AlarmWork = 'settle' | 'alerts' | 'pay' | 'flush' | 'forget'

/** The outcome of the flush: D1 has all rows that existed when it began, or the next alarm continues at once. */
export type Flushed = 'all' | 'a part'

interface Options {
  readonly storage: DurableObjectStorage
  readonly store: LedgerStore
  readonly group: GroupCommit
  readonly projector: Projector
  readonly payments: LedgerPayments
  readonly config: () => Config
  readonly projection: () => Projection
  /** The time of a commit that is made now. */
  readonly now: () => number
  readonly log: (event: string, error: unknown, fields?: LogFields) => void
}

/** The one alarm of a ledger object: its tasks, and its next time. */
export class LedgerAlarm {
  private readonly options: Options
  private readonly store: LedgerStore
  private readonly alerts: TimedAlerts
  /** The time of the alarm, if known. */
  private at_ms: number | null = null
  /** The time of the last flush. */
  private flushed_at_ms = 0
  /** The number of consecutive failures of each task. */
  private readonly failures: Record<AlarmWork, number> = {
    settle: 0,
    alerts: 0,
    pay: 0,
    flush: 0,
    forget: 0,
  }
  /** Whether this ledger's failure to flush is recorded in D1. */
  private failureReported = false

  constructor(options: Options) {
    this.options = options
    this.store = options.store
    const { store, group, projection } = options
    this.alerts = new TimedAlerts(store, group, () => projection().ids)
  }

  /**
   * Runs all tasks, even if some of them fail: due items, alerts, payments, the flush, old rows. The others do not wait for
   * payments, which wait for Stripe. The caller arms the alarm again.
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

  /** Runs a task. Logs its errors; consecutive failures delay the next attempt. */
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

  /** Repairs the state that a crash or the platform may leave: a dirty journal without an alarm. */
  async restore(): Promise<void> {
    this.at_ms = await this.options.storage.getAlarm()
    this.armForAll()
  }

  /**
   * Arms the alarm after a commit, for its wallets, their alerts and its payments. If an endpoint or a stream waits for its
   * notifications, the flush is soon, but not so often that a busy ledger writes a page for each notification.
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
   * Arms the alarm for the next due work of the ledger. Old rows need no alarm of their own, because every alarm frees
   * them. Only overdue rows need one: after an alarm that did not free all of them, or after a long idle time.
   */
  armForAll(flushed: Flushed = 'all'): void {
    const now_ms = Date.now()
    const oldest_at_ms = this.store.journal.oldestFreeableAt()
    this.arm({
      due_at_ms: this.store.nextDueAt(),
      pay_at_ms: this.store.identity ? this.options.payments.nextAt(now_ms) : null,
      alert_at_ms: this.alerts.due(),
      flush_at_ms: flushed === 'a part' ? now_ms : now_ms + this.options.config().flush_delay_ms,
      forget_at_ms: oldest_at_ms !== null && oldest_at_ms < this.forgetsBefore() ? now_ms : null,
      erasing: this.store.erasures.all().length > 0,
    })
  }

  /**
   * Arms the alarm for the earliest of these times. Moves it only to an earlier time, so that it is set once for all the
   * commits of one flush.
   */
  private arm(next: {
    readonly due_at_ms: number | null
    readonly pay_at_ms: number | null
    readonly alert_at_ms: number | null
    readonly flush_at_ms: number
    readonly forget_at_ms: number | null
    /** Erasures continue with the flush. */
    readonly erasing?: boolean
  }): void {
    const { failures } = this
    const flushes = this.store.journal.isDirty || next.erasing === true
    const at_ms = nextAlarmAt(Date.now(), [
      { at_ms: next.due_at_ms, failures: failures.settle },
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

  /** Processes each wallet separately: a broken one, which fails at every alarm, does not affect the others. */
  private async settleDueWallets(): Promise<void> {
    const keys = this.inOrderOfDue(this.store.dueWallets(this.options.now(), MAX_DUE_WALLETS_PER_ALARM))
    const results = await Promise.allSettled(
      keys.map((key) =>
        this.options.group.submit(1, (draft) => {
          const wallet = draft.wallets.get(key) ?? this.store.wallet(key)
          // The wallet is written even if nothing was due yet, because the write moves the time of the next
          // alarm.
          if (wallet) draft.change(settle(draft, wallet))
        }),
      ),
    )
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    for (const error of failed.slice(0, MAX_LOGGED)) this.options.log('wallet_not_settled', error)
    if (failed.length > 0) throw new Error(`${failed.length} of ${keys.length} due wallets were not settled`)
  }

  /**
   * The time in a wallet's row may be earlier than its first due item, so the order of the rows is not the
   * order of the entries.
   */
  private inOrderOfDue(keys: readonly string[]): string[] {
    const due = keys.map((key) => ({ key, at_ms: this.dueAt(key) }))
    due.sort((a, b) => a.at_ms - b.at_ms || (a.key < b.key ? -1 : 1))
    return due.map(({ key }) => key)
  }

  /**
   * The first time at which something falls due in a wallet. A broken wallet is due at once: settling it
   * reports it.
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
   * Records in D1 that the flush keeps failing, and removes the record when it succeeds again. A single failure is not
   * recorded.
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
      // D1 is down. The log line of the failed flush already reports the delay.
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

  /** The end of the idempotency window: older journal rows can be freed. */
  private forgetsBefore(): number {
    return Date.now() - this.options.config().idempotency_window_ms
  }
}
