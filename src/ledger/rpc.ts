import type { Access, Account, RateCount } from './model/account.ts'
import type { BalanceAnswer, LotsAnswer, RecurringPageAnswer } from './model/answers.ts'
import type { BurnTableSnapshot } from './model/burn-tables.ts'
import type { Entitlement } from './model/limits.ts'
import type * as alerts from './model/messages/alerts.ts'
import type * as burnTables from './model/messages/burn-tables.ts'
import type * as calls from './model/messages/calls.ts'
import type * as credits from './model/messages/credits.ts'
import type * as entitlements from './model/messages/entitlements.ts'
import type * as events from './model/messages/events.ts'
import type * as holds from './model/messages/holds.ts'
import type * as ledger from './model/messages/ledger.ts'
import type * as notifications from './model/messages/notifications.ts'
import type * as payments from './model/messages/payments.ts'
import type { Refused } from './model/refusal.ts'
import type { Idempotency } from './model/vocabulary.ts'

/**
 * The operations of a ledger object, with the types of their messages and results, the required access, whether a call
 * can be sent again, and whether it can take longer. The client's calls (`client/`) and the object's handlers
 * (`operations.ts`) use these types.
 */
export const OPERATIONS = {
  /**
   * Opens the ledger: creates the customer's wallet, adds the sign-up grant and stores the account. If the ledger is
   * already open, only stores a newer account.
   */
  open: operation<ledger.OpenMessage, { readonly kind: 'opened' }>('service'),
  ingest: operation<events.IngestMessage, events.IngestResult>('write', {
    repeatable: (message) => isKeyed(message.shape === 'single' ? message.item : message),
  }),
  credit: operation<credits.CreditMessage, credits.CreditResult>('write', { repeatable: isKeyed }),
  /** Voids, refunds, transfers, adjusts or revokes credits, ends a recurring grant, or sets an overdraft limit. */
  move: operation<credits.MovementMessage, credits.MovementResult>('write', { repeatable: isKeyed }),
  /** Opens, captures, releases or extends a hold. */
  hold: operation<holds.HoldMessage, holds.HoldResult>('write', { repeatable: isKeyed }),
  /** Returns one hold that is open or ended recently, or open holds of the ledger or of one wallet, newest first. */
  holds: operation<holds.HoldsMessage, holds.HoldsResult>('read'),
  /** Opens a hold for a provider call. A repeated message with an id returns the same hold. */
  openCall: operation<calls.OpenCallMessage, calls.OpenCallResult>('write', {
    repeatable: ({ id }) => id !== undefined,
  }),
  /** Extends a call's hold. Can also store the estimate that is charged if the hold expires. */
  noteCall: operation<calls.NoteCallMessage, calls.NoteCallResult>('service'),
  /** Charges a call or releases its hold, at most once. Is never refused because of a limit or missing credits. */
  settleCall: operation<calls.SettleCallMessage, calls.SettleCallResult>('service'),
  /** Rates events that were recorded without a price, each at most once. */
  rerate: operation<events.RerateMessage, events.RerateResult>('upkeep'),
  /** Returns events without a final price, their models on request, and the late ratings of the requested entries. */
  unrated: operation<events.UnratedMessage, events.UnratedResult>('read'),
  /** Returns summaries of the events without a final price, one for each model. */
  unratedSummaries: operation<events.UnratedSummariesMessage, events.UnratedSummariesResult>('read'),
  balance: operation<credits.WalletMessage, credits.WalletResult<BalanceAnswer>>('read'),
  /** Returns a page of a wallet's lots: the open lots in burn order, then the lots that begin later. */
  lots: operation<credits.LotsMessage, credits.WalletResult<LotsAnswer>>('read'),
  /** Returns a page of the recurring grants of one wallet or of all wallets, newest first. */
  recurringGrants: operation<credits.RecurringMessage, credits.WalletResult<RecurringPageAnswer>>('read'),
  /** Returns a page of unflushed entries, newest first, and the number of the last entry that D1 is known to have. */
  entries: operation<ledger.EntriesMessage, ledger.EntriesResult>('read'),
  /** Returns a page of unflushed notifications, oldest first. */
  notifications: operation<notifications.NotificationsMessage, notifications.NotificationsResult>('read'),
  /** Adds a notification of an event outside the ledger, once for each id within the idempotency window. */
  notify: operation<notifications.NotifyMessage, Done | Refused>('service'),
  /** Returns the progress of the commits and of their copies in D1. */
  projectionState: operation<ledger.ProjectionStateMessage, ledger.ProjectionStateResult>('read'),
  /** Saves a new burn table, or a new version of a table, for later events. */
  saveBurnTable: operation<burnTables.SaveBurnTableMessage, burnTables.BurnTableResult>('write', {
    repeatable: isKeyed,
  }),
  /** Ends a burn table now. It still rates events with earlier times. */
  deactivateBurnTable: operation<burnTables.DeactivateBurnTableMessage, burnTables.BurnTableResult>('write'),
  burnTables: operation<burnTables.BurnTablesMessage, burnTables.BurnTablesResult>('read'),
  /** Returns the burn table version of a charge, and what voids, refunds and a late rating changed for an event. */
  explain: operation<burnTables.ExplainMessage, burnTables.ExplainResult>('read'),
  /** Prices items without moving credits. The burn table that is in force at the time of an item prices it. */
  quote: operation<burnTables.QuoteMessage, burnTables.QuoteResult>('read'),
  /** Creates, replaces or deletes an entitlement. The change applies to later events. */
  changeEntitlement: operation<entitlements.ChangeEntitlementMessage, entitlements.EntitlementResult>(
    'write',
    { repeatable: (message) => isKeyed(message) || message.change.kind === 'replace' },
  ),
  entitlements: operation<entitlements.EntitlementsMessage, entitlements.EntitlementsResult>('read'),
  /** Creates, replaces or deletes an alert. */
  changeAlert: operation<alerts.ChangeAlertMessage, alerts.AlertResult>('write', {
    repeatable: (message) => isKeyed(message) || message.change.kind === 'replace',
  }),
  /** Returns all alerts of the ledger, or one alert. */
  alerts: operation<alerts.AlertsMessage, alerts.AlertsResult>('read'),
  /** Checks whether a use would be allowed now. Writes nothing. */
  checkEntitlement: operation<entitlements.CheckMessage, entitlements.CheckResult>('read'),
  /** Checks a use like `checkEntitlement`, and opens a hold on the estimate if the use is allowed and costs credits. */
  checkAndHold: operation<entitlements.CheckAndHoldMessage, entitlements.CheckResult>('write', {
    repeatable: isKeyed,
  }),
  /** Opens a checkout at Stripe. Is not repeatable, because each call creates a new payment. */
  checkout: operation<payments.CheckoutMessage, payments.PaymentsResult<payments.CheckoutAnswer>>('write', {
    repeatable: () => false,
    long: true,
  }),
  payments: operation<payments.PaymentsMessage, payments.PaymentsResult<payments.PaymentsAnswer>>('read'),
  /** Updates a payment with its state at Stripe. */
  checkPayment: operation<payments.CheckPaymentMessage, Done | Refused>('service', { long: true }),
  topUp: operation<credits.WalletMessage, payments.PaymentsResult<payments.TopUpAnswer>>('read'),
  setTopUp: operation<payments.SetTopUpMessage, payments.PaymentsResult<payments.TopUpAnswer>>('write'),
  /** Flushes all commits to D1. */
  catchUp: operation<object, ledger.CatchUpResult>('read', { long: true }),
  /**
   * Erases a user or a team in the object and in D1. The ledger's entries are kept. Is repeatable, because the object
   * returns the alias of an erasure for a day.
   */
  eraseSubject: operation<ledger.EraseMessage, ledger.EraseResult>('write', { long: true }),
  /** Revokes an API key from the time `at_ms`. Has no effect if the key is already revoked from an earlier time. */
  revokeKey: operation<{ readonly key_id: string; readonly at_ms: number }, Done>('service'),
  /**
   * Stores the customer's account if the ledger is open and the account is newer than the ledger's copy. Adds a
   * notification if the customer becomes suspended.
   */
  setAccount: operation<Account, Done>('service'),
  /** Flushes all commits to D1, and returns the sums that the ledger's rows in D1 must then have. */
  books: operation<object, { readonly kind: 'done'; readonly answer: ledger.Books } | Refused>('service', {
    long: true,
  }),
  /**
   * Writes D1's pages of a range of entries again, from the journal. `rewritten` is false if no page was rewritten, for
   * example because the journal does not contain all entries of the range.
   */
  rewritePages: operation<
    ledger.EntryRange,
    { readonly kind: 'done'; readonly rewritten: boolean } | Refused
  >('service', { long: true }),
  /** Returns all burn tables of a live ledger, for the customer's test ledger. */
  burnTableSnapshot: operation<object, BurnTableSnapshot>('service'),
  /**
   * Stores the burn tables of the customer's live ledger. Has no effect if the snapshot is not newer or the ledger is
   * not open.
   */
  acceptBurnTables: operation<BurnTableSnapshot, Done>('service'),
  /** Returns the revision of the last change of entitlements that this ledger has stored. */
  entitlementRevision: operation<object, number>('service'),
  /** Returns a page of the entitlements of a live ledger that changed after a revision, for the test ledger. */
  entitlementsAfter: operation<{ readonly revision: number }, readonly Entitlement[]>('service'),
  /**
   * Stores changed entitlements of the customer's live ledger. Has no effect if the ledger is not open. `more` is true
   * if there might be further changes.
   */
  acceptEntitlements: operation<readonly Entitlement[], { readonly more: boolean }>('service'),
}

