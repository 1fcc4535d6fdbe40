import { jsonParameters } from '../../db/json-parameters.ts'
import { logFailure } from '../../logging/log.ts'
import { subtractTotals, totalsOf } from '../../usage/cells/cells.ts'
import { type UsageDelta, usageDeltas } from '../../usage/cells/delta.ts'
import { Chain, type LinkedEntry } from '../chain/chain.ts'
import type { LedgerStore } from '../commit/store.ts'
import { NOTHING_FLUSHED, READ_WATERMARK, type Watermark } from '../journal/cursor.ts'
import type { SubjectNumber } from '../journal/packed-page.ts'
import { unpackRow } from '../journal/packing.ts'
import type { JournalRow, JournalRows } from '../journal/rows.ts'
import type { Entry, HoldRecord, JournalRecord, NotificationRecord } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { insertFlushedAudits, journaledAudits } from './audit-log.ts'
import { insertNotifications } from './notifications.ts'
import { bytesToFlush, insertPages, packPages } from './pages.ts'
import { mentionsOf, type NewWallet, numberSubjects, numbersOfSubjects } from './subjects.ts'

/**
 * The maximum total size of the journal rows in a flush, in bytes, on disk and in memory. A flush can also consist of
 * one larger row. `bytesToFlush` includes the bytes that a page adds to its journal rows, except the additional bytes
 * of subject numbers that are longer than their ids. A single page with the whole flush therefore fits into a row of
 * D1.
 */
const MAX_FLUSH_BYTES = 1_700_000
const MAX_FLUSH_ROWS = 500

const MAKE_LEDGER = `
  INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms) VALUES (?, 0, 0, 0)
  ON CONFLICT DO NOTHING`

const INSERT_WALLETS = `
  INSERT INTO wallets (ledger_id, wallet_number, wallet_id, owner_kind, owner_number)
  SELECT ?1, value ->> 'wallet_number', value ->> 'wallet_id', value ->> 'owner_kind', value ->> 'owner_number'
  FROM json_each(?2) WHERE true
  ON CONFLICT DO NOTHING`

// Writes the closed holds of a flush, one row for each hold. Writes nothing if the watermark has moved.
const INSERT_HOLDS = `
  INSERT INTO holds (ledger_id, hold_number, wallet_number, status, feature_id, user_number, team_number,
    credits_micro, captured_micro, created_at_ms, expires_at_ms, closed_at_ms)
  SELECT ?1, value ->> 'number', value ->> 'wallet', value ->> 'status', value ->> 'feature_id',
    value ->> 'user_number', value ->> 'team_number', value ->> 'credits', value ->> 'captured',
    value ->> 'created_at_ms', value ->> 'expires_at_ms', value ->> 'closed_at_ms'
  FROM json_each(?2)
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?3`

const MOVE_WATERMARK = `
  UPDATE ledgers SET flushed_row = ?, flushed_entry = ?, flushed_at_ms = ?, unrated = ?, unrated_entry = ?,
    last_notification = ?, chain_first_entry = ?, chain_hash = ?, flushed_hash = ?
  WHERE ledger_id = ? AND flushed_row = ?`

/**
 * The result of a flush. `flushed` contains the part of the journal that D1 has received since the cursor. `nothing`
 * means that the journal has no rows after the cursor.
 */
export type FlushResult =
  | {
      readonly kind: 'flushed'
      readonly to: Watermark
      readonly entries: readonly Entry[]
      readonly deltas: readonly UsageDelta[]
      readonly notifications: readonly NotificationRecord[]
    }
  /** The result if D1 is behind the cursor, because it was restored from an older backup. */
  | { readonly kind: 'behind'; readonly to: Watermark }
  | { readonly kind: 'nothing' }

