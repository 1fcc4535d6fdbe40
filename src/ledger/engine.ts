import { DurableObject } from 'cloudflare:workers'
import { type Bindings, type Config, configOf } from '../config.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { type LogFields, logError } from '../http/log.ts'
import { type Projection, Projector } from '../projection/projector.ts'
import type { Access } from './account.ts'
import type { BurnContext } from './burn.ts'
import { BurnTables } from './burn-tables.ts'
import { Draft } from './draft.ts'
import { type Apply, GroupCommit, weightOf } from './group-commit.ts'
import { LedgerIds, tagOf } from './ledger-ids.ts'
import type { Caller, Refused, WalletMessage, WalletResult } from './messages.ts'
import { earliest, nextAlarmAt } from './schedule.ts'
import { settle } from './settle.ts'
import { type Identity, LedgerStore, type Written } from './store.ts'
import { migrate } from './tables.ts'
import { type Wallet, walletDueAt, walletKey } from './wallet.ts'
import { noWallet } from './wallet-answers.ts'

const MAX_DUE_WALLETS_PER_ALARM = 500
/** In characters of journal rows, a second or so of work; requests get their turn in between. */
const MAX_FREED_PER_ALARM = 32 * 1024 * 1024

/** What the alarm does, one by one: a failure of one must not keep the others from being done. */
type AlarmWork = 'settle' | 'flush' | 'forget'

/**
 * What every request of a ledger goes through, whatever it is about: admission, group commit, the alarm. The requests
 * themselves are in `object.ts`.
 */
