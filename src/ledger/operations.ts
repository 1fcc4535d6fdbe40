import type { Config } from '../config.ts'
import { microCredits, ZERO_CREDITS } from '../pricing/money.ts'
import { applyAlert, readAlerts } from './alerts/changes.ts'
import { readBurnTables, savedAnswer, versionAnswer } from './burn-tables/answers.ts'
import { applyBurnTable, deactivateBurnTable } from './burn-tables/changes.ts'
import type { BurnTables } from './burn-tables/compiled.ts'
import { applyIngest } from './burns/ingest.ts'
import { type BurnContext, quote } from './burns/rate.ts'
import { applyRerate, payUnpaid, type RerateOutcome } from './burns/rerate.ts'
import { noteCall, openCall, settleCall } from './calls/calls.ts'
import { recordChange } from './commit/audit.ts'
import { type Commits, weightOf } from './commit/commits.ts'
import type { Draft } from './commit/draft.ts'
import type { LedgerStore } from './commit/store.ts'
import { auditedCredit, auditedMovement } from './credits/audit.ts'
import { applyCredit, creditResult } from './credits/credit.ts'
import { checkAndHold, checkUse } from './entitlements/check.ts'
import { applyEntitlement, readEntitlements } from './entitlements/entitlements.ts'
import type { LedgerAlarm } from './flush/alarm.ts'
import { booksOf, projectionState } from './flush/books.ts'
import type { Projector } from './flush/projector.ts'
import { applyHold } from './holds/holds.ts'
import { readHolds } from './holds/lists.ts'
import { readUnflushed } from './journal/unflushed.ts'
import type { Caller } from './model/account.ts'
import { parse } from './model/json.ts'
import { attachTexts } from './model/messages/events.ts'
import { parseIngest } from './model/messages/packed-ingest.ts'
import { notFound, type Refused, UNAVAILABLE } from './model/refusal.ts'
import type { Amendment } from './model/unrated.ts'
import { applyNotice, readUnflushedNotifications } from './notifications/notices.ts'
import { readPayments } from './payments/answers.ts'
import type { LedgerPayments } from './payments/payments.ts'
import { readTopUp, setTopUp } from './payments/rules.ts'
import type { MessageOf, OperationName, ResultOf } from './rpc.ts'
import { balanceAnswer, lotsPage, readWallet, recurringPage } from './wallets/answers.ts'

/** The parts of a ledger object that its operations use. */
export interface LedgerContext {
  readonly storage: DurableObjectStorage
  readonly store: LedgerStore
  readonly tables: BurnTables
  readonly commits: Commits
  readonly projector: Projector
  readonly alarms: LedgerAlarm
  readonly payments: LedgerPayments
  readonly config: () => Config
  /**
   * Returns the context of burns. Throws if the ledger was not opened. Admission refuses the requests of clients to an
   * unopened ledger before they are handled.
   */
  readonly burnContext: () => BurnContext
  readonly log: (event: string, error: unknown) => void
}

/** The data of a request other than its message. */
export interface Request {
  readonly caller: Caller
  /** The length of the message as JSON plus the memory of its texts. */
  readonly length: number
  readonly texts: readonly string[]
}

type Result<N extends OperationName> = ResultOf<N> | Refused

/** A handler that runs an operation at once. */
type Direct<N extends OperationName> = (
  ledger: LedgerContext,
  message: MessageOf<N>,
  request: Request,
) => Result<N> | Promise<Result<N>>

/** A handler that changes the draft of a group commit. The runtime sends the result when the commit is durable. */
interface Grouped<N extends OperationName> {
  /** Parses a message; absent if messages are always plain JSON. */
  readonly parse?: (message_json: string) => MessageOf<N>
  readonly apply: (
    draft: Draft,
    message: MessageOf<N>,
    context: BurnContext,
    request: Request,
    ledger: LedgerContext,
  ) => Result<N>
  /**
   * Set if the operation is accepted even if the database is full, because the operation records an event that has
   * already happened.
   */
  readonly always?: true
}

type Handler<N extends OperationName> = Direct<N> | Grouped<N>

const MAX_ENTITLEMENTS_SHARED_AT_ONCE = 200
const DONE = { kind: 'done' } as const