/**
 * Writes the next part of the journal to D1, and returns the part that D1 has received since the cursor.
 *
 * Writes each part exactly once. One atomic batch writes the pages and the watermark, and only if the watermark is
 * still the position at which this flush begins. If an earlier attempt moved the watermark but D1's response was lost,
 * this flush writes nothing, and returns the part that the earlier attempt wrote. Throws if D1 fails, or if D1 and the
 * journal have different histories. The caller retries later.
 */
export async function flushJournal(
  store: LedgerStore,
  ids: LedgerIds,
  db: D1Database,
  ledger_id: string,
  now_ms: number,
): Promise<FlushResult> {
  const { journal } = store
  const from_row = journal.flushedRow
  const rows = takeRows(journal.rowsAfter(from_row))
  const last = rows.at(-1)
  if (!last) return { kind: 'nothing' }
  const turns = new Turns()
  const unpacked: { readonly row_id: number; readonly records: readonly JournalRecord[] }[] = []
  for (const { row_id, format, body } of rows) {
    unpacked.push({ row_id, records: unpackRow(format, body) })
    await turns.work(body.length)
  }
  const records = unpacked.flatMap((row) => row.records)
  const entries = records.filter((record) => record.kind === 'entry')
  const holds = records.filter((record) => record.kind === 'hold')
  const notifications = records.filter((record) => record.kind === 'notification')
  const wallets = newWallets(store, rows)
  const mentions = mentionsOf(wallets, entries, holds, notifications)
  const numbered = await numberSubjects(db, ledger_id, mentions, from_row)
  if (numbered.kind === 'moved') return since(store, db, ledger_id, numbered.watermark)
  const { number, watermark } = numbered
  if (watermark) {
    assertCommonPast(journal, watermark)
    assertSameChain(journal.cursor.hash, watermark)
  }
  const chain = chainAfterCursor(journal, ledger_id)
  const linked: LinkedEntry[] = []
  const deltas: UsageDelta[] = []
  for (let from = 0; from < entries.length; from += ENTRIES_A_STEP) {
    const step = entries.slice(from, from + ENTRIES_A_STEP)
    for (const entry of step) linked.push(chain.link(entry))
    deltas.push(...usageDeltas(step, number))
    await turns.work(ENTRIES_A_STEP * CHARACTERS_AN_ENTRY)
  }
  const pages = packPages(linked, number, deltas)
  await turns.end()
  const flush_entry = entries[0]?.number ?? 0
  // This time is never earlier than the times of the flushed commits, even if the clock moves backwards.
  // `assertCommonPast` requires this.
  const flushed_at_ms = Math.max(now_ms, journal.counters.at_ms)
  const results = await db.batch<Watermark>([
    db.prepare(MAKE_LEDGER).bind(ledger_id),
    ...jsonParameters(walletRows(wallets, ids, number)).map((list) =>
      db.prepare(INSERT_WALLETS).bind(ledger_id, list),
    ),
    ...insertPages(db, ledger_id, flush_entry, pages, from_row),
    ...insertClosedHolds(db, ledger_id, holds, number, from_row),
    ...insertFlushedAudits(db, ledger_id, unpacked.flatMap(journaledAudits), from_row),
    ...insertNotifications(db, ledger_id, notifications, number, from_row),
    db
      .prepare(MOVE_WATERMARK)
      .bind(
        last.row_id,
        last.last_entry,
        flushed_at_ms,
        store.unrated.count(),
        store.unrated.lastEntry(),
        last.last_notification,
        chain.hash === null ? null : journal.chainFirstEntry,
        chain.hash,
        last.hash,
        ledger_id,
        from_row,
      ),
    db.prepare(READ_WATERMARK).bind(ledger_id),
  ])
  const to = results.at(-1)?.results[0] ?? NOTHING_FLUSHED
  if (to.flushed_row !== last.row_id) return since(store, db, ledger_id, to)
  assertCommonPast(journal, to)
  assertSameChain(chain.hash, to)
  return { kind: 'flushed', to, entries, deltas, notifications }
}

