import type { Bindings } from '../config.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import type { Account } from './account.ts'
import type {
  BurnTableResult,
  BurnTablesMessage,
  BurnTablesResult,
  DeactivateBurnTableMessage,
  QuoteMessage,
  QuoteResult,
  SaveBurnTableMessage,
} from './burn-table-messages.ts'
import type { CheckMessage, CheckResult } from './check.ts'
import type {
  ChangeEntitlementMessage,
  EntitlementResult,
  EntitlementsMessage,
  EntitlementsResult,
} from './entitlements.ts'
import type { EntriesMessage, EntriesResult } from './entries.ts'
import type { HoldsMessage, HoldsResult } from './hold-lists.ts'
import type {
  BalanceAnswer,
  CreditMessage,
  CreditResult,
  HoldMessage,
  HoldResult,
  IngestMessage,
  IngestResult,
  LedgerName,
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
  WalletResult,
} from './messages.ts'
import type { CustomerLedger } from './object.ts'
import { waitForObject } from './object-wait.ts'
import type { CatchUpMessage, CatchUpResult, EraseMessage, EraseResult } from './subject-messages.ts'
import { classifyTransportError } from './transport-errors.ts'

/**
 * The Worker's side of a ledger object. Expected outcomes come back as values, a broken connection as `overloaded` or
 * `unavailable`; only bugs throw.
 */

type LedgerEnv = Pick<Bindings, 'LEDGER'>
type Stub = DurableObjectStub<CustomerLedger>

/** Opens the ledger: idempotent. The first touch decides where the object lives, for ever. */
export function openLedger(
  env: LedgerEnv,
  message: OpenMessage,
  options: { readonly location_hint?: DurableObjectLocationHint } = {},
): Promise<{ readonly kind: 'opened' } | Refused> {
  const hint = options.location_hint ? { locationHint: options.location_hint } : {}
  return call(env, message.ledger, SAFE_TO_REPEAT, (stub) => stub.open(JSON.stringify(message)), hint)
}

export function ingest(env: LedgerEnv, ledger: LedgerName, message: IngestMessage): Promise<IngestResult> {
  const keyed = message.shape === 'single' ? message.item.idempotency : message.idempotency
  return call(env, ledger, keyed !== undefined, (stub) => stub.ingest(JSON.stringify(message)))
}

export function credit(env: LedgerEnv, ledger: LedgerName, message: CreditMessage): Promise<CreditResult> {
  const keyed = message.idempotency !== undefined
  return call(env, ledger, keyed, (stub) => stub.credit(JSON.stringify(message)))
}

export function moveCredits(
  env: LedgerEnv,
  ledger: LedgerName,
  message: MovementMessage,
): Promise<MovementResult> {
  const keyed = message.idempotency !== undefined
  return call(env, ledger, keyed, (stub) => stub.move(JSON.stringify(message)))
}

export function changeHold(env: LedgerEnv, ledger: LedgerName, message: HoldMessage): Promise<HoldResult> {
  const keyed = message.idempotency !== undefined
  return call(env, ledger, keyed, (stub) => stub.hold(JSON.stringify(message)))
}

export function readOpenHolds(
  env: LedgerEnv,
  ledger: LedgerName,
  message: HoldsMessage,
): Promise<HoldsResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.holds(JSON.stringify(message)))
}

export function rerateEvents(
  env: LedgerEnv,
  ledger: LedgerName,
  message: RerateMessage,
): Promise<RerateResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.rerate(JSON.stringify(message)))
}

export function readUnrated(
  env: LedgerEnv,
  ledger: LedgerName,
  message: UnratedMessage,
): Promise<UnratedResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.unrated(JSON.stringify(message)))
}

export function readBalance(
  env: LedgerEnv,
  ledger: LedgerName,
  message: WalletMessage,
): Promise<WalletResult<BalanceAnswer>> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.balance(JSON.stringify(message)))
}

export function readLots(
  env: LedgerEnv,
  ledger: LedgerName,
  message: WalletMessage,
): Promise<WalletResult<LotAnswer[]>> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.lots(JSON.stringify(message)))
}

export function readRecurringGrants(
  env: LedgerEnv,
  ledger: LedgerName,
  message: RecurringMessage,
): Promise<WalletResult<RecurringAnswer[]>> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.recurringGrants(JSON.stringify(message)))
}

export function readEntries(
  env: LedgerEnv,
  ledger: LedgerName,
  message: EntriesMessage,
): Promise<EntriesResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.entries(JSON.stringify(message)))
}

export function saveBurnTable(
  env: LedgerEnv,
  ledger: LedgerName,
  message: SaveBurnTableMessage,
): Promise<BurnTableResult> {
  const keyed = message.idempotency !== undefined
  return call(env, ledger, keyed, (stub) => stub.saveBurnTable(JSON.stringify(message)))
}

