import type { Mode } from '../../db/schema.ts'
import { microCredits } from '../../pricing/money.ts'
import { AccountRow } from '../admission/admission.ts'
import { AlertRows } from '../alerts/rows.ts'
import { BurnTableRows } from '../burn-tables/rows.ts'
import { UnratedRows } from '../burns/unrated-rows.ts'
import { PaymentRows } from '../credits/payment-rows.ts'
import { LimitCounters } from '../entitlements/counters.ts'
import { EntitlementRows } from '../entitlements/rows.ts'
import { type Erasure, Erasures } from '../erasure/erasures.ts'
import type { KeyUse } from '../idempotency/check.ts'
import type { Cursor } from '../journal/cursor.ts'
import { assertRowSize } from '../journal/packing.ts'
import { JournalRows, type WrittenRows } from '../journal/rows.ts'
import type { Entry, RecordedPayment } from '../model/journal.ts'
import { parseStored } from '../model/json.ts'
import type { Entitlement, LimitCounter, Subject } from '../model/limits.ts'
import type { Lot } from '../model/lots.ts'
import type { Payer, Payment } from '../model/payments.ts'
import type { Amendment, UnratedEvent } from '../model/unrated.ts'
import type { Idempotency, WalletOwner } from '../model/vocabulary.ts'
import { assertWallet, type Wallet, walletDueAt } from '../model/wallet.ts'
import { PaymentIntentRows } from '../payments/rows.ts'
import { type Exec, MetaTable } from '../tables.ts'
import type { Counters, Draft, GivenBack, LedgerReader } from './draft.ts'
import { WeightedCache } from './weighted-cache.ts'

/** The identity of the ledger. It is written once, when the ledger is opened. */
export interface Identity {
  readonly customer_id: string
  readonly mode: Mode
  readonly opened_at_ms: number
}

// An UPDATE writes an index only if it sets an indexed column. A wallet whose due time does not change therefore
// costs one row.
const UPDATE_WALLET = 'UPDATE wallets SET balance_micro = ?, state = ? WHERE wallet_key = ?'
const UPSERT_WALLET = `
  INSERT INTO wallets (wallet_key, wallet_number, balance_micro, state, due_at_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (wallet_key) DO UPDATE SET
    balance_micro = excluded.balance_micro, state = excluded.state, due_at_ms = excluded.due_at_ms`

const REVOKED_AT = 'SELECT revoked_at_ms AS at_ms FROM revoked_keys WHERE key_id = ?'

/** The maximum number of API keys in the cache. A full cache is cleared. A customer has few keys. */
const MAX_KEYS_IN_MEMORY = 1_000

// Stores a revocation time unless the key already has the same or an earlier one.
const REVOKE = `
  INSERT INTO revoked_keys (key_id, revoked_at_ms) VALUES (?, ?)
  ON CONFLICT (key_id) DO UPDATE SET revoked_at_ms = excluded.revoked_at_ms
    WHERE excluded.revoked_at_ms < revoked_at_ms`

// No index finds the wallet of a lot, because it would cost a row for each new lot, and few lots are revoked. The
// statement reads wallets as text until it finds the wallet with the lot. It parses only wallets that contain the
// number. docs/limits.md has the measured times.
const WALLET_OF_LOT = `
  SELECT wallet_key FROM wallets
  WHERE instr(state, '"number":' || CAST(?1 AS INTEGER) || ',') > 0
    AND (EXISTS (SELECT 1 FROM json_each(state, '$.lots') WHERE value ->> 'number' = ?1)
      OR EXISTS (SELECT 1 FROM json_each(state, '$.pending') WHERE value ->> 'number' = ?1))
  LIMIT 1`

// SQLite's integer division and remainder both truncate towards zero, so together they give the balance.
const SUM_BALANCES = `
  SELECT count(*) AS count, sum(balance_micro / 1000000) AS credits, sum(balance_micro % 1000000) AS micro FROM wallets`
