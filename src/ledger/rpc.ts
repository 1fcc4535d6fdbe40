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
 * Every operation of a ledger object, once: the types of its message and result, who may call it, and whether
 * it may be sent again. The client's calls (`client/`) and the object's handlers (`operations.ts`) take their
 * types from here.
 */
export const OPERATIONS = {
  /**
   * Opens the ledger: its customer's wallet and the sign-up grant. If the ledger is already open, it only
   * takes a newer account.
   */
  open: operation<ledger.OpenMessage, { readonly kind: 'opened' }>('service'),
  ingest: operation<events.IngestMessage, events.IngestResult>('write', {
    repeatable: (message) => isKeyed(message.shape === 'single' ? message.item : message),
  }),
  credit: operation<credits.CreditMessage, credits.CreditResult>('write', { repeatable: isKeyed }),
  /** Voids, refunds, transfers, adjustments, overdraft limits. */
  move: operation<credits.MovementMessage, credits.MovementResult>('write', { repeatable: isKeyed }),
  /** Opens, captures, releases and extends holds. */
  hold: operation<holds.HoldMessage, holds.HoldResult>('write', { repeatable: isKeyed }),
  /** The open holds of the ledger or of one wallet, newest first. */
  holds: operation<holds.HoldsMessage, holds.HoldsResult>('read'),
  /**
   * Holds credits for a call of a provider. A call with a key is not sent again: the first try may have been
   * executed, and the second would be answered as a running call.
   */
  openCall: operation<calls.OpenCallMessage, calls.OpenCallResult>('write', {
    repeatable: (message) => !isKeyed(message),
  }),
  /** Notes the estimate that an expiring call is charged. */
  noteCall: operation<calls.NoteCallMessage, calls.NoteCallResult>('service'),
  /** Charges a call or releases its hold, at most once. Never refused for a limit or for lack of credits. */
  settleCall: operation<calls.SettleCallMessage, calls.SettleCallResult>('service'),
  /** Rates events that were recorded without a price, each at most once. */
  rerate: operation<events.RerateMessage, events.RerateResult>('upkeep'),
  /** The events without a price, and the late ratings of some. */
  unrated: operation<events.UnratedMessage, events.UnratedResult>('read'),
  /** The models of the events without a price, with the number of their events. */
  unratedSummaries: operation<events.UnratedSummariesMessage, events.UnratedSummariesResult>('read'),
  balance: operation<credits.WalletMessage, credits.WalletResult<BalanceAnswer>>('read'),
  /** The open lots of a wallet in burn order. */
  lots: operation<credits.LotsMessage, credits.WalletResult<LotsAnswer>>('read'),
  /** The recurring grants, newest first. */
  recurringGrants: operation<credits.RecurringMessage, credits.WalletResult<RecurringPageAnswer>>('read'),
  /**
   * The entries that D1 may not have yet, newest first, and the first entry number that D1 has below them.
   */
  entries: operation<ledger.EntriesMessage, ledger.EntriesResult>('read'),
  /** The notifications that D1 may not have yet, oldest first. */
  notifications: operation<notifications.NotificationsMessage, notifications.NotificationsResult>('read'),
  /** Adds a notification of an event outside the ledger, once for each id. */
  notify: operation<notifications.NotifyMessage, Done | Refused>('service'),
  /** The progress of commits, and of their copies in D1. */
  projectionState: operation<ledger.ProjectionStateMessage, ledger.ProjectionStateResult>('read'),
  /** Saves a burn table or a new version of one, which rates later events. */
  saveBurnTable: operation<burnTables.SaveBurnTableMessage, burnTables.BurnTableResult>('write', {
    repeatable: isKeyed,
  }),
  /** Ends a burn table now; the table still rates events with earlier times. */
  deactivateBurnTable: operation<burnTables.DeactivateBurnTableMessage, burnTables.BurnTableResult>('write'),
  burnTables: operation<burnTables.BurnTablesMessage, burnTables.BurnTablesResult>('read'),
  /** The burn table version of a charge, and the part of an event that was given back. */
  explain: operation<burnTables.ExplainMessage, burnTables.ExplainResult>('read'),
  /** Prices items, each by the burn table of its time. Moves nothing. */
  quote: operation<burnTables.QuoteMessage, burnTables.QuoteResult>('read'),
  /** Creates, replaces or deletes an entitlement, which applies to later events. */
  changeEntitlement: operation<entitlements.ChangeEntitlementMessage, entitlements.EntitlementResult>(
    'write',
    { repeatable: (message) => isKeyed(message) || message.change.kind === 'replace' },
  ),
  entitlements: operation<entitlements.EntitlementsMessage, entitlements.EntitlementsResult>('read'),
  /** Creates, replaces or deletes an alert. */
  changeAlert: operation<alerts.ChangeAlertMessage, alerts.AlertResult>('write', {
    repeatable: (message) => isKeyed(message) || message.change.kind === 'replace',
  }),
  /** The alerts of the ledger, or one. */
  alerts: operation<alerts.AlertsMessage, alerts.AlertsResult>('read'),
  /** Whether a use would be allowed now. Writes nothing. */
  checkEntitlement: operation<entitlements.CheckMessage, entitlements.CheckResult>('read'),
  /** `checkEntitlement` with a hold on the estimate. */
  checkAndHold: operation<entitlements.CheckAndHoldMessage, entitlements.CheckResult>('write', {
    repeatable: isKeyed,
  }),
  /** Opens a checkout at Stripe. Not repeatable: each one makes a payment of its own. */
  checkout: operation<payments.CheckoutMessage, payments.PaymentsResult<payments.CheckoutAnswer>>('write', {
    repeatable: () => false,
    long: true,
  }),
  payments: operation<payments.PaymentsMessage, payments.PaymentsResult<payments.PaymentsAnswer>>('read'),
  /** Asks Stripe about a payment and brings it up to date. */
  checkPayment: operation<payments.CheckPaymentMessage, Done | Refused>('service', { long: true }),
  topUp: operation<credits.WalletMessage, payments.PaymentsResult<payments.TopUpAnswer>>('read'),
  setTopUp: operation<payments.SetTopUpMessage, payments.PaymentsResult<payments.TopUpAnswer>>('write'),
  /** Flushes everything that is committed to D1. */
  catchUp: operation<object, ledger.CatchUpResult>('read', { long: true }),
  /**
   * Erases a user or a team in the object and in D1, and keeps the ledger. Not repeatable: an erasure whose answer was
   * lost finds no subject the second time, and would answer as if none had been made.
   */
  eraseSubject: operation<ledger.EraseMessage, ledger.EraseResult>('write', {
    repeatable: () => false,
    long: true,
  }),
  /** Refuses a key from `at_ms` on. A later time than the known one changes nothing. */
  revokeKey: operation<{ readonly key_id: string; readonly at_ms: number }, Done>('service'),
  /** Takes the customer's account if it is newer. */
  setAccount: operation<Account, Done>('service'),
  /** Brings D1 up to date and returns the sums that the books should have. */
  books: operation<object, { readonly kind: 'done'; readonly answer: ledger.Books } | Refused>('service', {
    long: true,
  }),
  /** Rewrites D1's pages of a range from the journal; `rewritten` is false when the journal does not go back so far. */
  rewritePages: operation<
    ledger.EntryRange,
    { readonly kind: 'done'; readonly rewritten: boolean } | Refused
  >('service', { long: true }),
  /** Returns all burn tables of a live ledger, for the test ledger of the same customer. */
  burnTableSnapshot: operation<object, BurnTableSnapshot>('service'),
  /**
   * Takes the live ledger's burn tables. An older snapshot, or one for an unopened ledger, changes nothing.
   */
  acceptBurnTables: operation<BurnTableSnapshot, Done>('service'),
  /** The revision of the last change of entitlements that this ledger has. */
  entitlementRevision: operation<object, number>('service'),
  /** The entitlements of a live ledger that changed after a revision, for the test ledger of the same customer. */
  entitlementsAfter: operation<{ readonly revision: number }, readonly Entitlement[]>('service'),
  /** Takes changed entitlements of the live ledger; `more` is true when there may be further changes. */
  acceptEntitlements: operation<readonly Entitlement[], { readonly more: boolean }>('service'),
}

