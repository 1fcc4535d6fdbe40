import type { Mode } from '../db/schema.ts'
import { microCredits } from '../pricing/money.ts'
import { BurnTableRows } from './burn-table-rows.ts'
import type { Counters, Draft, GivenBack, LedgerReader } from './draft.ts'
import { EntitlementRows } from './entitlement-rows.ts'
import type { Entitlement } from './entitlements.ts'
import type { KeyStore, KeyUse, StoredRecord, UsedKey } from './idempotency.ts'
import type { JournalRecord } from './journal.ts'
import { KeyTable } from './key-table.ts'
import { LimitCounters, packCounters } from './limit-counters.ts'
import type { LimitCounter, Subject } from './limits.ts'
import type { Lot } from './lots.ts'
import type { Idempotency } from './messages.ts'
import { FORMAT, MAX_ROW_BYTES, packRows, unpackRow } from './packing.ts'
import { type Amendment, type UnratedEvent, UnratedRows } from './unrated-rows.ts'
import { assertWallet, type Wallet, walletDueAt } from './wallet.ts'

/** The identity of the ledger, written once when it is opened. */
export interface Identity {
  readonly customer_id: string
  readonly mode: Mode
  readonly opened_at_ms: number
}

/** A row of the journal that D1 may not have yet. */
export interface JournalRow {
  readonly row_id: number
  readonly format: number
  readonly body: string
  readonly last_entry: number
}

const CREATE_TABLES = `
  CREATE TABLE IF NOT EXISTS meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS journal (
    row_id INTEGER PRIMARY KEY,
    format INTEGER NOT NULL,
    first_entry INTEGER NOT NULL,
    last_entry INTEGER NOT NULL CHECK (last_entry >= first_entry - 1),
    last_lot INTEGER NOT NULL,
    last_wallet INTEGER NOT NULL,
    last_hold INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    limits TEXT,
    body TEXT NOT NULL
  ) STRICT;

  CREATE TABLE IF NOT EXISTS wallets (
    wallet_key TEXT PRIMARY KEY,
    wallet_number INTEGER NOT NULL,
    balance_micro INTEGER NOT NULL CHECK (balance_micro BETWEEN -8000000000000000 AND 8000000000000000),
    due_at_ms INTEGER,
    state TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE UNIQUE INDEX IF NOT EXISTS wallets_number ON wallets (wallet_number);
  CREATE INDEX IF NOT EXISTS wallets_due ON wallets (due_at_ms) WHERE due_at_ms IS NOT NULL;

  CREATE TABLE IF NOT EXISTS closed_lots (
    lot_number INTEGER PRIMARY KEY,
    lot TEXT NOT NULL
  ) STRICT;

  CREATE TABLE IF NOT EXISTS given_back (
    entry INTEGER PRIMARY KEY,
    amount_micro INTEGER NOT NULL CHECK (amount_micro BETWEEN 0 AND 8000000000000000),
    voided INTEGER NOT NULL CHECK (voided IN (0, 1))
  ) STRICT;

  CREATE TABLE IF NOT EXISTS revoked_keys (
    key_id TEXT PRIMARY KEY,
    revoked_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`

const LAST_JOURNAL_ROW = `
  SELECT row_id, last_entry, last_lot, last_wallet, last_hold, at_ms FROM journal ORDER BY row_id DESC LIMIT 1`