/** The access that an operation requires. `service` marks the Worker's own calls, which need no API key. */
export type OperationAccess = Access | 'service'

interface Operation<M, R> {
  readonly access: OperationAccess
  /** Reports whether a call can be sent again although it might have been executed. */
  readonly repeatable: (message: M) => boolean
  /** Whether the operation can take three times as long as other operations, because it also uses D1 or Stripe. */
  readonly long: boolean
  /** The types of the operation, only for the compiler. The field is never set. */
  readonly types?: { readonly message: M; readonly result: R }
}

export type OperationName = keyof typeof OPERATIONS
type TypesOf<N extends OperationName> = NonNullable<(typeof OPERATIONS)[N]['types']>
export type MessageOf<N extends OperationName> = TypesOf<N>['message']
export type ResultOf<N extends OperationName> = TypesOf<N>['result']

/** Returns the properties of an operation, with the types of its message and result. */
export function operationOf<N extends OperationName>(name: N): Operation<MessageOf<N>, ResultOf<N>> {
  const operations: { readonly [O in OperationName]: Operation<MessageOf<O>, ResultOf<O>> } = OPERATIONS
  return operations[name]
}

export interface Done {
  readonly kind: 'done'
}

/**
 * The reply of an object. The result is JSON text, because RPC sends text at a much lower cost than an object of the
 * same size.
 */