const MICRO_PER_CREDIT = 1_000_000n

/** The maximum number of wallets to read for a list of all holds or of all recurring grants. */
const MAX_DUE_READ = 1000

/** The maximum number of a wallet's unpaid events in a page. */
const UNPAID_A_PAGE = 100

/**
 * The maximum total weight of the cached wallets: see `weightOfWallet`. The weight is limited because a wallet can have
 * 1,000 lots, and several ledgers share the memory of an isolate.
 */
const MAX_CACHED_WEIGHT = 50_000

/**
 * The maximum size of the cache of owners that have no wallet. Without this cache, the search for their wallets takes a
 * quarter of the time in which an event is processed.
 */
const MAX_WITHOUT_WALLET = 10_000

/** The maximum size of the cache of wallet keys by wallet number. A full cache is cleared. */
const MAX_NUMBERS_IN_MEMORY = 10_000

interface StoredWallet {
  readonly wallet: Wallet
  readonly due_at_ms: number | null
}

/** The effects of a write. They are published after the transaction has succeeded. */
export interface Written {
  readonly rows: WrittenRows
  /** The stored due time of each wallet. */
  readonly due_at_ms: ReadonlyMap<string, number | null>
}

/**
 * The object's SQLite database, with the parts of the committed state that are in memory. `tables.ts` defines the
 * tables. `journal/rows.ts` contains the statements of the journal. This file contains the statements of wallets,
 * closed lots, returned credits and revoked keys.
 */
export class LedgerStore implements LedgerReader {
  readonly account: AccountRow
  readonly journal: JournalRows
  readonly burnTables: BurnTableRows
  readonly entitlements: EntitlementRows
  readonly limits: LimitCounters
  readonly unrated: UnratedRows
  /** The payments through Stripe. */
  readonly paymentIntents: PaymentIntentRows
  readonly alerts: AlertRows
  private readonly payments: PaymentRows
  /** The erasures in progress. */
  readonly erasures: Erasures
  private readonly meta: MetaTable
  private readonly walletCache = new WeightedCache<string, StoredWallet>(MAX_CACHED_WEIGHT)
  /**
   * The owners that have no wallet. Events search for the wallets of their users and teams, and most users and teams
   * have no wallet.
   */
  private readonly withoutWallet = new Set<string>()
  /** The keys of wallets by number. Without this cache, a query takes 15 microseconds for each settled hold. */
  private readonly keysByNumber = new Map<number, string>()
  /**
   * The revocation time of each API key in use; infinity if the key is not revoked. Without this cache, a query takes 9
   * microseconds for each request.
   */
  private readonly revokedAt = new Map<string, number>()
  /** The last journal row that the checkpoint of limit counters includes. */
  private lastCounted = 0
  private known: Identity | null = null
  /** The number of rows written since the object started. Tests use it to assert the cost of commits. */
  rowsWritten = 0

  private readonly sql: SqlStorage

  /** Creates a store. `migrate` must have created the tables. */
  constructor(sql: SqlStorage) {
    this.sql = sql
    const exec: Exec = (query, ...bindings) => this.exec(query, ...bindings)
    this.meta = new MetaTable(exec)
    this.account = new AccountRow(this.meta)
    this.journal = new JournalRows(exec, this.meta)
    this.burnTables = new BurnTableRows(exec)
    this.entitlements = new EntitlementRows(exec)
    this.unrated = new UnratedRows(exec, this.meta)
    this.alerts = new AlertRows(exec)
    this.payments = new PaymentRows(exec)
    this.paymentIntents = new PaymentIntentRows(exec, this.meta)
    this.erasures = new Erasures(exec, this.meta)
    // The checkpoint contains the counters of all flushed rows, because it is written before the rows are marked as
    // flushed.
    this.limits = new LimitCounters(exec, () => Math.max(this.lastCounted, this.journal.flushedRow))
    this.load()
  }