export abstract class LedgerEngine extends DurableObject<Bindings> {
  protected readonly store: LedgerStore
  protected readonly config: Config
  protected readonly tables: BurnTables
  protected readonly group: GroupCommit
  protected readonly projector: Projector
  protected burnContext: BurnContext | null = null
  protected alarmAt: number | null = null
  /** How often each work of the alarm has failed in a row. */
  protected readonly failures: Record<AlarmWork, number> = { settle: 0, flush: 0, forget: 0 }

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    this.config = configOf(env)
    migrate(ctx.storage)
    this.store = new LedgerStore(ctx.storage.sql)
    this.tables = new BurnTables(this.store.burnTables, this.config)
    this.group = new GroupCommit((change) => this.commit(change))
    this.projector = new Projector({
      store: this.store,
      projection: () => this.projection(),
      transaction: (write) => ctx.storage.transactionSync(write),
      commit: (change, also) => this.commit(change, undefined, also),
      checkpoint: () => this.checkpoint(),
    })
    // A start repairs what a crash may have left: a dirty journal without an alarm.
    ctx.blockConcurrencyWhile(async () => {
      this.alarmAt = await ctx.storage.getAlarm()
      this.armForAll()
    })
  }

  /**
   * The one alarm: what fell due, then the flush, then what may be forgotten. It catches everything and arms itself
   * again, because the platform gives an alarm up for ever after six failures.
   */
  override async alarm(): Promise<void> {
    this.alarmAt = null
    let flushed: 'all' | 'a part' = 'all'
    await this.attempt('settle', () => this.settleDueWallets())
    await this.attempt('flush', async () => {
      flushed = await this.flush()
    })
    await this.attempt('forget', () => this.forget())
    this.armForAll(flushed)
  }

  protected async attempt(work: AlarmWork, run: () => Promise<void>): Promise<void> {
    try {
      await run()
      this.failures[work] = 0
    } catch (error) {
      this.failures[work]++
      this.log('ledger_alarm_failed', error, { work, failures: this.failures[work] })
    }
  }

  /** Wallet by wallet: a broken one, which fails again at every alarm, keeps nobody else's lots from expiring. */
  protected async settleDueWallets(): Promise<void> {
    const keys = this.store.dueWallets(this.timeNow(), MAX_DUE_WALLETS_PER_ALARM)
    const results = await Promise.allSettled(
      keys.map((key) =>
        this.group.submit(1, (draft) => {
          const stored = this.store.wallet(key)
          const wallet = stored && (draft.wallet(stored.owner) ?? stored)
          // Written even if nothing was due yet: that moves the time at which the alarm looks again.
          if (wallet) draft.change(settle(draft, wallet))
        }),
      ),
    )
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    for (const error of failed.slice(0, MAX_LOGGED)) this.log('wallet_not_settled', error)
    if (failed.length > 0) throw new Error(`${failed.length} of ${keys.length} due wallets were not settled`)
  }

  protected async flush(): Promise<'all' | 'a part'> {
    return this.store.identity ? this.projector.advance() : 'all'
  }

  /** Brings the table of limit counters up to the journal. Costs nothing when nothing was counted. */
  protected checkpoint(): void {
    if (!this.store.limits.isDirty) return
    this.ctx.storage.transactionSync(() => this.store.writeCheckpoint())
    this.store.checkpointed()
  }

  protected async forget(): Promise<void> {
    const before_ms = this.forgetsBefore()
    for (let freed = 0; freed < MAX_FREED_PER_ALARM; ) {
      const length = this.ctx.storage.transactionSync(() => this.store.journal.forgetBefore(before_ms))
      if (length === 0) return
      freed += length
      await scheduler.wait(0)
    }
  }

  /** Journal rows that were committed before this have lived their time. */
  protected forgetsBefore(): number {
    return Date.now() - this.config.idempotency_window_ms
  }

  /** A message that changes something, and its answer. Room is asked for before anything is parsed. */
  protected async handle<M extends { readonly caller: Caller }, T extends { readonly kind: string }>(
    json: string,
    apply: (draft: Draft, message: M, context: BurnContext) => T,
    access: Access = 'write',
  ): Promise<string> {
    if (!this.group.hasRoom(weightOf(json.length))) return reply(OVERLOADED)
    const message: M = JSON.parse(json)
    const weight = weightOf(json.length, eventsIn(message))
    return reply(
      await this.change<T>(
        message.caller,
        weight,
        (draft, context) => apply(draft, message, context),
        access,
      ),
    )
  }

  /** Admits the caller, then works with D1; when D1 fails, what is left of the work is done at the next try. */
  protected async project<T>(caller: Caller, access: Access, work: () => Promise<T>): Promise<T | Refused> {
    const context = this.admit(caller, access)
    if (context.kind === 'refused') return context
    try {
      return await work()
    } catch (error) {
      this.log('ledger_projection_failed', error)
      return UNAVAILABLE
    }
  }

  /** Admits the caller, then applies the change in the next group commit. */
  protected async change<T>(
    caller: Caller,
    weight: number,
    apply: (draft: Draft, context: BurnContext) => T,
    access: Access = 'write',
  ): Promise<T | Refused> {
    const context = this.admit(caller, access)
    if (context.kind === 'refused') return context
    return this.submit(weight, (draft) => apply(draft, context))
  }

  protected submit<T>(weight: number, apply: Apply<T>): Promise<T | Refused> {
    return this.group.hasRoom(weight) ? this.group.submit(weight, apply) : Promise.resolve(OVERLOADED)
  }

  /**
   * Refuses keys that were revoked, writes of a customer that is suspended or closed, and ledgers that nobody opened:
   * here, at once, whatever the caches in front still say.
   */
  protected admit(caller: Caller, access: Access): (BurnContext & { readonly kind: 'admitted' }) | Refused {
    const { identity, account } = this.store
    if (!identity) return { kind: 'refused', refusal: { code: 'unavailable' } }
    if (this.store.isRevoked(caller.key_id, Date.now())) {
      return { kind: 'refused', refusal: { code: 'revoked_api_key' } }
    }
    if (!account.admits(access)) return { kind: 'refused', refusal: { code: 'customer_suspended' } }
    return { kind: 'admitted', ...this.context() }
  }

  protected projection(): Projection {
    const { identity } = this.store
    if (!identity) throw new Error('the ledger was not opened')
    const db = ledgerDb(this.env, identity.customer_id)
    return { db, ledger_id: ledgerKey(identity), ids: this.context().ids }
  }

  protected context(): BurnContext {
    if (this.burnContext) return this.burnContext
    const { identity } = this.store
    if (!identity) throw new Error('the ledger was not opened')
    this.burnContext = {
      tables: this.tables,
      ids: new LedgerIds(tagOf(identity), identity.opened_at_ms),
      default_entitlement: this.config.default_entitlement,
    }
    return this.burnContext
  }

  /**
   * Makes a draft durable: computed first, on copies, then written in one transaction, then published. Replies wait
   * for the disk by themselves (output gate), so what is answered after this is durable. What it throws, it throws
   * before anything is written: whoever catches it may try again. `also` is written in the same transaction.
   */
  protected commit<T>(change: (draft: Draft) => T, identity?: Identity, also = () => {}): T {
    const draft = this.draft()
    const result = change(draft)
    if (draft.isEmpty && !identity) return result
    const written = this.ctx.storage.transactionSync(() => {
      also()
      return this.store.write(draft, identity)
    })
    this.publish(draft, written, identity)
    return result
  }

  /** What a commit begins with; dropped, it has changed nothing. */
  protected draft(): Draft {
    return new Draft(this.store, this.store.counters, Date.now())
  }

  /**
   * What was written becomes what is read. Never throws, since the write must not be tried again: if memory cannot
   * follow the disk, the object starts anew from the disk, and its callers learn that they do not know.
   */
  protected publish(draft: Draft, written: Written, identity?: Identity): void {
    try {
      this.store.publish(draft, written, identity)
    } catch (error) {
      this.log('commit_not_published', error)
      this.ctx.abort('what was committed could not be published')
      return
    }
    try {
      this.arm({
        due_at_ms: earliest([...draft.wallets.values()].map(walletDueAt)),
        flush_at_ms: Date.now() + this.config.flush_delay_ms,
        forget_at_ms: null,
      })
    } catch (error) {
      // The next commit arms the alarm, or the next start.
      this.log('alarm_not_armed', error)
    }
  }

  /** The time that a commit would have now: it never runs backwards, so what was due once stays due. */
  protected timeNow(): number {
    return Math.max(Date.now(), this.store.counters.at_ms)
  }

  /** Reads a wallet as it is now; only if something in it fell due does the read write. */
  protected async readWallet<T>(
    { caller, owner }: WalletMessage,
    read: (ids: LedgerIds, wallet: Wallet) => T,
  ): Promise<WalletResult<T>> {
    const context = this.admit(caller, 'read')
    if (context.kind === 'refused') return context
    const wallet = this.store.wallet(walletKey(owner))
    if (!wallet) return { kind: 'refused', refusal: noWallet(owner.kind) }
    const due_at_ms = walletDueAt(wallet)
    if (due_at_ms === null || due_at_ms > this.timeNow()) {
      return { kind: 'done', answer: read(context.ids, wallet) }
    }
    return this.submit<WalletResult<T>>(1, (draft) => {
      // It may be gone by now: with its owner's erasure the wallet went to another name.
      const still = draft.wallet(owner)
      if (!still) return { kind: 'refused', refusal: noWallet(owner.kind) }
      return { kind: 'done', answer: read(context.ids, settle(draft, still)) }
    })
  }

  /**
   * Arms the alarm for whatever is next in the whole ledger. Forgetting gets none of its own: every alarm does it. Only
   * what is overdue waits for one, which is what an alarm left over, or a start finds after a long rest.
   */
  protected armForAll(flushed: 'all' | 'a part' = 'all'): void {
    const now_ms = Date.now()
    const oldest_at_ms = this.store.journal.oldestFreeableAt()
    this.arm({
      due_at_ms: this.store.nextDueAt(),
      flush_at_ms: flushed === 'a part' ? now_ms : now_ms + this.config.flush_delay_ms,
      forget_at_ms: oldest_at_ms !== null && oldest_at_ms < this.forgetsBefore() ? now_ms : null,
      erasing: this.store.erasures.all().length > 0,
    })
  }

  /**
   * Sees to it that the alarm rings when it is next needed; moves it only to an earlier time, so that it is set once
   * for all the commits that one flush takes.
   */
  protected arm(next: {
    readonly due_at_ms: number | null
    readonly flush_at_ms: number
    readonly forget_at_ms: number | null
    /** Erasures go on with the flush. */
    readonly erasing?: boolean
  }): void {
    const { failures } = this
    const flushes = this.store.journal.isDirty || next.erasing === true
    const at_ms = nextAlarmAt(Date.now(), [
      { at_ms: next.due_at_ms, failures: failures.settle },
      { at_ms: flushes ? next.flush_at_ms : null, failures: failures.flush },
      { at_ms: next.forget_at_ms, failures: failures.forget },
    ])
    if (at_ms === null || (this.alarmAt !== null && this.alarmAt <= at_ms)) return
    void this.setAlarm(at_ms)
  }

  protected async setAlarm(at_ms: number): Promise<void> {
    this.alarmAt = at_ms
    try {
      await this.ctx.storage.setAlarm(at_ms)
    } catch (error) {
      this.log('alarm_not_set', error)
      if (this.alarmAt === at_ms) this.alarmAt = null
    }
  }

  protected log(event: string, error: unknown, fields: LogFields = {}): void {
    const { customer_id, mode } = this.store.identity ?? {}
    logError(event, error, { customer_id, mode, ...fields })
  }
}

export const OVERLOADED: Refused = { kind: 'refused', refusal: { code: 'overloaded' } }
export const UNAVAILABLE: Refused = { kind: 'refused', refusal: { code: 'unavailable' } }

/** A broken ledger must not flood the log. */
const MAX_LOGGED = 10

/** How many events a message brings, for those that bring many. */
function eventsIn(message: object): number {
  return 'items' in message && Array.isArray(message.items) ? message.items.length : 1
}

/** One JSON string, typed by what it says. */
export function reply<T extends { readonly kind: string }>(result: T): string {
  return JSON.stringify(result)
}
