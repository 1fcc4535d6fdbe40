import { DurableObject } from 'cloudflare:workers'
import type { Bindings } from '../bindings.ts'
import { type Config, configOf } from '../config.ts'
import { memoryOf } from '../db/json-parameters.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { type LogFields, logError, logFailure } from '../logging/log.ts'
import { acceptsLivemode, stripeOf } from '../stripe/account.ts'
import { Admission } from './admission/admission.ts'
import { watch } from './alerts/watch.ts'
import { BurnTables } from './burn-tables/compiled.ts'
import type { BurnContext } from './burns/rate.ts'
import { shareErasure } from './client/test-ledger.ts'
import { Commits, LedgerFull, weightOf } from './commit/commits.ts'
import type { Draft } from './commit/draft.ts'
import { type Identity, LedgerStore } from './commit/store.ts'
import { LedgerAlarm } from './flush/alarm.ts'
import { type Projection, Projector } from './flush/projector.ts'
import type { Caller } from './model/account.ts'
import { parse } from './model/json.ts'
import { LedgerIds, tagOf } from './model/ledger-ids.ts'
import { packResult } from './model/messages/packed-result.ts'
import type { PaymentFigures } from './model/payments.ts'
import { OVERLOADED, type Refused, UNAVAILABLE } from './model/refusal.ts'
import { notifyOfChanges } from './notifications/changes.ts'
import { type LedgerContext, type Request, runOperation } from './operations.ts'
import { reportPaymentFigures } from './payments/figures.ts'
import { noteLowWallets } from './payments/payers.ts'
import { LedgerPayments } from './payments/payments.ts'
import { PaymentProvider } from './payments/provider.ts'
import { type LedgerRpc, type OperationName, operationOf, type Reply, type ResultOf } from './rpc.ts'
import { migrate } from './tables.ts'

/**
 * The ledger of one customer in one mode. It is single-threaded, and only it moves the customer's credits. This file
 * admits requests and connects the parts of the ledger. `operations.ts` contains the handlers.
 */