  /** Reads the state when the object starts. Takes the same time for a ledger of any size. */
  load(): void {
    this.forgetWallets()
    this.revokedAt.clear()
    this.burnTables.forget()
    this.entitlements.forget()
    this.limits.forget()
    this.paymentIntents.forget()
    this.alerts.forget()
    const identity = this.meta.get('identity')
    this.known = identity === null ? null : parseStored(identity)
    this.account.load()
    this.lastCounted = Number(this.meta.get('counted_row') ?? 0)
    this.journal.load()
  }

  /**
   * Removes wallets and journal rows from memory. Call this after stored wallets or journal rows have been rewritten.
   */
  dropCaches(): void {
    this.forgetWallets()
    this.journal.dropCache()
  }

  get identity(): Identity | null {
    return this.known
  }

  get counters(): Counters {
    return this.journal.counters
  }

  /**
   * Stores the position up to which D1 has the journal. Throws if the checkpoint of limit counters is not up to date,
   * or if the position does not move forward.
   */
  writeCursor(cursor: Cursor): void {
    // Flushed rows can be deleted, so their counters must be in the checkpoint.
    if (this.limits.isDirty) throw new Error('the checkpoint lacks changes of limit counters')
    const { flushedRow } = this.journal
    if (cursor.row <= flushedRow) {
      throw new Error(
        `the cursor of the flush must move forward from row ${flushedRow}, not to row ${cursor.row}`,
      )
    }
    this.journal.writeCursor(cursor)
  }

  /** Moves the cursor back after D1 lost rows. */
  moveCursorBack(cursor: Cursor): void {
    this.journal.writeCursor(cursor)
  }

  /**
   * Writes a row for each limit counter that changed, and one row for the position of the checkpoint. After a change of
   * entitlements, also deletes unused counters and marks. Call this in a transaction, and call `checkpointed`
   * afterwards.
   */
  writeCheckpoint(): void {
    this.limits.writeCheckpoint()
    this.meta.set('counted_row', String(this.journal.lastRow))
  }

  checkpointed(): void {
    this.limits.checkpointed()
    this.lastCounted = this.journal.lastRow
  }

  wallet(key: string): Wallet | undefined {
    const cached = this.walletCache.get(key)
    if (cached) return cached.wallet
    if (this.withoutWallet.has(key)) return undefined
    const [row] = this.exec('SELECT balance_micro, due_at_ms, state FROM wallets WHERE wallet_key = ?', key)
    if (!row) {
      if (this.withoutWallet.size >= MAX_WITHOUT_WALLET) this.withoutWallet.clear()
      this.withoutWallet.add(key)
      return undefined
    }
    const wallet: Wallet = {
      ...parseStored<Omit<Wallet, 'balance'>>(row.state),
      balance: microCredits(Number(row.balance_micro)),
    }
    assertWallet(wallet)
    this.cacheWallet(key, wallet, row.due_at_ms === null ? null : Number(row.due_at_ms))
    return wallet
  }

  walletOfLot(number: number): Wallet | undefined {
    const [row] = this.exec(WALLET_OF_LOT, number)
    return row && this.wallet(String(row.wallet_key))
  }

  walletByNumber(number: number): Wallet | undefined {
    let key = this.keysByNumber.get(number)
    if (key === undefined) {
      const [row] = this.exec('SELECT wallet_key FROM wallets WHERE wallet_number = ?', number)
      if (!row) return undefined
      key = String(row.wallet_key)
      if (this.keysByNumber.size >= MAX_NUMBERS_IN_MEMORY) this.keysByNumber.clear()
      this.keysByNumber.set(number, key)
    }
    return this.wallet(key)
  }