export function deactivateBurnTable(
  env: LedgerEnv,
  ledger: LedgerName,
  message: DeactivateBurnTableMessage,
): Promise<BurnTableResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.deactivateBurnTable(JSON.stringify(message)))
}

export function readBurnTables(
  env: LedgerEnv,
  ledger: LedgerName,
  message: BurnTablesMessage,
): Promise<BurnTablesResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.burnTables(JSON.stringify(message)))
}

export function readQuotes(env: LedgerEnv, ledger: LedgerName, message: QuoteMessage): Promise<QuoteResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.quote(JSON.stringify(message)))
}

/** Brings the customer's burn tables from its live ledger, their master, to its test ledger. */
export async function shareBurnTables(env: LedgerEnv, customer_id: string): Promise<void> {
  const snapshot = await stubOf(env, { customer_id, mode: 'live' }).burnTableSnapshot()
  await stubOf(env, { customer_id, mode: 'test' }).acceptBurnTables(snapshot)
}

export function changeEntitlement(
  env: LedgerEnv,
  ledger: LedgerName,
  message: ChangeEntitlementMessage,
): Promise<EntitlementResult> {
  const repeatable = message.idempotency !== undefined || message.change.kind === 'replace'
  return call(env, ledger, repeatable, (stub) => stub.changeEntitlement(JSON.stringify(message)))
}

export function readEntitlements(
  env: LedgerEnv,
  ledger: LedgerName,
  message: EntitlementsMessage,
): Promise<EntitlementsResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.entitlements(JSON.stringify(message)))
}

export function checkEntitlement(
  env: LedgerEnv,
  ledger: LedgerName,
  message: CheckMessage,
): Promise<CheckResult> {
  const repeatable = message.hold_ms === null || message.idempotency !== undefined
  return call(env, ledger, repeatable, (stub) => stub.checkEntitlement(JSON.stringify(message)))
}

/** Brings what changed of the customer's entitlements from its live ledger, their master, to its test ledger. */
export async function shareEntitlements(env: LedgerEnv, customer_id: string): Promise<void> {
  const live = stubOf(env, { customer_id, mode: 'live' })
  const test = stubOf(env, { customer_id, mode: 'test' })
  let more = true
  while (more) {
    more = await test.acceptEntitlements(await live.entitlementsAfter(await test.entitlementRevision()))
  }
}

export function catchUp(env: LedgerEnv, ledger: LedgerName, message: CatchUpMessage): Promise<CatchUpResult> {
  return call(env, ledger, SAFE_TO_REPEAT, (stub) => stub.catchUp(JSON.stringify(message)))
}

/** Not repeated by itself: an erasure whose answer was lost is no longer found, and would be answered as if never made. */
export function eraseSubject(
  env: LedgerEnv,
  ledger: LedgerName,
  message: EraseMessage,
): Promise<EraseResult> {
  return call(env, ledger, false, (stub) => stub.eraseSubject(JSON.stringify(message)))
}

/** From the moment this returns the ledger refuses the key from `at_ms` on. Can be repeated; throws when it failed. */
export async function revokeLedgerKey(
  env: LedgerEnv,
  ledger: LedgerName,
  key_id: string,
  at_ms: number,
): Promise<void> {
  await stubOf(env, ledger).revokeKey(key_id, at_ms)
}

/** From the moment this returns the ledger goes by this account or a newer one. Can be repeated; throws when it failed. */
export async function setLedgerAccount(env: LedgerEnv, ledger: LedgerName, account: Account): Promise<void> {
  await stubOf(env, ledger).setAccount(JSON.stringify(account))
}

const SAFE_TO_REPEAT = true

/**
 * One call, and one more with a fresh stub if the runtime says that the failure was passing and repeating is safe:
 * reads are, and what carries an idempotency key. Anything else might have been done, and is not done twice.
 */
async function call<T>(
  env: LedgerEnv,
  ledger: LedgerName,
  repeatable: boolean,
  rpc: (stub: Stub) => Promise<string>,
  options: DurableObjectNamespaceGetDurableObjectOptions = {},
): Promise<T | Refused> {
  for (let attempt = 1; ; attempt++) {
    try {
      return JSON.parse(await waitForObject(() => rpc(stubOf(env, ledger, options))))
    } catch (error) {
      const failure = classifyTransportError(error)
      if (failure === 'bug') throw error
      if (failure === 'passing' && repeatable && attempt === 1) continue
      return { kind: 'refused', refusal: { code: failure === 'overloaded' ? 'overloaded' : 'unavailable' } }
    }
  }
}

function stubOf(
  env: LedgerEnv,
  ledger: LedgerName,
  options: DurableObjectNamespaceGetDurableObjectOptions = {},
): Stub {
  return env.LEDGER.get(env.LEDGER.idFromName(ledgerKey(ledger)), options)
}
