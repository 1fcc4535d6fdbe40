import { DurableObject } from 'cloudflare:workers'
import { type Bindings, type Config, configOf } from '../config.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { microCredits } from '../pricing/money.ts'
import { type Projection, Projector } from '../projection/projector.ts'
import type { BurnContext } from './burn.ts'
import { burnTableAnswer, readBurnTables, savedAnswer } from './burn-table-answers.ts'
import { applyBurnTable, deactivateBurnTable } from './burn-table-changes.ts'
import type {
  BurnTableResult,
  BurnTablesMessage,
  BurnTablesResult,
  DeactivateBurnTableMessage,
  QuoteMessage,
  QuoteResult,
  SaveBurnTableMessage,
} from './burn-table-messages.ts'
import type { BurnTableSnapshot } from './burn-table-rows.ts'
import { BurnTables } from './burn-tables.ts'
import { type CheckMessage, type CheckResult, checkAndHold, checkUse } from './check.ts'
import { applyCredit, creditAnswer } from './credit.ts'
import { Draft } from './draft.ts'
import {
  applyEntitlement,
  type ChangeEntitlementMessage,
  type Entitlement,
  type EntitlementResult,
  type EntitlementsMessage,
  type EntitlementsResult,
  readEntitlements,
} from './entitlements.ts'
import { type EntriesMessage, type EntriesResult, readUnflushed } from './entries.ts'
import { type Apply, GroupCommit, weightOf } from './group-commit.ts'
import { type HoldsMessage, type HoldsResult, readHolds } from './hold-lists.ts'
import { applyHold } from './holds.ts'
import { applyIngest } from './ingest.ts'
import { LedgerIds, tagOf } from './ledger-ids.ts'
import { expiringNext } from './lots.ts'
import type {
  BalanceAnswer,
  Caller,
  CreditMessage,
  CreditResult,
  HoldMessage,
  HoldResult,
  IngestMessage,
  IngestResult,
  LotAnswer,
  MovementMessage,
  MovementResult,
  OpenMessage,
  RecurringAnswer,
  RecurringMessage,
  Refused,
  RerateMessage,
  RerateResult,
  UnratedMessage,
  UnratedResult,
  WalletMessage,
  WalletOwner,
  WalletResult,
} from './messages.ts'
import { applyMovement } from './movement.ts'
import { quote } from './quote.ts'
import type { Refusal } from './refusal.ts'
import { applyRerate, payUnpaid, type RerateOutcome } from './rerate.ts'
import { earliest, nextAlarmAt } from './schedule.ts'
import { settle } from './settle.ts'
import { type Identity, LedgerStore, type Written } from './store.ts'
import type { CatchUpMessage, CatchUpResult, EraseMessage, EraseResult } from './subject-messages.ts'
import { migrate } from './tables.ts'
import type { Amendment } from './unrated-rows.ts'
import { available, reserved, type Wallet, walletDueAt, walletKey } from './wallet.ts'

const MAX_DUE_WALLETS_PER_ALARM = 500
/** In characters of journal rows, a second or so of work; requests get their turn in between. */
const MAX_FREED_PER_ALARM = 32 * 1024 * 1024
const MAX_ENTITLEMENTS_SHARED_AT_ONCE = 200

/** What the alarm does, one by one: a failure of one must not keep the others from being done. */
type AlarmWork = 'settle' | 'flush' | 'forget'

/**
 * One customer's ledger in one mode, single-threaded: whatever moves credits goes through here. This class is the
 * shell: RPC, group commit and the alarm; the rules are in the pure modules beside it, the SQL in `store.ts`.
 *
 * Each RPC method takes one JSON string and answers one (see `messages.ts`).
 */