  /** Returns a wallet's owner. Reads only the owner, so it works even if the wallet breaks a rule of `assertWallet`. */
  walletOwner(number: number): WalletOwner {
    const [row] = this.exec("SELECT state ->> 'owner' AS owner FROM wallets WHERE wallet_number = ?", number)
    if (!row) throw new Error(`the ledger has no wallet ${number}`)
    return parseStored(row.owner)
  }

  /**
   * Returns the number of wallets and the sum of their balances. Reads a row for each wallet. Sums whole credits and
   * micro-credits separately, because SQLite's integers must be less than 2^63.
   */
  balances(): { readonly count: number; readonly balance_micro: string } {
    const [row] = this.exec(SUM_BALANCES)
    const sum = BigInt(Number(row?.credits ?? 0)) * MICRO_PER_CREDIT + BigInt(Number(row?.micro ?? 0))
    return { count: Number(row?.count ?? 0), balance_micro: String(sum) }
  }

  closedLot(number: number): Lot | undefined {
    const [row] = this.exec('SELECT lot FROM closed_lots WHERE lot_number = ?', number)
    return row && parseStored(row.lot)
  }

  unratedEvent(entry: number): UnratedEvent | undefined {
    return this.unrated.get(entry)
  }

  hasUnrated(provider: string, model: string): boolean {
    return this.unrated.hasModel(provider, model)
  }

  /**
   * Returns the time of the last notification that a limit was reached; undefined if there was none. For a fixed
   * window, returns the start of the window.
   */
  reachedAt(counter: number): number | undefined {
    return this.limits.reachedAt(counter)
  }

  payment(reference: string): RecordedPayment | undefined {
    return this.payments.get(reference)
  }

  paymentIntent(number: number): Payment | undefined {
    return this.paymentIntents.get(number)
  }

  payer(wallet_key: string): Payer | undefined {
    return this.paymentIntents.payer(wallet_key)
  }

  lastPaymentNumber(): number {
    return this.paymentIntents.lastNumber
  }

  unpaidEvents(wallet_number: number, after_entry: number): UnratedEvent[] {
    return this.unrated.unpaid(wallet_number, after_entry, UNPAID_A_PAGE)
  }

  amendment(entry: number): Amendment | undefined {
    return this.unrated.amendment(entry)
  }

  givenBack(entry: number): GivenBack | undefined {
    const [row] = this.exec('SELECT amount_micro, voided FROM given_back WHERE entry = ?', entry)
    return row && { amount: microCredits(Number(row.amount_micro)), voided: row.voided === 1 }
  }

  /**
   * Writes changed entitlements from the live ledger, which is their source of truth. Skips changes that are already
   * stored.
   */
  acceptEntitlements(changed: readonly Entitlement[]): void {
    const { revision } = this.entitlements.last
    for (const row of changed) if (row.revision > revision) this.entitlements.write(row)
    this.limits.prune()
  }

  entitlementsOf(subject: Subject, key_id?: string): readonly Entitlement[] {
    return this.entitlements.of(subject, key_id)
  }

  get entitlementsVersion(): number {
    return this.entitlements.version
  }

  limitCounter(counter: number): LimitCounter | undefined {
    return this.limits.read(counter)
  }

  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse> {
    return this.journal.usedKeys(idempotencies)
  }

  keysAreFull(): boolean {
    return this.journal.keysAreFull()
  }

  /**
   * Writes all changes of a draft. Runs inside `transactionSync`, so it must not await. Call `publish` after the
   * transaction has succeeded.
   */
  write(draft: Draft, identity?: Identity): Written {
    if (identity) this.meta.set('identity', JSON.stringify(identity))
    const rows = this.journal.write(draft)
    const due_at_ms = new Map<string, number | null>()
    for (const [key, changed] of draft.wallets) {
      due_at_ms.set(key, this.writeWallet(key, changed, draft.at_ms))
    }
    for (const row of draft.burnTables) this.burnTables.insert(row)
    for (const version of draft.endedBurnTables) this.burnTables.deactivate(version, draft.at_ms)
    for (const row of draft.entitlements) this.entitlements.write(row)
    this.writeUnrated(draft)
    for (const [reference, payment] of draft.payments) this.payments.add(reference, payment)
    this.paymentIntents.write(draft.paymentIntents, draft.payers, draft.payersDue)
    for (const [number, lot] of draft.closedLots) this.writeClosedLot(number, lot)
    for (const [entry, given] of draft.givenBacks) this.writeGivenBack(entry, given)
    for (const [id, alert] of draft.alerts) this.alerts.write(id, alert)
    this.limits.writeMarks(draft.limitMarks)
    return { rows, due_at_ms }
  }

