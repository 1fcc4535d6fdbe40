import type { Bindings } from '../../bindings.ts'
import type { Account } from '../model/account.ts'
import type { BalanceAnswer, LotAnswer, RecurringAnswer } from '../model/answers.ts'
import type {
  BurnTableResult,
  BurnTablesMessage,
  BurnTablesResult,
  DeactivateBurnTableMessage,
  QuoteMessage,
  QuoteResult,
  SaveBurnTableMessage,
} from '../model/messages/burn-tables.ts'
import type {
  CreditMessage,
  CreditResult,
  MovementMessage,
  MovementResult,
  RecurringMessage,
  WalletMessage,
  WalletResult,
} from '../model/messages/credits.ts'
import type {
  ChangeEntitlementMessage,
  CheckMessage,
  CheckResult,
  EntitlementResult,
  EntitlementsMessage,
  EntitlementsResult,
} from '../model/messages/entitlements.ts'
import type {
  IngestMessage,
  IngestResult,
  RerateMessage,
  RerateResult,
  UnratedMessage,
  UnratedResult,
} from '../model/messages/events.ts'
import type { HoldMessage, HoldResult, HoldsMessage, HoldsResult } from '../model/messages/holds.ts'
import type {
  Books,
  CatchUpMessage,
  CatchUpResult,
  EntriesMessage,
  EntriesResult,
  EntryRange,
  EraseMessage,
  EraseResult,
  OpenMessage,
  ProjectionStateMessage,
  ProjectionStateResult,
} from '../model/messages/ledger.ts'
import type { Refused } from '../model/refusal.ts'
import type { LedgerName } from '../model/vocabulary.ts'
import type { LedgerRpc } from '../rpc.ts'
import { ask, call, SAFE_TO_REPEAT, stubOf } from './call.ts'

/** The Worker's side of a ledger object: each question and what kind of answer it has. Expected outcomes are values. */

const LONG = { long: true }

/** Opens the ledger: idempotent. The first touch decides where the object lives, for ever. */
export function openLedger(
  env: Bindings,
  message: OpenMessage,
  options: { readonly location_hint?: DurableObjectLocationHint } = {},
): Promise<{ readonly kind: 'opened' } | Refused> {
  return call(
    env,
    message.ledger,
    SAFE_TO_REPEAT,
    async (stub) => JSON.parse(await stub.open(JSON.stringify(message))),
    options,
  )
}

export function ingest(env: Bindings, ledger: LedgerName, message: IngestMessage): Promise<IngestResult> {
  const keyed = message.shape === 'single' ? message.item.idempotency : message.idempotency
  return ask(env, ledger, message, keyed !== undefined, (stub, json) => stub.ingest(json))
}

export function credit(env: Bindings, ledger: LedgerName, message: CreditMessage): Promise<CreditResult> {
  const keyed = message.idempotency !== undefined
  return ask(env, ledger, message, keyed, (stub, json) => stub.credit(json))
}

export function moveCredits(
  env: Bindings,
  ledger: LedgerName,
  message: MovementMessage,
): Promise<MovementResult> {
  const keyed = message.idempotency !== undefined
  return ask(env, ledger, message, keyed, (stub, json) => stub.move(json))
}

export function changeHold(env: Bindings, ledger: LedgerName, message: HoldMessage): Promise<HoldResult> {
  const keyed = message.idempotency !== undefined
  return ask(env, ledger, message, keyed, (stub, json) => stub.hold(json))
}

export function readOpenHolds(
  env: Bindings,
  ledger: LedgerName,
  message: HoldsMessage,
): Promise<HoldsResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.holds(json))
}

export function rerateEvents(
  env: Bindings,
  ledger: LedgerName,
  message: RerateMessage,
): Promise<RerateResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.rerate(json))
}

export function readUnrated(
  env: Bindings,
  ledger: LedgerName,
  message: UnratedMessage,
): Promise<UnratedResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.unrated(json))
}

export function readBalance(
  env: Bindings,
  ledger: LedgerName,
  message: WalletMessage,
): Promise<WalletResult<BalanceAnswer>> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.balance(json))
}

export function readLots(
  env: Bindings,
  ledger: LedgerName,
  message: WalletMessage,
): Promise<WalletResult<LotAnswer[]>> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.lots(json))
}

export function readRecurringGrants(
  env: Bindings,
  ledger: LedgerName,
  message: RecurringMessage,
): Promise<WalletResult<RecurringAnswer[]>> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.recurringGrants(json))
}

export function readEntries(
  env: Bindings,
  ledger: LedgerName,
  message: EntriesMessage,
): Promise<EntriesResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.entries(json))
}

export function saveBurnTable(
  env: Bindings,
  ledger: LedgerName,
  message: SaveBurnTableMessage,
): Promise<BurnTableResult> {
  const keyed = message.idempotency !== undefined
  return ask(env, ledger, message, keyed, (stub, json) => stub.saveBurnTable(json))
}

