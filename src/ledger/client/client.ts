import type { Bindings } from '../../bindings.ts'
import type { Account } from '../model/account.ts'
import type { NoteCallMessage, SettleCallMessage } from '../model/messages/calls.ts'
import type { CheckResult } from '../model/messages/entitlements.ts'
import { detachTexts } from '../model/messages/events.ts'
import type { EntryRange, OpenMessage } from '../model/messages/ledger.ts'
import type { NotifyMessage } from '../model/messages/notifications.ts'
import { packIngest } from '../model/messages/packed-ingest.ts'
import { parseResult } from '../model/messages/packed-result.ts'
import type { Refused } from '../model/refusal.ts'
import type { LedgerName } from '../model/vocabulary.ts'
import type { Done, MessageOf, OperationName, ResultOf } from '../rpc.ts'
import { type Asked, ask, command, type Stub, send, stubOf } from './call.ts'
import { lacksMethod } from './transport-errors.ts'

/**
 * The Worker's calls to ledger objects. `rpc.ts` lists the operations. Expected failures are returned as values, except
 * by `shareBurnTables` and `shareEntitlements`.
 */

export const credit = client('credit')
export const moveCredits = client('move')
export const changeHold = client('hold')
export const openCall = client('openCall')
export const readOpenHolds = client('holds')
export const rerateEvents = client('rerate')
export const readUnrated = client('unrated')
export const readUnratedSummaries = client('unratedSummaries')
export const readBalance = client('balance')
export const readLots = client('lots')
export const readRecurringGrants = client('recurringGrants')
export const readEntries = client('entries')
export const readUnflushedNotifications = client('notifications')
export const readProjectionState = client('projectionState')
export const saveBurnTable = client('saveBurnTable')
export const deactivateBurnTable = client('deactivateBurnTable')
export const readBurnTables = client('burnTables')
export const readExplanation = client('explain')
export const readQuotes = client('quote')
export const changeEntitlement = client('changeEntitlement')
export const readEntitlements = client('entitlements')
export const openCheckout = client('checkout')
export const readPayments = client('payments')
export const readTopUp = client('topUp')
export const setTopUp = client('setTopUp')
export const changeAlert = client('changeAlert')
export const readAlerts = client('alerts')
export const catchUp = client('catchUp')
export const eraseSubject = client('eraseSubject')

export function ingest(
  env: Bindings,
  ledger: LedgerName,
  request: Asked<'ingest'>,
): Promise<ResultOf<'ingest'> | Refused> {
  const { message, texts } = detachTexts(request)
  const packed = packIngest(message)
  const post = async (stub: Stub, caller: string) => {
    try {
      return await stub.ingest(caller, packed, texts, true)
    } catch (error) {
      if (!lacksMethod(error)) throw error
      return stub.handle('ingest', caller, JSON.stringify({ ...message, caller: undefined }), texts)
    }
  }
  return ask(env, ledger, 'ingest', request, { post, read: parseResult })
}

/** Returns a function that sends a client's request to one operation of the object. */
function client<N extends OperationName>(name: N) {
  return (env: Bindings, ledger: LedgerName, request: Asked<N>): Promise<ResultOf<N> | Refused> =>
    ask(env, ledger, name, request)
}

export function checkEntitlement(
  env: Bindings,
  ledger: LedgerName,
  request: Asked<'checkEntitlement'>,
): Promise<CheckResult> {
  const { hold_ms } = request
  return hold_ms === null
    ? ask(env, ledger, 'checkEntitlement', request)
    : ask(env, ledger, 'checkAndHold', { ...request, hold_ms })
}

/** Opens the ledger. Can be repeated. The first call to an object permanently decides its location. */
export function openLedger(
  env: Bindings,
  message: OpenMessage,
  options: { readonly location_hint?: DurableObjectLocationHint } = {},
): Promise<ResultOf<'open'> | Refused> {
  return command(env, message.ledger, 'open', message, options)
}

/**
 * Copies the customer's burn tables from the live ledger, their source of truth, to the test ledger. Throws on any
 * failure.
 */
export async function shareBurnTables(env: Bindings, customer_id: string): Promise<void> {
  const snapshot = await send(stubOf(env, { customer_id, mode: 'live' }), 'burnTableSnapshot', {})
  await send(stubOf(env, { customer_id, mode: 'test' }), 'acceptBurnTables', snapshot)
}

/**
 * Copies changed entitlements from the customer's live ledger, their source of truth, to the test ledger. Throws on
 * any failure.
 */
export async function shareEntitlements(env: Bindings, customer_id: string): Promise<void> {
  const live = stubOf(env, { customer_id, mode: 'live' })
  const test = stubOf(env, { customer_id, mode: 'test' })
  for (let more = true; more; ) {
    const revision = await send(test, 'entitlementRevision', {})
    const changed = await send(live, 'entitlementsAfter', { revision })
    more = (await send(test, 'acceptEntitlements', changed)).more
  }
}

/** Extends the hold of a running call. Also stores the call's estimate, if the message has one. Can be repeated. */
export function noteCall(
  env: Bindings,
  ledger: LedgerName,
  message: NoteCallMessage,
): Promise<ResultOf<'noteCall'> | Refused> {
  return command(env, ledger, 'noteCall', message)
}

/** Charges or releases a call, at most once. Can be repeated. */
export function settleCall(
  env: Bindings,
  ledger: LedgerName,
  message: SettleCallMessage,
): Promise<ResultOf<'settleCall'> | Refused> {
  return command(env, ledger, 'settleCall', message)
}

/**
 * Adds a notification of an event outside the ledger. Can be repeated within the idempotency window, because each id
 * then adds only one notification.
 */
export function notify(
  env: Bindings,
  ledger: LedgerName,
  message: NotifyMessage,
): Promise<ResultOf<'notify'> | Refused> {
  return command(env, ledger, 'notify', message)
}

/** Makes the ledger update a payment with its state at Stripe. Can be repeated. */
export function checkPayment(
  env: Bindings,
  ledger: LedgerName,
  message: MessageOf<'checkPayment'>,
): Promise<Done | Refused> {
  return command(env, ledger, 'checkPayment', message)
}

/** Flushes the journal to D1, and returns the sums that the ledger's rows in D1 must have. */
export function readBooks(env: Bindings, ledger: LedgerName): Promise<ResultOf<'books'>> {
  return command(env, ledger, 'books', {})
}

/** Rewrites pages in D1 from the journal. `range` must consist of the entries of whole flushes. */
export function rewriteLedgerPages(
  env: Bindings,
  ledger: LedgerName,
  range: EntryRange,
): Promise<ResultOf<'rewritePages'>> {
  return command(env, ledger, 'rewritePages', range)
}

/** Makes the ledger refuse an API key from the time `at_ms`. Can be repeated. */
export function revokeLedgerKey(
  env: Bindings,
  ledger: LedgerName,
  key_id: string,
  at_ms: number,
): Promise<Done | Refused> {
  return command(env, ledger, 'revokeKey', { key_id, at_ms })
}

/** Sends the customer's account to the ledger, which ignores an account that is not newer. Can be repeated. */
export function setLedgerAccount(
  env: Bindings,
  ledger: LedgerName,
  account: Account,
): Promise<Done | Refused> {
  return command(env, ledger, 'setAccount', account)
}