const INSERT_JOURNAL_ROW = `
  INSERT INTO journal (row_id, format, first_entry, last_entry, last_lot, last_wallet, last_hold, at_ms, limits, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// An UPDATE touches an index only when it sets one of its columns: while the due time stays, a wallet costs one row.
const UPDATE_WALLET = 'UPDATE wallets SET balance_micro = ?, state = ? WHERE wallet_key = ?'
const UPSERT_WALLET = `
  INSERT INTO wallets (wallet_key, wallet_number, balance_micro, state, due_at_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (wallet_key) DO UPDATE SET
    balance_micro = excluded.balance_micro, state = excluded.state, due_at_ms = excluded.due_at_ms`

/**
 * Journal rows are read a few at a time: a row can hold a quarter of a megabyte, and all that D1 has not taken yet
 * need not fit into an isolate's memory. Whoever has enough stops, and no cursor stays open.
 */
const ROWS_A_READ = 8

/** A credit pays for no more events than this that were left unpaid; the next one, or the cron, goes on. */
const MAX_UNPAID_READ = 100

/** Wallets and parsed journal rows kept in memory; both are bounded, since an isolate is shared. */
const MAX_CACHED_WALLETS = 5_000
const MAX_CACHED_ROWS = 4

interface UnpackedRow {
  readonly format: number
  readonly records: readonly JournalRecord[]
}

interface StoredWallet {
  readonly wallet: Wallet
  readonly due_at_ms: number | null
}

/** The object's SQLite, and the committed state as far as it is in memory. Its statements are all here. */
export class LedgerStore implements LedgerReader {
  readonly burnTables: BurnTableRows
  readonly entitlements: EntitlementRows
  readonly limits: LimitCounters
  readonly unrated: UnratedRows
  private readonly keys: KeyStore
  private readonly walletCache = new Map<string, StoredWallet>()
  private readonly rowCache = new Map<number, UnpackedRow>()
  private lastRow = 0
  private lastFlushed = 0
  /** The last journal row that the checkpoint of limit counters includes. */
  private lastCounted = 0
  private committed: Counters = { entry: 0, lot: 0, wallet: 0, hold: 0, at_ms: 0 }
  private known: Identity | null = null
  /** Rows written since the object started: what commits cost is asserted by tests. */
  rowsWritten = 0

  private readonly sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.sql = sql
    this.exec(CREATE_TABLES)
    this.keys = new KeyTable((query, ...bindings) => this.exec(query, ...bindings))
    this.burnTables = new BurnTableRows((query, ...bindings) => this.exec(query, ...bindings))
    this.entitlements = new EntitlementRows((query, ...bindings) => this.exec(query, ...bindings))
    this.unrated = new UnratedRows((query, ...bindings) => this.exec(query, ...bindings))
    this.limits = new LimitCounters(
      (query, ...bindings) => this.exec(query, ...bindings),
      // What is flushed was checkpointed before, or had nothing to checkpoint.
      () => Math.max(this.lastCounted, this.lastFlushed),
    )
    this.load()
  }

  /** Reads what a start needs: O(1), whatever the ledger holds. */
  load(): void {
    this.walletCache.clear()
    this.rowCache.clear()
    this.burnTables.forget()
    this.entitlements.forget()
    this.limits.forget()
    const identity = this.meta('identity')
    this.known = identity === null ? null : JSON.parse(identity)
    this.lastFlushed = Number(this.meta('flushed_row') ?? 0)
    this.lastCounted = Number(this.meta('counted_row') ?? 0)
    const [last] = this.exec(LAST_JOURNAL_ROW)
    this.lastRow = last ? Number(last.row_id) : 0
    if (last) {
      this.committed = {
        entry: Number(last.last_entry),
        lot: Number(last.last_lot),
        wallet: Number(last.last_wallet),
        hold: Number(last.last_hold),
        at_ms: Number(last.at_ms),
      }
    }
  }

  get identity(): Identity | null {
    return this.known
  }

  get counters(): Counters {
    return this.committed
  }

  /** The last journal row that D1 is known to have. */
  get flushedRow(): number {
    return this.lastFlushed
  }

  /** Whether the journal holds rows that D1 does not have. */
  get isDirty(): boolean {
    return this.lastRow > this.lastFlushed
  }

  get databaseSize(): number {
    return this.sql.databaseSize
  }

  /** D1 has the journal up to `row_id`. The cursor only ever moves forward. */
  writeFlushed(row_id: number): void {
    if (row_id <= this.lastFlushed) return
    // Flushed rows may be freed, so nothing may be in them alone.
    if (this.limits.isDirty) throw new Error('the checkpoint of limit counters is behind the flush')
    this.setMeta('flushed_row', String(row_id))
    this.lastFlushed = row_id
  }

  /** A row for each limit counter that changed and one for the cursor. In a transaction; then `checkpointed`. */
  writeCheckpoint(): void {
    this.limits.writeCheckpoint()
    this.setMeta('counted_row', String(this.lastRow))
  }

  checkpointed(): void {
    this.limits.checkpointed()
    this.lastCounted = this.lastRow
  }

  wallet(key: string): Wallet | undefined {
    const cached = this.walletCache.get(key)
    if (cached) return cached.wallet
    const [row] = this.exec('SELECT balance_micro, due_at_ms, state FROM wallets WHERE wallet_key = ?', key)
    if (!row) return undefined
    const wallet: Wallet = {
      ...JSON.parse(String(row.state)),
      balance: microCredits(Number(row.balance_micro)),
    }
    assertWallet(wallet)
    this.cacheWallet(key, wallet, row.due_at_ms === null ? null : Number(row.due_at_ms))
    return wallet
  }

  walletByNumber(number: number): Wallet | undefined {
    const [row] = this.exec('SELECT wallet_key FROM wallets WHERE wallet_number = ?', number)
    return row && this.wallet(String(row.wallet_key))
  }

  closedLot(number: number): Lot | undefined {
    const [row] = this.exec('SELECT lot FROM closed_lots WHERE lot_number = ?', number)
    return row && JSON.parse(String(row.lot))
  }

  unratedEvent(entry: number): UnratedEvent | undefined {
    return this.unrated.get(entry)
  }

  unpaidEvents(wallet_number: number): UnratedEvent[] {
    return this.unrated.unpaid(wallet_number, MAX_UNPAID_READ)
  }

  amendment(entry: number): Amendment | undefined {
    return this.unrated.amendment(entry)
  }

  givenBack(entry: number): GivenBack | undefined {
    const [row] = this.exec('SELECT amount_micro, voided FROM given_back WHERE entry = ?', entry)
    return row && { amount: microCredits(Number(row.amount_micro)), voided: row.voided === 1 }
  }

  /** Takes over what changed in the ledger that is the master of entitlements, each unless it is known already. */
  acceptEntitlements(changed: readonly Entitlement[]): void {
    const { revision } = this.entitlements.last
    for (const row of changed) if (row.revision > revision) this.entitlements.write(row)
    this.limits.prune()
  }

  entitlementsOf(subject: Subject): readonly Entitlement[] {
    return this.entitlements.of(subject)
  }

  limitCounter(counter: number): LimitCounter | undefined {
    return this.limits.read(counter)
  }

  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse> {
    const used = this.keys.find(idempotencies.map(({ key }) => key))
    const found = new Map<string, KeyUse>()
    for (const [key, stored] of used) {
      found.set(key, { fingerprint: stored.fingerprint, read: () => this.recordOfKey(key, stored) })
    }
    return found
  }

  /**
   * Writes a draft: journal rows, keys, wallets; returns how many journal rows. Called inside `transactionSync`, with
   * no `await` anywhere near; `publish` makes it the state that is read, once the transaction has succeeded.
   */
  write(draft: Draft, identity?: Identity): number {
    if (identity) this.setMeta('identity', JSON.stringify(identity))
    const { lot, wallet, hold, at_ms } = draft.counters
    let row_id = this.lastRow
    let last_entry = this.committed.entry
    let limits = packCounters(draft.limitCounters)
    for (const { body, records } of packRows(draft.records)) {
      row_id++
      assertRowSize(body)
      const first_entry = last_entry + 1
      for (const record of records) if (record.kind === 'entry') last_entry = record.number
      const counters = [lot, wallet, hold, at_ms] as const
      this.exec(INSERT_JOURNAL_ROW, row_id, FORMAT, first_entry, last_entry, ...counters, limits, body)
      limits = null
      this.keys.record(row_id, keysOf(records))
    }
    if (last_entry !== draft.counters.entry)
      throw new Error('the journal does not hold every entry of its commit')
    for (const [key, changed] of draft.wallets) this.writeWallet(key, changed, at_ms)
    for (const row of draft.burnTables) this.burnTables.insert(row)
    for (const row of draft.entitlements) this.entitlements.write(row)
    this.writeUnrated(draft)
    for (const [number, lot] of draft.closedLots) this.writeClosedLot(number, lot)
    for (const [entry, given] of draft.givenBacks) this.writeGivenBack(entry, given)
    return row_id - this.lastRow
  }

  publish(draft: Draft, rows: number, identity?: Identity): void {
    if (identity) this.known = identity
    this.lastRow += rows
    this.committed = draft.counters
    this.limits.publish(draft.limitCounters)
    if (draft.entitlements.length > 0) this.limits.prune()
    for (const [key, wallet] of draft.wallets)
      this.cacheWallet(key, wallet, this.dueToStore(key, wallet, draft.at_ms))
  }

  /** The wallets in which something has fallen due, the longest overdue first. */
  dueWallets(now_ms: number, limit: number): Wallet[] {
    const rows = this.exec(
      'SELECT wallet_key FROM wallets WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?',
      now_ms,
      limit,
    )
    return rows.flatMap((row) => this.wallet(String(row.wallet_key)) ?? [])
  }

  /** The wallets in which something will fall due: all that have open holds are among them. */
  walletsWithDue(limit: number): Wallet[] {
    const rows = this.exec('SELECT wallet_key FROM wallets WHERE due_at_ms IS NOT NULL LIMIT ?', limit)
    return rows.flatMap((row) => this.wallet(String(row.wallet_key)) ?? [])
  }

  /** When the next wallet falls due; null when none will. */
  nextDueAt(): number | null {
    const [row] = this.exec('SELECT min(due_at_ms) AS at_ms FROM wallets WHERE due_at_ms IS NOT NULL')
    return row && row.at_ms !== null && row.at_ms !== undefined ? Number(row.at_ms) : null
  }

  /** Journal rows after `row_id`, oldest first. */
  *rowsAfter(row_id: number): Generator<JournalRow> {
    let after_row = row_id
    for (;;) {
      const rows = this.exec(
        'SELECT row_id, format, body, last_entry FROM journal WHERE row_id > ? ORDER BY row_id LIMIT ?',
        after_row,
        ROWS_A_READ,
      ).map(journalRow)
      yield* rows
      if (rows.length < ROWS_A_READ) return
      after_row = rows.at(-1)?.row_id ?? after_row
    }
  }

  /** Journal rows that D1 may not have and that hold entries below `before_entry`, newest first. */
  *unflushedBefore(before_entry: number): Generator<JournalRow> {
    let before_row = this.lastRow + 1
    for (;;) {
      const rows = this.exec(
        `SELECT row_id, format, body, last_entry FROM journal
         WHERE row_id > ? AND row_id < ? AND first_entry < ? AND last_entry >= first_entry
         ORDER BY row_id DESC LIMIT ?`,
        this.lastFlushed,
        before_row,
        before_entry,
        ROWS_A_READ,
      ).map(journalRow)
      yield* rows
      if (rows.length < ROWS_A_READ) return
      before_row = rows.at(-1)?.row_id ?? before_row
    }
  }

  /** The last entry that D1 is known to have: the first unflushed row tells. */
  flushedEntry(): number {
    const [row] = this.exec(
      'SELECT first_entry FROM journal WHERE row_id > ? ORDER BY row_id LIMIT 1',
      this.lastFlushed,
    )
    return row ? Number(row.first_entry) - 1 : this.committed.entry
  }

  /**
   * Frees journal rows that D1 has and whose keys have lived their time, with those keys. The newest row stays: it
   * holds the counters. Returns whether there may be more.
   */
  forgetBefore(at_ms: number, limit: number): boolean {
    const oldest_at_ms = this.oldestFreeableRowAt()
    if (oldest_at_ms === null || oldest_at_ms >= at_ms) return false
    // The time of rows never falls, so the first that is too young ends it: no search through the whole journal.
    const rows = this.exec(
      'SELECT row_id, format, at_ms, body FROM journal WHERE row_id <= ? AND row_id < ? ORDER BY row_id LIMIT ?',
      this.lastFlushed,
      this.lastRow,
      limit,
    )
    for (const row of rows) {
      if (Number(row.at_ms) >= at_ms) return false
      const records = unpackRow(Number(row.format), String(row.body))
      this.keys.forget(keysOf(records).map(({ idempotency }) => idempotency.key))
      this.exec('DELETE FROM journal WHERE row_id = ?', Number(row.row_id))
      this.rowCache.delete(Number(row.row_id))
    }
    return rows.length === limit
  }

  /** The commit time of the oldest journal row that D1 has and that is not the newest; null when there is none. */
  oldestFreeableRowAt(): number | null {
    const [row] = this.exec(
      'SELECT at_ms FROM journal WHERE row_id <= ? AND row_id < ? ORDER BY row_id LIMIT 1',
      this.lastFlushed,
      this.lastRow,
    )
    return row ? Number(row.at_ms) : null
  }

  isRevoked(key_id: string): boolean {
    return this.exec('SELECT 1 FROM revoked_keys WHERE key_id = ?', key_id).length > 0
  }

  revoke(key_id: string, at_ms: number): void {
    this.exec(
      'INSERT INTO revoked_keys (key_id, revoked_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING',
      key_id,
      at_ms,
    )
  }

  /** What all wallets hold, in micro-credits: rule 4 compares it with the sum of all entries. */
  sumOfBalances(): number {
    const [row] = this.exec('SELECT coalesce(sum(balance_micro), 0) AS sum FROM wallets')
    return Number(row?.sum ?? 0)
  }

  private writeWallet(key: string, wallet: Wallet, at_ms: number): void {
    assertWallet(wallet)
    const { balance, ...state } = wallet
    const due_at_ms = this.dueToStore(key, wallet, at_ms)
    const text = JSON.stringify(state)
    assertRowSize(text)
    if (this.walletCache.get(key)?.due_at_ms === due_at_ms) this.exec(UPDATE_WALLET, balance, text, key)
    else this.exec(UPSERT_WALLET, key, wallet.number, balance, text, due_at_ms)
  }

  /**
   * When the alarm is to look at the wallet. Moving that costs an index row, and looking once too early costs less than
   * moving it back whenever the hold that ends first is captured: so a time still to come is only moved forward.
   */
  private dueToStore(key: string, wallet: Wallet, at_ms: number): number | null {
    const due_at_ms = walletDueAt(wallet)
    const stored = this.walletCache.get(key)?.due_at_ms ?? null
    return stored !== null && stored > at_ms && (due_at_ms === null || stored < due_at_ms)
      ? stored
      : due_at_ms
  }

  /** An event that was recorded and voided in one commit is added and closed again. */
  private writeUnrated({ records, unpaidCharges, closedUnrated }: Draft): void {
    for (const record of records)
      if (record.kind === 'entry' && record.event?.unrated) this.unrated.add(record)
    for (const [entry, charge] of unpaidCharges) this.unrated.keepCharge(entry, charge)
    for (const [entry, amendment] of closedUnrated) this.unrated.close(entry, amendment)
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

  private recordOfKey(key: string, { row, index }: UsedKey): StoredRecord {
    const { format, records } = this.rowOf(row)
    const record = records[index]
    if (record?.idempotency?.key !== key) throw new Error('an idempotency key leads to another record')
    return { format, record }
  }

  private rowOf(row_id: number): UnpackedRow {
    const cached = this.rowCache.get(row_id)
    if (cached) return cached
    const [row] = this.exec('SELECT format, body FROM journal WHERE row_id = ?', row_id)
    if (!row) throw new Error(`journal row ${row_id} is missing`)
    const format = Number(row.format)
    const unpacked = { format, records: unpackRow(format, String(row.body)) }
    evictOldest(this.rowCache, MAX_CACHED_ROWS)
    this.rowCache.set(row_id, unpacked)
    return unpacked
  }

  private cacheWallet(key: string, wallet: Wallet, due_at_ms: number | null): void {
    this.walletCache.delete(key)
    evictOldest(this.walletCache, MAX_CACHED_WALLETS)
    this.walletCache.set(key, { wallet, due_at_ms })
  }

  private meta(key: string): string | null {
    const [row] = this.exec('SELECT value FROM meta WHERE key = ?', key)
    return row ? String(row.value) : null
  }

  private setMeta(key: string, value: string): void {
    this.exec(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      key,
      value,
    )
  }

  private exec(query: string, ...bindings: SqlStorageValue[]): Record<string, SqlStorageValue>[] {
    const cursor = this.sql.exec(query, ...bindings)
    const rows = cursor.toArray()
    this.rowsWritten += cursor.rowsWritten
    return rows
  }
}

function keysOf(records: readonly JournalRecord[]): { index: number; idempotency: Idempotency }[] {
  return records.flatMap(({ idempotency }, index) => (idempotency ? [{ index, idempotency }] : []))
}

function journalRow(row: Record<string, SqlStorageValue>): JournalRow {
  return {
    row_id: Number(row.row_id),
    format: Number(row.format),
    body: String(row.body),
    last_entry: Number(row.last_entry),
  }
}

function assertRowSize(text: string): void {
  // A UTF-16 unit takes at most three bytes in UTF-8, so most rows need no second look.
  if (text.length * 3 > MAX_ROW_BYTES && new TextEncoder().encode(text).length > MAX_ROW_BYTES) {
    throw new Error(`a row of ${text.length} characters is too large to store`)
  }
}

function evictOldest<K, V>(cache: Map<K, V>, maximum: number): void {
  if (cache.size < maximum) return
  for (const key of cache.keys()) {
    cache.delete(key)
    return
  }
}