export function deactivateBurnTable(
  env: Bindings,
  ledger: LedgerName,
  message: DeactivateBurnTableMessage,
): Promise<BurnTableResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.deactivateBurnTable(json))
}

export function readBurnTables(
  env: Bindings,
  ledger: LedgerName,
  message: BurnTablesMessage,
): Promise<BurnTablesResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.burnTables(json))
}

export function readQuotes(env: Bindings, ledger: LedgerName, message: QuoteMessage): Promise<QuoteResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.quote(json))
}

/** Brings the customer's burn tables from its live ledger, their master, to its test ledger. */
export async function shareBurnTables(env: Bindings, customer_id: string): Promise<void> {
  const snapshot = await stubOf(env, { customer_id, mode: 'live' }).burnTableSnapshot()
  await stubOf(env, { customer_id, mode: 'test' }).acceptBurnTables(snapshot)
}

export function changeEntitlement(
  env: Bindings,
  ledger: LedgerName,
  message: ChangeEntitlementMessage,
): Promise<EntitlementResult> {
  const repeatable = message.idempotency !== undefined || message.change.kind === 'replace'
  return ask(env, ledger, message, repeatable, (stub, json) => stub.changeEntitlement(json))
}

export function readEntitlements(
  env: Bindings,
  ledger: LedgerName,
  message: EntitlementsMessage,
): Promise<EntitlementsResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.entitlements(json))
}

export function checkEntitlement(
  env: Bindings,
  ledger: LedgerName,
  message: CheckMessage,
): Promise<CheckResult> {
  if (message.hold_ms === null) {
    return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.checkEntitlement(json))
  }
  const keyed = message.idempotency !== undefined
  return ask(env, ledger, message, keyed, (stub, json) => stub.checkAndHold(json))
}

/** Brings what changed of the customer's entitlements from its live ledger, their master, to its test ledger. */
export async function shareEntitlements(env: Bindings, customer_id: string): Promise<void> {
  const live = stubOf(env, { customer_id, mode: 'live' })
  const test = stubOf(env, { customer_id, mode: 'test' })
  let more = true
  while (more) {
    more = await test.acceptEntitlements(await live.entitlementsAfter(await test.entitlementRevision()))
  }
}

export function readProjectionState(
  env: Bindings,
  ledger: LedgerName,
  message: ProjectionStateMessage,
): Promise<ProjectionStateResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.projectionState(json))
}

export function catchUp(env: Bindings, ledger: LedgerName, message: CatchUpMessage): Promise<CatchUpResult> {
  return ask(env, ledger, message, SAFE_TO_REPEAT, (stub, json) => stub.catchUp(json), LONG)
}

/** Not repeated by itself: an erasure whose answer was lost is no longer found, and would be answered as if never made. */
export function eraseSubject(env: Bindings, ledger: LedgerName, message: EraseMessage): Promise<EraseResult> {
  return ask(env, ledger, message, false, (stub, json) => stub.eraseSubject(json), LONG)
}

/** Brings D1 up to date; what the ledger says that its books come to. For the operator and the cron. */
export function readBooks(
  env: Bindings,
  ledger: LedgerName,
): Promise<{ readonly kind: 'done'; readonly answer: Books } | Refused> {
  return call(env, ledger, SAFE_TO_REPEAT, async (stub) => JSON.parse(await stub.books()), LONG)
}

/** Has D1's pages of a range written anew from the journal: the range is that of whole flushes. */
export function rewriteLedgerPages(
  env: Bindings,
  ledger: LedgerName,
  range: EntryRange,
): Promise<{ readonly kind: 'done'; readonly rewritten: boolean } | Refused> {
  const json = JSON.stringify(range)
  return call(env, ledger, SAFE_TO_REPEAT, async (stub) => JSON.parse(await stub.rewritePages(json)), LONG)
}

/** From this answer on the ledger refuses the key from `at_ms` on. Can be repeated. */
export function revokeLedgerKey(
  env: Bindings,
  ledger: LedgerName,
  key_id: string,
  at_ms: number,
): Promise<Done | Refused> {
  return tell(env, ledger, (stub) => stub.revokeKey(key_id, at_ms))
}

/** From this answer on the ledger goes by this account or a newer one. Can be repeated. */
export function setLedgerAccount(
  env: Bindings,
  ledger: LedgerName,
  account: Account,
): Promise<Done | Refused> {
  return tell(env, ledger, (stub) => stub.setAccount(JSON.stringify(account)))
}

interface Done {
  readonly kind: 'done'
}

function tell(
  env: Bindings,
  ledger: LedgerName,
  rpc: (stub: DurableObjectStub<LedgerRpc>) => Promise<void>,
): Promise<Done | Refused> {
  return call<Done>(env, ledger, SAFE_TO_REPEAT, async (stub) => {
    await rpc(stub)
    return { kind: 'done' }
  })
}