export class CustomerLedger extends DurableObject<Bindings> implements LedgerRpc {
  private readonly config: Config
  private readonly ledger: LedgerContext
  private readonly admission: Admission
  private burnContext: BurnContext | null = null
  private ids: LedgerIds | undefined

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    this.config = configOf(env)
    migrate(ctx.storage)
    const { storage } = ctx
    const store = new LedgerStore(storage.sql)
    const config = () => this.config
    const projection = () => this.projection()
    const log = (event: string, error: unknown, fields?: LogFields) => this.log(event, error, fields)
    const commits = new Commits({
      ctx,
      store,
      max_bytes: () => this.config.max_ledger_bytes,
      complete: (draft, identity) => this.complete(draft, identity),
      onCommitted: (draft) => this.ledger.alarms.armForCommit(draft),
      log,
    })
    const projector = new Projector({
      store,
      projection,
      transaction: (write) => storage.transactionSync(write),
      commit: (change, also) => commits.commit(change, undefined, also),
      checkpoint: () => commits.checkpoint(),
      shareErasure: async () => {
        const { customer_id, mode } = this.identity()
        if (mode === 'live') await shareErasure(this.env, customer_id)
      },
    })
    const { group } = commits
    const now = () => commits.now_ms
    const ids = () => this.currentBurnContext().ids
    const provider = () => this.provider()
    const reversals = () => this.config.payment_reversals
    const report = (figures: PaymentFigures) => this.reportPayments(figures)
    const payments = new LedgerPayments({ storage, store, commits, provider, ids, reversals, report, log })
    const alarms = new LedgerAlarm({
      payments,
      storage,
      store,
      group,
      projector,
      config,
      projection,
      now,
      log,
    })
    const tables = new BurnTables(store.burnTables, this.config)
    const burnContext = () => this.currentBurnContext()
    this.ledger = { storage, store, tables, commits, projector, alarms, payments, config, burnContext, log }
    this.admission = new Admission(store, config)
    ctx.blockConcurrencyWhile(() => alarms.restore())
  }

  /**
   * Runs an operation for a caller. The caller and the message are JSON. An overloaded object refuses a change without
   * parsing the message.
   */
  handle(
    name: OperationName,
    caller_json: string,
    message_json: string,
    texts: readonly string[] = [],
  ): Reply | Promise<Reply> {
    return this.answer(name, caller_json, message_json, texts, JSON.stringify)
  }

  /**
   * Runs the operation `ingest` with a packed message. If an object of an earlier deployment does not have this
   * method, the Worker calls `handle` instead. A Worker of an earlier deployment does not request packed results.
   */
  ingest(
    caller_json: string,
    packed: string,
    texts: readonly string[],
    packs = false,
  ): Reply | Promise<Reply> {
    return this.answer('ingest', caller_json, packed, texts, packs ? packResult : JSON.stringify)
  }

  /**
   * Runs an operation and returns its reply. Returns a promise only if the operation is asynchronous, because a
   * promise takes 4 % of the CPU time of a read.
   */
  private answer<N extends OperationName>(
    name: N,
    caller_json: string,
    message_json: string,
    texts: readonly string[],
    write: (result: ResultOf<N> | Refused) => string,
  ): Reply | Promise<Reply> {
    const { access } = operationOf(name)
    const caller = parse<Caller>(caller_json)
    // The size of the whole message, including its texts, which are sent separately only if they are large.
    const length = texts.reduce((sum, text) => sum + memoryOf(text), message_json.length)
    const request: Request = { caller, length, texts }
    const { rate, refusal } = access === 'service' ? {} : this.admission.admit(caller, access)
    const written = (result: ResultOf<N> | Refused) => reply(write(result), rate)
    if (refusal) return written(refusal)
    const { group } = this.ledger.commits
    const waits = access === 'write' || access === 'upkeep'
    if (waits && !group.hasRoom(weightOf(length))) return written(OVERLOADED)
    const failed = (error: unknown) => {
      if (!(error instanceof LedgerFull)) throw error
      return written(UNAVAILABLE)
    }
    try {
      const result = runOperation(this.ledger, name, message_json, request)
      return result instanceof Promise ? result.then(written, failed) : written(result)
    } catch (error) {
      return failed(error)
    }
  }

  /**
   * Arms the alarm again, because Cloudflare might have stopped retrying it. `d1_row` is the last journal row that D1
   * has. If `d1_row` is less than the object's cursor, D1 was restored from a backup, and the cursor is moved back.
   */
  async wake(d1_row?: number): Promise<void> {
    const { store, alarms, projector } = this.ledger
    if (d1_row !== undefined && d1_row < store.journal.flushedRow) {
      await alarms.attempt('flush', () => projector.realign())
    }
    await alarms.restore()
  }

  async ping(): Promise<'pong'> {
    return 'pong'
  }

  /**
   * Runs the due tasks. Catches errors and arms the alarm again, because Cloudflare stops retrying an alarm after six
   * failures.
   */
  override async alarm(): Promise<void> {
    const { store, commits, alarms } = this.ledger
    const flushed = await alarms.ring()
    commits.measure()
    if (commits.isFull) {
      const { database_bytes } = commits
      logFailure('ledger_full', { ...placeOf(store.identity), database_bytes })
    }
    alarms.armForAll(flushed)
  }

  private complete(draft: Draft, identity: Identity): void {
    const { store } = this.ledger
    const ids = this.idsOf(identity)
    noteLowWallets(draft)
    notifyOfChanges(draft, ids, store)
    watch(draft, ids, store)
  }

  private idsOf(identity: Identity): LedgerIds {
    const { opened_at_ms } = identity
    // A failed attempt to open the ledger might have set `ids` with another time.
    if (this.ids?.opened_at_ms !== opened_at_ms) this.ids = new LedgerIds(tagOf(identity), opened_at_ms)
    return this.ids
  }

  private projection(): Projection {
    const identity = this.identity()
    const db = ledgerDb(this.env, identity.customer_id)
    const { USAGE: queue, NOTIFICATIONS: notifications } = this.env
    const { ids } = this.currentBurnContext()
    return { db, queue, notifications, ledger_id: ledgerKey(identity), ids }
  }

  private reportPayments(figures: PaymentFigures): Promise<void> {
    const { customer_id, mode } = this.identity()
    const ledger_id = ledgerKey({ customer_id, mode })
    return reportPaymentFigures(ledgerDb(this.env, customer_id), { mode, ledger_id }, figures)
  }

  /** Returns the payment provider; undefined if payments are not set up for the ledger's mode. */
  private provider(): PaymentProvider | undefined {
    const identity = this.identity()
    const stripe = stripeOf(this.env, identity.mode)
    if (!stripe) return undefined
    const { commits } = this.ledger
    const { ids } = this.currentBurnContext()
    return new PaymentProvider({
      stripe,
      ledger: ledgerKey(identity),
      idOf: (payment) => ids.payment(payment),
      acceptsLivemode: (livemode) => acceptsLivemode(this.env, identity.mode, livemode),
      now: () => commits.now_ms,
      log: (event, fields) => logFailure(event, { ...placeOf(identity), ...fields }),
    })
  }

  /** Returns the context of burns. Returns the same object until the customer's tier changes. */
  private currentBurnContext(): BurnContext {
    const { store, tables } = this.ledger
    const limits = this.config.limits[store.account.current.tier]
    if (this.burnContext?.quotas === limits) return this.burnContext
    const identity = this.identity()
    this.burnContext = {
      tables,
      ids: this.idsOf(identity),
      default_entitlement: this.config.default_entitlement,
      events_a_month: limits.events_a_month,
      quotas: limits,
    }
    return this.burnContext
  }

  private identity(): Identity {
    const { identity } = this.ledger.store
    if (!identity) throw new Error('the ledger was not opened: call the operation open first')
    return identity
  }

  private log(event: string, error: unknown, fields: LogFields = {}): void {
    logError(event, error, { ...placeOf(this.ledger.store.identity), ...fields })
  }
}

function placeOf(identity: Identity | null): LogFields {
  return { customer_id: identity?.customer_id, mode: identity?.mode }
}

function reply(result: string, rate: Reply['rate']): Reply {
  return rate ? { result, rate } : { result }
}