export interface Reply {
  readonly result: string
  /** The object's count of the caller's requests; absent if this request was not counted. */
  readonly rate?: RateCount
}

/**
 * The methods of a ledger object that the Worker calls. The caller is a separate argument, so that an overloaded
 * object can refuse a large message without parsing it. `texts` are large parts of the message: see `detachTexts`.
 */
export interface LedgerRpc extends Rpc.DurableObjectBranded {
  handle(
    operation: OperationName,
    caller: string,
    message: string,
    texts?: readonly string[],
  ): Reply | Promise<Reply>
  /**
   * Runs the operation `ingest` with a message from `packIngest`. If `packs` is true, the result can be in the packed
   * form of `packResult`.
   */
  ingest(caller: string, packed: string, texts: readonly string[], packs?: boolean): Reply | Promise<Reply>
  wake(d1_row?: number): Promise<void>
  ping(): Promise<'pong'>
}

function operation<M, R>(
  access: OperationAccess,
  { repeatable = () => true, long = false }: Partial<Pick<Operation<M, R>, 'repeatable' | 'long'>> = {},
): Operation<M, R> {
  return { access, repeatable, long }
}

/**
 * Reports whether a message has an idempotency key. A change with a key takes effect at most once, even if it is sent
 * several times.
 */
function isKeyed({ idempotency }: { readonly idempotency?: Idempotency }): boolean {
  return idempotency !== undefined
}