/** `service`: the Worker calls on its own behalf, and the object admits it without a key. */
export type OperationAccess = Access | 'service'

interface Operation<M, R> {
  readonly access: OperationAccess
  /** Whether a call that may have been executed can be sent again. */
  readonly repeatable: (message: M) => boolean
  /** Works with D1 too, batch after batch, and may take three times as long as other calls. */
  readonly long: boolean
  /** Types for the compiler; the field is never set. */
  readonly types?: { readonly message: M; readonly result: R }
}

export type OperationName = keyof typeof OPERATIONS
type TypesOf<N extends OperationName> = NonNullable<(typeof OPERATIONS)[N]['types']>
export type MessageOf<N extends OperationName> = TypesOf<N>['message']
export type ResultOf<N extends OperationName> = TypesOf<N>['result']

/** The rules of an operation, typed by its name. */
export function operationOf<N extends OperationName>(name: N): Operation<MessageOf<N>, ResultOf<N>> {
  const operations: { readonly [O in OperationName]: Operation<MessageOf<O>, ResultOf<O>> } = OPERATIONS
  return operations[name]
}

export interface Done {
  readonly kind: 'done'
}

/** The reply of an object. The result stays JSON text, which is much cheaper to send than an object of the same size. */
export interface Reply {
  readonly result: string
  /** The object's count of the caller's requests, if it counted this one. */
  readonly rate?: RateCount
}

/**
 * The methods of a ledger object that the Worker calls. The caller travels beside the message, so that an overloaded
 * object refuses a message of megabytes without parsing it. `texts` are large parts of the message: see `detachTexts`.
 */
export interface LedgerRpc extends Rpc.DurableObjectBranded {
  handle(
    operation: OperationName,
    caller: string,
    message: string,
    texts?: readonly string[],
  ): Reply | Promise<Reply>
  /**
   * Runs the operation `ingest` with a packed message (`packIngest`). With `packs`, the result may be packed, too
   * (`packResult`).
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

/** Whether a change has an idempotency key. Such a change is done at most once, however often it is sent. */
function isKeyed({ idempotency }: { readonly idempotency?: Idempotency }): boolean {
  return idempotency !== undefined
}
