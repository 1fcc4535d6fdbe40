import { DurableObject } from 'cloudflare:workers'
import type { Bindings } from '../bindings.ts'
import { type Config, configOf } from '../config.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import type { Mode } from '../db/schema.ts'
import { type LogFields, logError, logFailure } from '../logging/log.ts'
import { earliest } from '../time/durations.ts'
import { RateLimiter } from './admission/rate-limit.ts'
import { LedgerAlarm } from './alarm.ts'
import { BurnTables } from './burn-tables/compiled.ts'
import type { BurnContext } from './burns/burn.ts'
import { callerIn, sealAnswer } from './client/envelope.ts'
import { Draft } from './commit/draft.ts'
import { type Apply, GroupCommit, weightOf } from './commit/group-commit.ts'
import { type Identity, LedgerStore, type Written } from './commit/store.ts'
import { type Projection, Projector } from './flush/projector.ts'
import type { Access, Caller, RateCount } from './model/account.ts'
import { LedgerIds, tagOf } from './model/ledger-ids.ts'
import type { WalletMessage, WalletResult } from './model/messages/credits.ts'
import type { Refusal, Refused } from './model/refusal.ts'
import { type Wallet, walletDueAt, walletKey } from './model/wallet.ts'
import { migrate } from './tables.ts'
import { noWallet } from './wallets/answers.ts'
import { settle } from './wallets/settle.ts'

/**
 * What every request of a ledger goes through, whatever it is about: admission, group commit. The requests themselves
 * are in `object.ts`, what is done without one in `alarm.ts`.
 */