  publish(draft: Draft, { rows, due_at_ms }: Written, identity?: Identity): void {
    if (identity) this.known = identity
    this.journal.publish(draft, rows)
    this.limits.publish(draft.limitCounters)
    if (draft.entitlements.length > 0) this.limits.prune()
    if (draft.alerts.size > 0) this.alerts.publish(draft.alerts)
    for (const [key, wallet] of draft.wallets) this.cacheWallet(key, wallet, due_at_ms.get(key) ?? null)
  }

  /** Returns the keys of the wallets with a due item, the longest overdue first. */
  dueWallets(now_ms: number, limit: number): string[] {
    const rows = this.exec(
      'SELECT wallet_key FROM wallets WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?',
      now_ms,
      limit,
    )
    return rows.map((row) => String(row.wallet_key))
  }

  /**
   * Returns the wallets with a due time, at most `MAX_DUE_READ`. Wallets with open holds or recurring grants have a
   * due time.
   */
  walletsWithDue(): Wallet[] {
    const rows = this.exec('SELECT wallet_key FROM wallets WHERE due_at_ms IS NOT NULL LIMIT ?', MAX_DUE_READ)
    return rows.flatMap((row) => this.wallet(String(row.wallet_key)) ?? [])
  }

  /** Returns the earliest stored due time of a wallet after `after_ms`; null if no wallet has one. */
  nextDueAt(after_ms = -1): number | null {
    const [row] = this.exec('SELECT min(due_at_ms) AS at_ms FROM wallets WHERE due_at_ms > ?', after_ms)
    return row && row.at_ms !== null && row.at_ms !== undefined ? Number(row.at_ms) : null
  }

  /**
   * Reports whether an API key is revoked. The revocation time of a rotated key is the time until which the key and its
   * successor are both valid.
   */
  isRevoked(key_id: string, now_ms: number): boolean {
    let at_ms = this.revokedAt.get(key_id)
    if (at_ms === undefined) {
      at_ms = Number(this.exec(REVOKED_AT, key_id)[0]?.at_ms ?? Number.POSITIVE_INFINITY)
      if (this.revokedAt.size >= MAX_KEYS_IN_MEMORY) this.revokedAt.clear()
      this.revokedAt.set(key_id, at_ms)
    }
    return at_ms <= now_ms
  }

  revoke(key_id: string, at_ms: number): void {
    this.revokedAt.delete(key_id)
    this.exec(REVOKE, key_id, at_ms)
  }

  /**
   * Returns the entitlements that the erasure of a user or team deletes. Returns none in a test ledger: its
   * entitlements are copies of the live ledger's entitlements, and it receives their deletion from the live ledger.
   */
  entitlementsToErase({ kind, id }: Erasure): readonly Entitlement[] {
    return this.known?.mode === 'live' ? this.entitlements.ownedBy({ kind, id }) : []
  }

  /**
   * Writes the erasure, and removes the subject from all other tables except the journal. Call this in a transaction.
   * Afterwards, the subject's id can be used for a new user or team.
   */
  beginErasure(erasure: Erasure): void {
    this.erasures.requests.remove(erasure)
    this.erasures.write(erasure)
    this.erasures.remember(erasure, this.counters.entry)
    this.erasures.eraseFromWallets(erasure)
    this.erasures.eraseFromUnrated(erasure)
    this.paymentIntents.erase(erasure)
    this.alerts.erase(erasure)
    // A test ledger has copies of the live ledger's entitlements, and receives this change from the live ledger.
    if (this.known?.mode === 'live') {
      this.entitlements.erase(erasure)
      this.limits.prune()
    }
  }