/** The handlers of a ledger object, one for each operation of `rpc.ts`. */
const HANDLERS: { readonly [N in OperationName]: Handler<N> } = {
  open({ store, commits }, { ledger, signup_grant_micro, account }) {
    if (!store.identity) {
      commits.commit(
        (draft) => {
          draft.createWallet({ kind: 'customer' })
          if (signup_grant_micro > 0) giveSignupGrant(draft, signup_grant_micro)
        },
        { ...ledger, opened_at_ms: Date.now() },
      )
    }
    // The account becomes durable together with the opening, because there is no await between the two writes.
    store.account.take(account)
    return { kind: 'opened' }
  },

  ingest: {
    parse: parseIngest,
    apply: (draft, message, context, { texts }) => applyIngest(draft, attachTexts(message, texts), context),
  },

  credit: {
    apply(draft, message, context, { caller }) {
      const outcome = recordChange(draft, caller, auditedCredit(draft, message, context))
      if (outcome.kind === 'done' && outcome.entry) payUnpaid(draft, outcome.entry.wallet, context)
      return creditResult(context.ids, outcome)
    },
  },

  move: {
    apply(draft, message, context, { caller }, { store }) {
      const { movement } = message
      const current =
        'past' in movement
          ? { ...message, movement: { ...movement, past: store.erasures.renamed(movement.past) } }
          : message
      return recordChange(draft, caller, auditedMovement(draft, current, context))
    },
  },

  hold: { apply: applyHold },

  openCall: { apply: openCall },
  noteCall: { apply: noteCall, always: true },
  settleCall: { apply: settleCall, always: true },

  holds: ({ store, commits, burnContext }, message) => ({
    kind: 'done',
    answer: readHolds(store, commits.draft(), burnContext().ids, message),
  }),

  rerate: {
    apply(draft, { items }, context) {
      const outcomes = items.map((item) => applyRerate(draft, item, context))
      const count = (outcome: RerateOutcome) => outcomes.filter((one) => one === outcome).length
      return {
        kind: 'done',
        answer: { rated: count('rated'), unpaid: count('unpaid') + count('over_limit') },
      }
    },
  },

  unrated({ store: { unrated }, burnContext }, message) {
    const { amended, models_limit } = message
    const answer = {
      ...unrated.page(message),
      ...(models_limit !== undefined && { models: unrated.models(models_limit) }),
      amendments: amended.flatMap((entry): [number, Amendment][] => {
        const amendment = unrated.amendment(entry)
        return amendment ? [[entry, amendment]] : []
      }),
      opened_at_ms: burnContext().ids.opened_at_ms,
    }
    return { kind: 'done', answer }
  },

  unratedSummaries: ({ store }, { after, limit }) => ({
    kind: 'done',
    answer: store.unrated.summaries(after, limit),
  }),

  balance: ({ store, commits, burnContext }, { owner }) =>
    readWallet(store, commits, owner, (wallet) => balanceAnswer(burnContext().ids, wallet)),

  lots: ({ store, commits, burnContext }, message) =>
    readWallet(store, commits, message.owner, (wallet) =>
      lotsPage(burnContext().ids, wallet, message, commits.now_ms),
    ),

  recurringGrants: ({ store, commits, burnContext }, message) => ({
    kind: 'done',
    answer: recurringPage(store, commits.draft(), burnContext().ids, message),
  }),

  entries: ({ store, burnContext }, message) => readUnflushed(store, burnContext().ids, message),

  notifications({ store, projector }, message) {
    // A new stream calls this operation first. Notifications are flushed early while a client listens.
    projector.isListenedTo = true
    return readUnflushedNotifications(store.journal, message)
  },

  notify: { apply: applyNotice, always: true },

  projectionState: ({ store, commits, burnContext }, { with_wallets }) => ({
    kind: 'done',
    answer: projectionState(store, burnContext().ids, {
      now_ms: Date.now(),
      database_bytes: commits.database_bytes,
      with_wallets,
    }),
  }),

  saveBurnTable({ store: { burnTables }, tables, commits, config }, message, { caller }) {
    const outcome = commits.commit((draft) =>
      commits.rejectIfFull(draft, () =>
        recordChange(draft, caller, applyBurnTable(draft, burnTables, message, config())),
      ),
    )
    tables.refresh()
    if (outcome.kind === 'refused') return outcome
    return { ...outcome, answer: savedAnswer(burnTables, outcome.answer) }
  },

  deactivateBurnTable({ store, tables, commits }, { id }, { caller }) {
    const result = commits.commit((draft) =>
      recordChange(draft, caller, deactivateBurnTable(draft, store.burnTables, id)),
    )
    tables.refresh()
    return result
  },

  burnTables: ({ store, tables }, { question }) =>
    readBurnTables(store.burnTables, tables, question, Date.now()),

  explain({ store, tables }, { burn_table_version, entry }) {
    const given = entry === null ? undefined : store.givenBack(entry)
    return {
      kind: 'done',
      answer: {
        table: versionAnswer(store.burnTables, tables, burn_table_version),
        given_back: given?.amount ?? ZERO_CREDITS,
        voided: given?.voided ?? false,
        late_lots: entry === null ? [] : (store.amendment(entry)?.lots ?? []),
      },
    }
  },

  quote({ tables }, { items }) {
    const now_ms = Date.now()
    return { kind: 'done', quotes: items.map((item) => quote(tables, item, now_ms)) }
  },

  changeEntitlement: ({ store, commits, burnContext }, message, { caller }) =>
    commits.commit((draft) =>
      commits.rejectIfFull(draft, () =>
        recordChange(
          draft,
          caller,
          applyEntitlement(draft, store.entitlements, message, burnContext().quotas),
        ),
      ),
    ),

  entitlements: ({ store }, { question }) => readEntitlements(store.entitlements, question),

  changeAlert({ store, commits, alarms }, message) {
    const result = commits.commit((draft) =>
      commits.rejectIfFull(draft, () => applyAlert(draft, store.alerts, message)),
    )
    alarms.armForAll()
    return result
  },

  alerts: ({ store }, message) => readAlerts(store.alerts, message),

  // The draft is never committed, so nothing is written, even if items are due in it.
  checkEntitlement: ({ commits, burnContext }, { question }, { caller }) =>
    checkUse(commits.draft(), question, { ...burnContext(), key_id: caller.key_id }),

  checkAndHold: { apply: checkAndHold },

  async checkout({ payments }, message) {
    return payments.checkout(message)
  },

  payments: ({ store, burnContext }, message) =>
    readPayments(store.paymentIntents, burnContext().ids, message),

  // A Stripe event can name a ledger that was never opened in this deployment.
  async checkPayment({ store, payments }, { number, reference }) {
    if (!store.identity) return notFound('Payment')
    const result = await payments.check(number, { reference })
    return 'kind' in result ? result : DONE
  },

  topUp: ({ commits, burnContext }, { owner }) => readTopUp(commits.draft(), owner, burnContext().ids),

  setTopUp: {
    apply: (draft, message, { ids }, { caller }) =>
      recordChange(draft, caller, setTopUp(draft, message, ids)),
  },

  catchUp: (ledger) => withD1(ledger, async () => ((await ledger.projector.catchUp()) ? DONE : UNAVAILABLE)),

  async eraseSubject(ledger, { kind, id }, { caller }) {
    const result = await withD1(ledger, () => ledger.projector.erase(caller, kind, id))
    ledger.alarms.armForAll()
    return result
  },

  revokeKey({ store }, { key_id, at_ms }) {
    store.revoke(key_id, at_ms)
    return DONE
  },

  // An unopened ledger receives its account when it is opened.
  setAccount({ store, commits }, account) {
    if (!store.identity) return DONE
    const { status, revision } = store.account.current
    const is_suspended =
      account.status === 'SUSPENDED' && status !== 'SUSPENDED' && account.revision > revision
    const take = () => store.account.take(account)
    if (!is_suspended) {
      take()
      return DONE
    }
    try {
      commits.commit((draft) => draft.notify({ type: 'customer.suspended', data: {} }), undefined, take)
    } catch (error) {
      // The transaction was rolled back, so the account in memory is reset too. Otherwise, the ledger would ignore the
      // same revision when the Worker sends it again.
      store.account.load()
      throw error
    }
    return DONE
  },

  // Computes the sums only if this call has flushed all rows that the journal had at its start. `booksOf` reads all
  // unflushed rows, and could not read a long journal in one call.
  books: (ledger) =>
    withD1(ledger, async () =>
      (await ledger.projector.catchUp()) ? { kind: 'done', answer: booksOf(ledger.store) } : UNAVAILABLE,
    ),

  rewritePages: (ledger, range) =>
    withD1(ledger, async () => ({ kind: 'done', rewritten: await ledger.projector.rewrite(range) })),

  burnTableSnapshot: ({ store }) => store.burnTables.snapshot(),

  acceptBurnTables({ storage, store, tables }, snapshot) {
    if (!store.identity) return DONE
    storage.transactionSync(() => store.burnTables.accept(snapshot))
    tables.refresh()
    return DONE
  },

  entitlementRevision: ({ store }) => store.entitlements.last.revision,

  entitlementsAfter: ({ store }, { revision }) =>
    store.entitlements.changedAfter(revision, MAX_ENTITLEMENTS_SHARED_AT_ONCE),

  acceptEntitlements({ storage, store }, changed) {
    if (!store.identity) return { more: false }
    storage.transactionSync(() => store.acceptEntitlements(changed))
    return { more: changed.length === MAX_ENTITLEMENTS_SHARED_AT_ONCE }
  },
}