/** Returns a hash chain that continues after the cursor's entry. */
function chainAfterCursor(journal: JournalRows, ledger_id: string): Chain {
  return chainAfter(journal, ledger_id, { entry: journal.flushedEntry(), hash: journal.cursor.hash })
}

function chainAfter(
  journal: JournalRows,
  ledger_id: string,
  { entry, hash }: { readonly entry: number; readonly hash: string | null },
): Chain {
  return new Chain(ledger_id, journal.chainFirstEntry, hash === null ? null : { entry, hash })
}

/**
 * Returns the part of the journal that D1 already has after the cursor, or `behind` if D1 has lost rows. Throws if D1
 * and the journal have different histories.
 */
export async function since(
  { journal }: LedgerStore,
  db: D1Database,
  ledger_id: string,
  to: Watermark,
): Promise<FlushResult> {
  assertCommonPast(journal, to)
  if (to.flushed_row < journal.flushedRow) return { kind: 'behind', to }
  const entries: Entry[] = []
  const notifications: NotificationRecord[] = []
  const chain = chainAfterCursor(journal, ledger_id)
  for (const row of journal.rowsAfter(journal.flushedRow)) {
    if (row.row_id > to.flushed_row) break
    for (const record of unpackRow(row.format, row.body)) {
      if (record.kind === 'entry') entries.push(record)
      else if (record.kind === 'notification') notifications.push(record)
    }
  }
  for (const entry of entries) chain.link(entry)
  assertSameChain(chain.hash, to)
  const number = await numbersOfSubjects(db, ledger_id, mentionsOf([], entries, [], []))
  return { kind: 'flushed', to, entries, deltas: usageDeltas(entries, number), notifications }
}

/**
 * Asserts that D1's watermark is the position of a row in this journal, or 0 if no row of the journal was deleted. The
 * assertion fails in two cases. First, if the object was restored to an earlier time, D1 is ahead of the journal, or
 * the journal has a different row with the same number. A flush would then lose commits. Second, if D1 was restored
 * from an old backup, the watermark can be older than the oldest row of the journal.
 */
export function assertCommonPast(
  journal: JournalRows,
  { flushed_row, flushed_entry, flushed_at_ms, flushed_hash }: Watermark,
): void {
  if (flushed_row === 0 && journal.oldestRow() === 1) return
  const row = journal.rowAt(flushed_row)
  if (row && row.last_entry === flushed_entry && row.at_ms <= flushed_at_ms) {
    if (row.hash === flushed_hash) return
    throw new Error(
      `D1 has another history of the ledger: row ${flushed_row} has the hash ${flushed_hash} in D1 and ${row.hash} in the object. The object might have been restored from an older state: see docs/operations.md.`,
    )
  }
  const where = `D1 has the ledger up to row ${flushed_row} and entry ${flushed_entry}`
  const has = `the object has rows ${journal.oldestRow()} to ${journal.lastRow}`
  if (flushed_row < journal.oldestRow()) {
    throw new Error(
      `${where}, and ${has}: the rows in between are missing. D1 might have been restored from a backup that is too old: see docs/operations.md.`,
    )
  }
  throw new Error(
    `${where}, but ${has}. The object might have been restored from an older state: see docs/operations.md.`,
  )
}

/**
 * Asserts that D1 has the same history of the ledger. A restored object can commit entries with numbers that D1 already
 * has. The hashes then differ, because every entry has a random salt.
 */
function assertSameChain(hash: string | null, { flushed_entry, chain_hash }: Watermark): void {
  if (hash === chain_hash) return
  throw new Error(
    `D1 has another history of the ledger: entry ${flushed_entry} has the hash ${chain_hash} in D1 and ${hash} in the object. The object might have been restored from an older state: see docs/operations.md.`,
  )
}

/**
 * The number of characters of the journal that a flush processes before it lets waiting requests run. Processing them
 * takes about 3 ms.
 */
const CHARACTERS_A_TURN = 256 * 1024
const ENTRIES_A_STEP = 256
const CHARACTERS_AN_ENTRY = 300

