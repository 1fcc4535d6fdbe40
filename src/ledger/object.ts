import { DurableObject } from 'cloudflare:workers'
import { type Bindings, type Config, configOf } from '../config.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { microCredits } from '../pricing/money.ts'
import { flushJournal } from '../projection/flush.ts'
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
import { type Apply, GroupCommit } from './group-commit.ts'
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
import { type Identity, LedgerStore } from './store.ts'
import type { Amendment } from './unrated-rows.ts'
import { available, reserved, type Wallet, walletDueAt, walletKey } from './wallet.ts'

/** The key of the sign-up grant: a customer's key cannot be it, because theirs are printable. */
const SIGNUP_KEY = '\u0000signup'

const MAX_DUE_WALLETS_PER_ALARM = 500
const MAX_FLUSHES_PER_ALARM = 20
const MAX_ROWS_FREED_PER_ALARM = 50
const MAX_ENTITLEMENTS_SHARED_AT_ONCE = 200

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
  private burnContext: BurnContext | null = null
  private alarmAt: number | null = null
  private failures = 0

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    this.config = configOf(env)
    this.store = new LedgerStore(ctx.storage.sql)
    this.tables = new BurnTables(this.store.burnTables, this.config)
    this.group = new GroupCommit((change) => this.commit(change))
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

  async ingest(json: string): Promise<string> {
    const message: IngestMessage = JSON.parse(json)
    const weight = message.shape === 'single' ? 1 : message.items.length
    const result = await this.change<IngestResult>(message.caller, weight, (draft, context) =>
      applyIngest(draft, message, context),
    )
    return reply(result)
  }

  async credit(json: string): Promise<string> {
    const message: CreditMessage = JSON.parse(json)
    const result = await this.change<CreditResult>(message.caller, 1, (draft, context) => {
      const outcome = applyCredit(draft, message)
      if (outcome.kind === 'refused') return outcome
      const answer = creditAnswer(context.ids, outcome.entry)
      if (outcome.kind === 'done') payUnpaid(draft, outcome.entry.wallet, context)
      return { kind: outcome.kind, format: outcome.format, answer }
    })
    return reply(result)
  }

  /** Rates events that were recorded without a price, each at most once. */
  async rerate(json: string): Promise<string> {
    const { caller, items }: RerateMessage = JSON.parse(json)
    const result = await this.change<RerateResult>(caller, items.length, (draft, context) => {
      const outcomes = items.map((item) => applyRerate(draft, item, context))
      const count = (outcome: RerateOutcome) => outcomes.filter((one) => one === outcome).length
      return { kind: 'done', answer: { rated: count('rated'), unpaid: count('unpaid') } }
    })
    return reply(result)
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
  async move(json: string): Promise<string> {
    const message: MovementMessage = JSON.parse(json)
    const result = await this.change<MovementResult>(message.caller, 1, (draft, { ids }) =>
      applyMovement(draft, message, ids),
    )
    return reply(result)
  }

  /** Opens, captures, releases and extends holds. */
  async hold(json: string): Promise<string> {
    const message: HoldMessage = JSON.parse(json)
    const result = await this.change<HoldResult>(message.caller, 1, (draft, context) =>
      applyHold(draft, message, context),
    )
    return reply(result)
  }

  /** The open holds of the ledger or of one wallet, newest first. */
  async holds(json: string): Promise<string> {
    const message: HoldsMessage = JSON.parse(json)
    const context = this.admit(message.caller)
    if (context.kind === 'refused') return reply(context)
    return reply<HoldsResult>({
      kind: 'done',
      answer: readHolds(this.store, context.ids, message, this.timeNow()),
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
      answer: recurringAnswers(this.store, context.ids, owner),
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
      const result = await this.change<CheckResult>(caller, 1, (draft, context) =>
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
    let failed = false
    // Each by itself: one broken wallet must not keep the entries of all others from D1.
    for (const work of [() => this.settleDueWallets(), () => this.flush(), () => this.forget()]) {
      try {
        await work()
      } catch (error) {
        failed = true
        const { identity: ledger } = this.store
        console.error(
          JSON.stringify({
            event: 'ledger_alarm_failed',
            ledger,
            failures: this.failures + 1,
            error: String(error),
          }),
        )
      }
    }
    this.failures = failed ? this.failures + 1 : 0
    this.armForAll()
  }

  private settleDueWallets(): void {
    const due = this.store.dueWallets(this.timeNow(), MAX_DUE_WALLETS_PER_ALARM)
    if (due.length === 0) return
    this.commit((draft) => {
      // Written even if nothing was due yet: that moves the time at which the alarm looks again.
      for (const wallet of due) draft.change(settle(draft, wallet))
    })
  }

  private async flush(): Promise<void> {
    const { identity } = this.store
    if (!identity) return
    const db = ledgerDb(this.env, identity.customer_id)
    this.checkpoint()
    for (let i = 0; i < MAX_FLUSHES_PER_ALARM && this.store.isDirty; i++) {
      const flushed = await flushJournal(this.store, this.context().ids, db, ledgerKey(identity), Date.now())
      this.checkpoint()
      this.store.writeFlushed(flushed)
    }
  }

  /** Brings the table of limit counters up to the journal. Costs nothing when nothing was counted. */
  private checkpoint(): void {
    if (!this.store.limits.isDirty) return
    this.ctx.storage.transactionSync(() => this.store.writeCheckpoint())
    this.store.checkpointed()
  }

  private forget(): void {
    const before_ms = Date.now() - this.config.idempotency_window_ms
    this.ctx.storage.transactionSync(() => this.store.forgetBefore(before_ms, MAX_ROWS_FREED_PER_ALARM))
  }

  /** Admits the caller, then applies the change in the next group commit. */
  private async change<T>(
    caller: Caller,
    weight: number,
    apply: (draft: Draft, context: BurnContext) => T,
  ): Promise<T | Refused> {
    const context = this.admit(caller)
    if (context.kind === 'refused') return context
    if (!this.group.hasRoom(weight)) return { kind: 'refused', refusal: { code: 'overloaded' } }
    const inGroup: Apply<T> = (draft) => apply(draft, context)
    return this.group.submit(weight, inGroup)
  }

  /** Refuses keys that were revoked, and ledgers that nobody opened. */
  private admit(caller: Caller): (BurnContext & { readonly kind: 'admitted' }) | Refused {
    if (!this.store.identity) return { kind: 'refused', refusal: { code: 'unavailable' } }
    if (this.store.isRevoked(caller.key_id)) return { kind: 'refused', refusal: { code: 'revoked_api_key' } }
    return { kind: 'admitted', ...this.context() }
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
   * for the disk by themselves (output gate), so what is answered after this is durable.
   */
  private commit<T>(change: (draft: Draft) => T, identity?: Identity): T {
    const draft = new Draft(this.store, this.store.counters, Date.now())
    const result = change(draft)
    if (draft.isEmpty && !identity) return result
    const rows = this.ctx.storage.transactionSync(() => this.store.write(draft, identity))
    this.store.publish(draft, rows, identity)
    this.arm(earliest([...draft.wallets.values()].map(walletDueAt)))
    return result
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
    const answer =
      due_at_ms === null || due_at_ms > this.timeNow()
        ? read(context.ids, wallet)
        : await this.group.submit(1, (draft) =>
            read(context.ids, settle(draft, draft.wallet(owner) ?? wallet)),
          )
    return { kind: 'done', answer }
  }

  /** Arms the alarm for whatever is next in the whole ledger. */
  private armForAll(): void {
    const oldest_row_at_ms = this.store.oldestFreeableRowAt()
    const forget_at_ms =
      oldest_row_at_ms === null ? null : oldest_row_at_ms + this.config.idempotency_window_ms
    this.arm(this.store.nextDueAt(), forget_at_ms)
  }

  /** Sees to it that the alarm rings when it is next needed; moves it only to an earlier time. */
  private arm(due_at_ms: number | null, forget_at_ms: number | null = null): void {
    const now_ms = Date.now()
    const at_ms = nextAlarmAt({
      now_ms,
      flush_at_ms: this.store.isDirty ? now_ms + this.config.flush_delay_ms : null,
      due_at_ms,
      forget_at_ms,
      failures: this.failures,
    })
    if (at_ms === null || (this.alarmAt !== null && this.alarmAt <= at_ms)) return
    this.alarmAt = at_ms
    void this.ctx.storage.setAlarm(at_ms)
  }
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
    idempotency: { key: SIGNUP_KEY, fingerprint: SIGNUP_KEY },
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

function recurringAnswers(store: LedgerStore, ids: LedgerIds, owner: WalletOwner | null): RecurringAnswer[] {
  const wallet = owner && store.wallet(walletKey(owner))
  const wallets = owner ? (wallet ? [wallet] : []) : store.walletsWithDue(MAX_WALLETS_READ)
  return wallets
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