/**
 * Runs an operation. The message of a grouped operation is parsed only in its commit, because a waiting message takes
 * less memory as text.
 */
export function runOperation<N extends OperationName>(
  ledger: LedgerContext,
  name: N,
  message_json: string,
  request: Request,
): Result<N> | Promise<Result<N>> {
  const handler: Handler<N> = HANDLERS[name]
  if (typeof handler === 'function') return handler(ledger, parse(message_json), request)
  const { commits, burnContext } = ledger
  const context = { ...burnContext(), key_id: request.caller.key_id }
  const parseMessage = handler.parse ?? parse<MessageOf<N>>
  return commits.submit(weightOf(request.length), (draft) => {
    const apply = () => handler.apply(draft, parseMessage(message_json), context, request, ledger)
    return handler.always ? apply() : commits.rejectIfFull(draft, apply)
  })
}

/**
 * Runs a function that uses D1. Returns `UNAVAILABLE` if the ledger is not open. Logs the error and returns
 * `UNAVAILABLE` if the function fails. A repeated call continues or repeats its work.
 */
async function withD1<T>({ store, log }: LedgerContext, work: () => Promise<T>): Promise<T | Refused> {
  if (!store.identity) return UNAVAILABLE
  try {
    return await work()
  } catch (error) {
    log('ledger_projection_failed', error)
    return UNAVAILABLE
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
  })
}