  /** Writes a wallet. Returns the due time that was stored; null if the wallet has none. */
  private writeWallet(key: string, wallet: Wallet, at_ms: number): number | null {
    assertWallet(wallet)
    const { balance, ...state } = wallet
    const due_at_ms = this.dueToStore(key, wallet, at_ms)
    const text = JSON.stringify(state)
    assertRowSize(text)
    if (this.walletCache.get(key)?.due_at_ms === due_at_ms) this.exec(UPDATE_WALLET, balance, text, key)
    else this.exec(UPSERT_WALLET, key, wallet.number, balance, text, due_at_ms)
    return due_at_ms
  }

  /**
   * Returns the due time to store. An earlier time replaces the stored time. A later time, or null, replaces the stored
   * time only after the stored time has passed. Each change of the stored time costs an index row, so captures of the
   * hold that ends first must not change it. A stored time that is too early costs only one early alarm.
   */
  private dueToStore(key: string, wallet: Wallet, at_ms: number): number | null {
    const due_at_ms = walletDueAt(wallet)
    const stored = this.walletCache.get(key)?.due_at_ms ?? null
    return stored !== null && stored > at_ms && (due_at_ms === null || stored < due_at_ms)
      ? stored
      : due_at_ms
  }

  /** Writes the changes of a draft to the unrated events. */
  private writeUnrated({ records, unpaidCharges, closedUnrated }: Draft): void {
    const added: Entry[] = []
    for (const record of records) if (record.kind === 'entry' && record.event?.unrated) added.push(record)
    this.unrated.write(added, unpaidCharges, closedUnrated)
  }

  private writeClosedLot(number: number, lot: Lot | null): void {
    if (lot === null) this.exec('DELETE FROM closed_lots WHERE lot_number = ?', number)
    else
      this.exec(
        'INSERT OR REPLACE INTO closed_lots (lot_number, lot) VALUES (?, ?)',
        number,
        JSON.stringify(lot),
      )
  }

  private writeGivenBack(entry: number, { amount, voided }: GivenBack): void {
    this.exec(
      'INSERT OR REPLACE INTO given_back (entry, amount_micro, voided) VALUES (?, ?, ?)',
      entry,
      amount,
      voided ? 1 : 0,
    )
  }

  private forgetWallets(): void {
    this.walletCache.clear()
    this.keysByNumber.clear()
    this.withoutWallet.clear()
  }

  private cacheWallet(key: string, wallet: Wallet, due_at_ms: number | null): void {
    this.withoutWallet.delete(key)
    this.walletCache.set(key, { wallet, due_at_ms }, weightOfWallet(wallet))
  }

  private exec(query: string, ...bindings: SqlStorageValue[]): Record<string, SqlStorageValue>[] {
    const cursor = this.sql.exec(query, ...bindings)
    const rows = cursor.toArray()
    this.rowsWritten += cursor.rowsWritten
    return rows
  }
}

/**
 * Returns the weight of a wallet in the cache: 1, plus 1 for each lot, hold, part of a hold, recurring grant, counter
 * and rollover.
 */
function weightOfWallet({
  lots,
  pending = [],
  holds,
  recurring,
  counters = {},
  rollovers = {},
}: Wallet): number {
  const parts = holds.reduce((sum, hold) => sum + 1 + hold.parts.length, 0)
  const rolled = Object.values(rollovers).reduce((sum, list) => sum + list.length, 0)
  return 1 + lots.length + pending.length + parts + recurring.length + Object.keys(counters).length + rolled
}