export abstract class LedgerEngine extends DurableObject<Bindings> {
  protected readonly store: LedgerStore
  protected readonly config: Config
  protected readonly tables: BurnTables
  protected readonly group: GroupCommit
  protected readonly projector: Projector
  protected readonly alarms: LedgerAlarm
  protected burnContext: BurnContext | null = null
  /** Requests of this minute. */
  private readonly rates: Readonly<Record<Mode, RateLimiter>> = {
    live: new RateLimiter(),
    test: new RateLimiter(),
  }
  /** The database has grown to its bound. */
  private isFull = false

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
    this.alarms = new LedgerAlarm({
      storage: ctx.storage,
      store: this.store,
      group: this.group,
      projector: this.projector,
      config: () => this.config,
      projection: () => this.projection(),
      now: () => this.timeNow(),
      log: (event, error, fields) => this.log(event, error, fields),
    })
    this.measure()
    ctx.blockConcurrencyWhile(() => this.alarms.restore())
  }

  /** Catches what fails, and arms the alarm again: the platform gives one up for ever after six failures. */
  override async alarm(): Promise<void> {
    const flushed = await this.alarms.ring()
    this.measure()
    if (this.isFull) this.logFull()
    this.alarms.armForAll(flushed)
  }

  private logFull(): void {
    const { customer_id, mode } = this.store.identity ?? {}
    const { databaseSize: database_bytes } = this.ctx.storage.sql
    logFailure('ledger_full', { customer_id, mode, database_bytes })
  }

  /** Brings the table of limit counters up to the journal. Costs nothing when nothing was counted. */
  protected checkpoint(): void {
    if (!this.store.limits.isDirty) return
    this.ctx.storage.transactionSync(() => this.store.writeCheckpoint())
    this.store.checkpointed()
  }

  /** A request that changes something in the next group commit, and its answer. */
  protected handle<M extends { readonly caller: Caller }, T extends Result>(
    json: string,
    apply: (draft: Draft, message: M, context: BurnContext) => T,
    access: Access = 'write',
  ): Promise<string> {
    return this.answer<M, T>(json, access, (message, context) =>
      this.submit(weightOf(json.length, eventsIn(message)), (draft) =>
        this.withRoom(draft, () => apply(draft, message, context)),
      ),
    )
  }

  /**
   * A client's change of a draft. A database that has grown to its bound takes none: D1 has been away for longer than a
   * key lives, or the ledger is used more than an object can hold, and the platform would refuse to write soon. Replays
   * and refusals change nothing, and still get their answer.
   */
  protected withRoom<T>(draft: Draft, change: () => T): T {
    const result = change()
    if (!draft.isEmpty && this.isFull) throw new LedgerFull()
    return result
  }

  /** Looked at after each commit and each alarm: to ask takes some 20 us. */
  private measure(): void {
    this.isFull = this.ctx.storage.sql.databaseSize >= this.config.max_ledger_bytes
  }

  /**
   * A client's request and its answer: the caller is admitted, and what changes something is asked whether there is room
   * for it, before more of the message is parsed than its caller.
   */
  protected async answer<M extends { readonly caller: Caller }, T extends Result>(
    json: string,
    access: Access,
    work: (message: M, context: BurnContext) => T | Refused | Promise<T | Refused>,
  ): Promise<string> {
    const { rate, refusal } = this.admit(callerIn(json), access)
    if (refusal) return sealAnswer({ kind: 'refused', refusal }, rate)
    if (access !== 'read' && !this.group.hasRoom(weightOf(json.length))) return sealAnswer(OVERLOADED, rate)
    try {
      return sealAnswer(await work(JSON.parse(json), this.context()), rate)
    } catch (error) {
      if (!(error instanceof LedgerFull)) throw error
      return sealAnswer(UNAVAILABLE, rate)
    }
  }

  /** Work with D1; when D1 fails, what is left of it is done at the next try. */
  protected async project<T>(work: () => Promise<T>): Promise<T | Refused> {
    try {
      return await work()
    } catch (error) {
      this.log('ledger_projection_failed', error)
      return UNAVAILABLE
    }
  }

  protected submit<T>(weight: number, apply: Apply<T>): Promise<T | Refused> {
    return this.group.hasRoom(weight) ? this.group.submit(weight, apply) : Promise.resolve(OVERLOADED)
  }

  /**
   * Refuses keys that were revoked, more requests than the customer's tier has, writes of a customer that is suspended or
   * closed, and ledgers that nobody opened: here, at once, whatever the caches in front still say. A deleted key's
   * requests are not counted, so that whoever has got hold of it cannot use up its customer's minute.
   */
  private admit(caller: Caller, access: Access): Admission {
    const { identity, account } = this.store
    if (!identity) return { refusal: { code: 'unavailable' } }
    const now_ms = Date.now()
    if (this.store.isRevoked(caller.key_id, now_ms)) return { refusal: { code: 'revoked_api_key' } }
    const rate = this.countRequest(caller, identity, now_ms)
    if (rate?.allowed === false) {
      return {
        rate,
        refusal: { code: 'rate_limited', limit: rate.limit, retry_after_s: rate.resets_in_s },
      }
    }
    const admission = rate ? { rate } : {}
    return account.admits(access) ? admission : { ...admission, refusal: { code: 'customer_suspended' } }
  }

  /** Undefined for what is not counted, or was counted before. */
  private countRequest(
    { mode = 'live', counted_by }: Caller,
    identity: Identity,
    now_ms: number,
  ): RateCount | undefined {
    if (!counted_by || counted_by.includes(ledgerKey(identity))) return undefined
    const { requests_a_minute } = this.config.limits[this.store.account.current.tier]
    return this.rates[mode].count(requests_a_minute, now_ms)
  }

  protected projection(): Projection {
    const { identity } = this.store
    if (!identity) throw new Error('the ledger was not opened')
    const db = ledgerDb(this.env, identity.customer_id)
    return { db, queue: this.env.USAGE, ledger_id: ledgerKey(identity), ids: this.context().ids }
  }

  protected context(): BurnContext {
    const { identity, account } = this.store
    const { events_a_month } = this.config.limits[account.current.tier]
    if (this.burnContext?.events_a_month === events_a_month) return this.burnContext
    if (!identity) throw new Error('the ledger was not opened')
    this.burnContext = {
      tables: this.tables,
      ids: new LedgerIds(tagOf(identity), identity.opened_at_ms),
      default_entitlement: this.config.default_entitlement,
      events_a_month,
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
      this.measure()
      this.alarms.armForCommit(earliest([...draft.wallets.values()].map(walletDueAt)))
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
    { owner }: WalletMessage,
    { ids }: BurnContext,
    read: (ids: LedgerIds, wallet: Wallet) => T,
  ): Promise<WalletResult<T>> {
    const wallet = this.store.wallet(walletKey(owner))
    if (!wallet) return { kind: 'refused', refusal: noWallet(owner.kind) }
    const due_at_ms = walletDueAt(wallet)
    if (due_at_ms === null || due_at_ms > this.timeNow()) {
      return { kind: 'done', answer: read(ids, wallet) }
    }
    return this.submit<WalletResult<T>>(1, (draft) => {
      // It may be gone by now: with its owner's erasure the wallet went to another name.
      const still = draft.wallet(owner)
      if (!still) return { kind: 'refused', refusal: noWallet(owner.kind) }
      return { kind: 'done', answer: read(ids, settle(draft, still)) }
    })
  }

  protected log(event: string, error: unknown, fields: LogFields = {}): void {
    const { customer_id, mode } = this.store.identity ?? {}
    logError(event, error, { customer_id, mode, ...fields })
  }
}

/** What a request is answered: a tagged union. */
type Result = { readonly kind: string }

interface Admission {
  /** What was counted of the request, if it was. */
  readonly rate?: RateCount
  readonly refusal?: Refusal
}

/** Thrown out of a commit, which drops its draft: whoever shares it is tried again alone. */
class LedgerFull extends Error {}

const OVERLOADED: Refused = { kind: 'refused', refusal: { code: 'overloaded' } }
export const UNAVAILABLE: Refused = { kind: 'refused', refusal: { code: 'unavailable' } }

/** How many events a message brings, for those that bring many. */
function eventsIn(message: object): number {
  return 'items' in message && Array.isArray(message.items) ? message.items.length : 1
}