/**
 * Divides the work of a flush into steps, because the work blocks the object's only thread. Requests run between two
 * steps.
 */
class Turns {
  private done = 0

  async work(characters: number): Promise<void> {
    this.done += characters
    if (this.done >= CHARACTERS_A_TURN) await this.end()
  }

  async end(): Promise<void> {
    this.done = 0
    await scheduler.wait(0)
  }
}

function takeRows(rows: Iterable<JournalRow>): JournalRow[] {
  const taken: JournalRow[] = []
  let bytes = 0
  for (const row of rows) {
    bytes += bytesToFlush(row)
    if (taken.length === MAX_FLUSH_ROWS || (taken.length > 0 && bytes > MAX_FLUSH_BYTES)) break
    taken.push(row)
  }
  return taken
}

/**
 * Returns the wallets that the given journal rows created. A new wallet can have no entry, for example after a change
 * of its overdraft limit.
 */
function newWallets(store: LedgerStore, rows: readonly JournalRow[]): NewWallet[] {
  const wallets: NewWallet[] = []
  let wallet_number = store.journal.flushedWallet()
  for (const { last_wallet, at_ms } of rows) {
    while (wallet_number < last_wallet) {
      wallet_number++
      wallets.push({ wallet_number, owner: store.walletOwner(wallet_number), at_ms })
    }
  }
  return wallets
}

/** Returns the statements that write the holds that ended in a flush. They are part of the flush's batch. */
function insertClosedHolds(
  db: D1Database,
  ledger_id: string,
  records: readonly HoldRecord[],
  subject: SubjectNumber,
  from_row: number,
): D1PreparedStatement[] {
  const rows = records.map(({ hold, at_ms }) =>
    JSON.stringify({
      ...hold,
      user_number: hold.user_id === undefined ? null : subject('user', hold.user_id),
      team_number: hold.team_id === undefined ? null : subject('team', hold.team_id),
      closed_at_ms: at_ms,
    }),
  )
  return jsonParameters(rows).map((holds) => db.prepare(INSERT_HOLDS).bind(ledger_id, holds, from_row))
}

/** Returns the rows of `wallets`, each as a JSON object. */
function walletRows(wallets: readonly NewWallet[], ids: LedgerIds, number: SubjectNumber): string[] {
  return wallets.map(({ wallet_number, owner }) =>
    JSON.stringify({
      wallet_number,
      wallet_id: ids.wallet(wallet_number),
      owner_kind: owner.kind,
      owner_number: owner.kind === 'customer' ? null : number(owner.kind, owner.id),
    }),
  )
}

const ROWS_A_TURN = 32

/**
 * Moves the cursor and its sums back to D1's watermark, after D1 was restored from an older backup, and logs the
 * restore. The next flush then writes the lost rows again.
 */
export async function rewind(store: LedgerStore, ledger_id: string, to: Watermark): Promise<void> {
  const { journal, identity } = store
  const from = journal.cursor
  const chain = chainAfter(journal, ledger_id, { entry: to.flushed_entry, hash: to.chain_hash })
  let { usage } = from
  let rows = 0
  for (const { row_id, format, body } of journal.rowsAfter(to.flushed_row)) {
    if (row_id > from.row) break
    const entries = unpackRow(format, body).filter((record) => record.kind === 'entry')
    usage = subtractTotals(usage, totalsOf(usageDeltas(entries, () => 0)))
    for (const entry of entries) chain.link(entry)
    // Parsing blocks the object's only thread, so this wait lets requests run.
    if (++rows % ROWS_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0))
  }
  assertSameChain(chain.hash, { ...to, chain_hash: from.hash })
  store.moveCursorBack({ row: to.flushed_row, usage, hash: to.chain_hash })
  const { customer_id, mode } = identity ?? {}
  logFailure('d1_was_restored', { customer_id, mode, cursor_row: from.row, d1_row: to.flushed_row })
}