export class CustomerLedger extends DurableObject<Bindings> {
  private readonly store: LedgerStore
  private readonly config: Config
  private readonly tables: BurnTables
  private readonly group: GroupCommit
  private readonly projector: Projector
  private burnContext: BurnContext | null = null
  private alarmAt: number | null = null
  /** How often each work of the alarm has failed in a row. */
  private readonly failures: Record<AlarmWork, number> = { settle: 0, flush: 0, forget: 0 }

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
      checkpoint: () => this.checkpoint(),
    })
    // A start repairs what a crash may have left: a dirty journal without an alarm.
    ctx.blockConcurrencyWhile(async () => {
      this.alarmAt = await ctx.storage.getAlarm()
      this.armForAll()
    })
  }

  /** Makes the ledger, its customer's wallet and the sign-up grant; opened before, it changes nothing. */
  async open(json: string): Promise<string> {
    const { ledger, signup_grant_micro }: OpenMessage = JSON.parse(json)
    if (this.store.identity) return reply({ kind: 'opened' })
    this.commit(
      (draft) => {
        draft.createWallet({ kind: 'customer' })
        if (signup_grant_micro > 0) giveSignupGrant(draft, signup_grant_micro)
      },
      { ...ledger, opened_at_ms: Date.now() },
    )
    return reply({ kind: 'opened' })
  }

  ingest(json: string): Promise<string> {
    return this.handle<IngestMessage, IngestResult>(json, applyIngest)
  }

  credit(json: string): Promise<string> {
    return this.handle<CreditMessage, CreditResult>(json, (draft, message, context) => {
      const outcome = applyCredit(draft, message)
      if (outcome.kind === 'refused') return outcome
      const answer = creditAnswer(context.ids, outcome.entry)
      if (outcome.kind === 'done') payUnpaid(draft, outcome.entry.wallet, context)
      return { kind: outcome.kind, format: outcome.format, answer }
    })
  }

  /** Rates events that were recorded without a price, each at most once. */
  rerate(json: string): Promise<string> {
    return this.handle<RerateMessage, RerateResult>(json, (draft, { items }, context) => {
      const outcomes = items.map((item) => applyRerate(draft, item, context))
      const count = (outcome: RerateOutcome) => outcomes.filter((one) => one === outcome).length
      return { kind: 'done', answer: { rated: count('rated'), unpaid: count('unpaid') } }
    })
  }

  /** The events that have no price yet, and how some that had none were rated. */
  async unrated(json: string): Promise<string> {
    const { caller, before_entry, limit, amended }: UnratedMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    const { unrated } = this.store
    return reply<UnratedResult>({
      kind: 'done',
      answer: {
        events: unrated.before(before_entry ?? Number.MAX_SAFE_INTEGER, limit).map(({ entry }) => entry),
        amendments: amended.flatMap((entry): [number, Amendment][] => {
          const amendment = unrated.amendment(entry)
          return amendment ? [[entry, amendment]] : []
        }),
        opened_at_ms: context.ids.opened_at_ms,
      },
    })
  }

  /** Voids, refunds, transfers, adjustments, overdraft limits. */
  move(json: string): Promise<string> {
    return this.handle<MovementMessage, MovementResult>(json, (draft, message, { ids }) =>
      applyMovement(draft, message, ids),
    )
  }

  /** Opens, captures, releases and extends holds. */
  hold(json: string): Promise<string> {
    return this.handle<HoldMessage, HoldResult>(json, applyHold)
  }

  /** The open holds of the ledger or of one wallet, newest first. */
  async holds(json: string): Promise<string> {
    const message: HoldsMessage = JSON.parse(json)
    const context = this.admit(message.caller)
    if (context.kind === 'refused') return reply(context)
    return reply<HoldsResult>({
      kind: 'done',
      answer: readHolds(this.store, this.draft(), context.ids, message),
    })
  }

  async balance(json: string): Promise<string> {
    return reply(await this.readWallet(JSON.parse(json), balanceAnswer))
  }

  /** The open lots of a wallet in burn order. */
  async lots(json: string): Promise<string> {
    return reply(await this.readWallet(JSON.parse(json), lotAnswers))
  }

  /** The grants that come again, newest first. */
  async recurringGrants(json: string): Promise<string> {
    const { caller, owner }: RecurringMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    return reply<WalletResult<RecurringAnswer[]>>({
      kind: 'done',
      answer: recurringAnswers(this.store, this.draft(), context.ids, owner),
    })
  }

  /** The entries that D1 may not have yet, newest first, and where D1's begin. */
  async entries(json: string): Promise<string> {
    const message: EntriesMessage = JSON.parse(json)
    const context = this.admit(message.caller)
    if (context.kind === 'refused') return reply(context)
    return reply<EntriesResult>(readUnflushed(this.store, context.ids, message))
  }

  /** Saves a burn table or a new version of one: what is ingested next is rated by it. */
  async saveBurnTable(json: string): Promise<string> {
    const { caller, change, idempotency }: SaveBurnTableMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    const { burnTables } = this.store
    const outcome = this.commit((draft) =>
      applyBurnTable(draft, burnTables, change, idempotency, this.config),
    )
    this.tables.refresh()
    if (outcome.kind === 'refused') return reply(outcome)
    const { kind, format } = outcome
    const answer =
      outcome.kind === 'done'
        ? burnTableAnswer(burnTables, outcome.row)
        : savedAnswer(burnTables, outcome.version)
    return reply<BurnTableResult>({ kind, format, answer })
  }

  /** Ends a burn table now; events of earlier times still fall under it. */
  async deactivateBurnTable(json: string): Promise<string> {
    const { caller, id }: DeactivateBurnTableMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    const result = deactivateBurnTable(this.store.burnTables, id, Date.now())
    this.tables.refresh()
    return reply<BurnTableResult>(result)
  }

  async burnTables(json: string): Promise<string> {
    const { caller, question }: BurnTablesMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    return reply<BurnTablesResult>(readBurnTables(this.store.burnTables, this.tables, question, Date.now()))
  }

  /** What items would cost, each by the table of its time. Moves nothing. */
  async quote(json: string): Promise<string> {
    const { caller, items }: QuoteMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    const now_ms = Date.now()
    return reply<QuoteResult>({ kind: 'done', quotes: items.map((item) => quote(this.tables, item, now_ms)) })
  }

  /** All burn tables of a live ledger, for the test ledger of the same customer. */
  async burnTableSnapshot(): Promise<string> {
    return JSON.stringify(this.store.burnTables.snapshot())
  }

  /** Takes over the live ledger's burn tables; older ones, and those of a ledger that nobody opened, are left. */
  async acceptBurnTables(json: string): Promise<void> {
    if (!this.store.identity) return
    const snapshot: BurnTableSnapshot = JSON.parse(json)
    this.ctx.storage.transactionSync(() => this.store.burnTables.accept(snapshot))
    this.tables.refresh()
  }

  /** Makes, replaces or deletes an entitlement: what is ingested next is under it. */
  async changeEntitlement(json: string): Promise<string> {
    const message: ChangeEntitlementMessage = JSON.parse(json)
    const context = this.admit(message.caller)
    if (context.kind === 'refused') return reply(context)
    return reply<EntitlementResult>(
      this.commit((draft) => applyEntitlement(draft, this.store.entitlements, message)),
    )
  }

  async entitlements(json: string): Promise<string> {
    const { caller, question }: EntitlementsMessage = JSON.parse(json)
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    const answer = readEntitlements(this.store.entitlements, question)
    return reply<EntitlementsResult>(
      'code' in answer ? { kind: 'refused', refusal: answer } : { kind: 'done', answer },
    )
  }

  /**
   * Whether a use would go through now, on a draft that is dropped: nothing is written, whatever falls due in it. Only a
   * hold on the estimate is a change.
   */
  async checkEntitlement(json: string): Promise<string> {
    const { caller, question, hold_ms, idempotency }: CheckMessage = JSON.parse(json)
    if (hold_ms !== null) {
      const request = { question, hold_ms, ...(idempotency && { idempotency }) }
      const result = await this.change<CheckResult>(caller, weightOf(json.length), (draft, context) =>
        checkAndHold(draft, request, context),
      )
      return reply(result)
    }
    const context = this.admit(caller)
    if (context.kind === 'refused') return reply(context)
    const draft = new Draft(this.store, this.store.counters, Date.now())
    return reply<CheckResult>(checkUse(draft, question, context))
  }

  /** What changed of a live ledger's entitlements, for the test ledger of the same customer. */
  async entitlementsAfter(revision: number): Promise<string> {
    return JSON.stringify(this.store.entitlements.changedAfter(revision, MAX_ENTITLEMENTS_SHARED_AT_ONCE))
  }

  /** The last change of entitlements that this ledger has. */
  async entitlementRevision(): Promise<number> {
    return this.store.entitlements.last.revision
  }

  /** Takes over changes of the live ledger's entitlements, if this one was opened; whether there may be more. */
  async acceptEntitlements(json: string): Promise<boolean> {
    if (!this.store.identity) return false
    const changed: Entitlement[] = JSON.parse(json)
    this.ctx.storage.transactionSync(() => this.store.acceptEntitlements(changed))
    return changed.length === MAX_ENTITLEMENTS_SHARED_AT_ONCE
  }

  /** Brings D1 up to everything that is committed: whoever was mentioned is then found there. */
  async catchUp(json: string): Promise<string> {
    const { caller }: CatchUpMessage = JSON.parse(json)
    const result = await this.project<CatchUpResult>(caller, async () => {
      const caught_up = await this.projector.catchUp()
      return caught_up ? { kind: 'done' } : UNAVAILABLE
    })
    return reply(result)
  }

  /** Erases a user or a team here and in D1, and keeps the ledger. */
  async eraseSubject(json: string): Promise<string> {
    const { caller, kind, id }: EraseMessage = JSON.parse(json)
    const result = await this.project<EraseResult>(caller, () => this.projector.erase(kind, id))
    this.armForAll()
    return reply(result)
  }

  async revokeKey(key_id: string): Promise<void> {
    this.store.revoke(key_id, Date.now())
  }

  async ping(): Promise<'pong'> {
    return 'pong'
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

  private async attempt(work: AlarmWork, run: () => Promise<void>): Promise<void> {
    try {
      await run()
      this.failures[work] = 0
    } catch (error) {
      this.failures[work]++
      this.log('ledger_alarm_failed', error, { work, failures: this.failures[work] })
    }
  }

  /** Wallet by wallet: a broken one, which fails again at every alarm, keeps nobody else's lots from expiring. */
  private async settleDueWallets(): Promise<void> {
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

  private async flush(): Promise<'all' | 'a part'> {
    return this.store.identity ? this.projector.advance() : 'all'
  }

  /** Brings the table of limit counters up to the journal. Costs nothing when nothing was counted. */
  private checkpoint(): void {
    if (!this.store.limits.isDirty) return
    this.ctx.storage.transactionSync(() => this.store.writeCheckpoint())
    this.store.checkpointed()
  }

  private async forget(): Promise<void> {
    const before_ms = this.forgetsBefore()
    for (let freed = 0; freed < MAX_FREED_PER_ALARM; ) {
      const length = this.ctx.storage.transactionSync(() => this.store.journal.forgetBefore(before_ms))
      if (length === 0) return
      freed += length
      await scheduler.wait(0)
    }
  }

  /** Journal rows that were committed before this have lived their time. */
  private forgetsBefore(): number {
    return Date.now() - this.config.idempotency_window_ms
  }

  /** A message that changes something, and its answer. Room is asked for before anything is parsed. */
  private async handle<M extends { readonly caller: Caller }, T extends { readonly kind: string }>(
    json: string,
    apply: (draft: Draft, message: M, context: BurnContext) => T,
  ): Promise<string> {
    if (!this.group.hasRoom(weightOf(json.length))) return reply(OVERLOADED)
    const message: M = JSON.parse(json)
    const weight = weightOf(json.length, eventsIn(message))
    return reply(
      await this.change<T>(message.caller, weight, (draft, context) => apply(draft, message, context)),
    )
  }

  /** Admits the caller, then works with D1; when D1 fails, what is left of the work is done at the next try. */
  private async project<T>(caller: Caller, work: () => Promise<T>): Promise<T | Refused> {
    const context = this.admit(caller)
    if (context.kind === 'refused') return context
    try {
      return await work()
    } catch (error) {
      this.log('ledger_projection_failed', error)
      return UNAVAILABLE
    }
  }

  /** Admits the caller, then applies the change in the next group commit. */
  private async change<T>(
    caller: Caller,
    weight: number,
    apply: (draft: Draft, context: BurnContext) => T,
  ): Promise<T | Refused> {
    const context = this.admit(caller)
    if (context.kind === 'refused') return context
    return this.submit(weight, (draft) => apply(draft, context))
  }

  private submit<T>(weight: number, apply: Apply<T>): Promise<T | Refused> {
    return this.group.hasRoom(weight) ? this.group.submit(weight, apply) : Promise.resolve(OVERLOADED)
  }

  /** Refuses keys that were revoked, and ledgers that nobody opened. */
  private admit(caller: Caller): (BurnContext & { readonly kind: 'admitted' }) | Refused {
    if (!this.store.identity) return { kind: 'refused', refusal: { code: 'unavailable' } }
    if (this.store.isRevoked(caller.key_id)) return { kind: 'refused', refusal: { code: 'revoked_api_key' } }
    return { kind: 'admitted', ...this.context() }
  }

  private projection(): Projection {
    const { identity } = this.store
    if (!identity) throw new Error('the ledger was not opened')
    const db = ledgerDb(this.env, identity.customer_id)
    return { db, ledger_id: ledgerKey(identity), ids: this.context().ids }
  }

  private context(): BurnContext {
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
   * before anything is written: whoever catches it may try again.
   */
  private commit<T>(change: (draft: Draft) => T, identity?: Identity): T {
    const draft = this.draft()
    const result = change(draft)
    if (draft.isEmpty && !identity) return result
    const written = this.ctx.storage.transactionSync(() => this.store.write(draft, identity))
    this.publish(draft, written, identity)
    return result
  }

  /** What a commit begins with; dropped, it has changed nothing. */
  private draft(): Draft {
    return new Draft(this.store, this.store.counters, Date.now())
  }

  /**
   * What was written becomes what is read. Never throws, since the write must not be tried again: if memory cannot
   * follow the disk, the object starts anew from the disk, and its callers learn that they do not know.
   */
  private publish(draft: Draft, written: Written, identity?: Identity): void {
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
  private timeNow(): number {
    return Math.max(Date.now(), this.store.counters.at_ms)
  }

  /** Reads a wallet as it is now; only if something in it fell due does the read write. */
  private async readWallet<T>(
    { caller, owner }: WalletMessage,
    read: (ids: LedgerIds, wallet: Wallet) => T,
  ): Promise<WalletResult<T>> {
    const context = this.admit(caller)
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
  private armForAll(flushed: 'all' | 'a part' = 'all'): void {
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
  private arm(next: {
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

  private async setAlarm(at_ms: number): Promise<void> {
    this.alarmAt = at_ms
    try {
      await this.ctx.storage.setAlarm(at_ms)
    } catch (error) {
      this.log('alarm_not_set', error)
      if (this.alarmAt === at_ms) this.alarmAt = null
    }
  }

  private log(event: string, error: unknown, fields: Readonly<Record<string, string | number>> = {}): void {
    const { identity: ledger } = this.store
    console.error(JSON.stringify({ level: 'error', event, ledger, ...fields, error: String(error) }))
  }
}

const OVERLOADED: Refused = { kind: 'refused', refusal: { code: 'overloaded' } }
const UNAVAILABLE: Refused = { kind: 'refused', refusal: { code: 'unavailable' } }

/** A broken ledger must not flood the log. */
const MAX_LOGGED = 10

/** How many events a message brings, for those that bring many. */
function eventsIn(message: object): number {
  return 'items' in message && Array.isArray(message.items) ? message.items.length : 1
}

function giveSignupGrant(draft: Draft, amount_micro: number): void {
  applyCredit(draft, {
    type: 'GRANT',
    owner: { kind: 'customer' },
    amount: microCredits(amount_micro),
    lot_kind: 'promo',
    priority: 50,
    expires_at_ms: null,
    reason: 'Sign-up grant',
  })
}

function balanceAnswer(ids: LedgerIds, wallet: Wallet): BalanceAnswer {
  return {
    wallet_id: ids.wallet(wallet.number),
    balance: wallet.balance,
    reserved: reserved(wallet),
    available: available(wallet),
    overdraft_limit: wallet.overdraft_limit,
    expiring_next: expiringNext(wallet.lots),
  }
}

function lotAnswers(ids: LedgerIds, wallet: Wallet): LotAnswer[] {
  return wallet.lots.map((lot) => ({
    lot_id: ids.lot(lot.number),
    kind: lot.kind,
    amount: lot.amount,
    left: lot.left,
    reserved: lot.held,
    priority: lot.priority,
    expires_at_ms: lot.expires_at_ms,
    created_at_ms: lot.created_at_ms,
  }))
}

/** A read of all recurring grants looks into no more wallets than this: those in which something will fall due. */
const MAX_WALLETS_READ = 1000

/** As they are now: what has come meanwhile is applied to a draft that the caller drops. */
function recurringAnswers(
  store: LedgerStore,
  draft: Draft,
  ids: LedgerIds,
  owner: WalletOwner | null,
): RecurringAnswer[] {
  const wallet = owner && store.wallet(walletKey(owner))
  const wallets = owner ? (wallet ? [wallet] : []) : store.walletsWithDue(MAX_WALLETS_READ)
  return wallets
    .map((wallet) => settle(draft, wallet))
    .flatMap((wallet) =>
      wallet.recurring.map((grant) => ({
        recurring_grant_id: ids.recurringGrant({ ...grant, wallet: wallet.number }),
        wallet_id: ids.wallet(wallet.number),
        owner: wallet.owner,
        grant,
      })),
    )
    .sort((a, b) => b.grant.number - a.grant.number)
}

function noWallet(kind: 'customer' | 'user' | 'team'): Refusal {
  return {
    code: 'not_found',
    detail: `This ${kind} has no wallet. A grant or a purchase makes one.`,
  }
}

/** One JSON string, typed by what it says. */
function reply<T extends { readonly kind: string }>(result: T): string {
  return JSON.stringify(result)
}
