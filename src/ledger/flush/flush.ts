import { jsonParameters } from '../../db/json-parameters.ts'
import { logFailure } from '../../logging/log.ts'
import { subtractTotals, totalsOf } from '../../usage/cells/cells.ts'
import { type UsageDelta, usageDeltas } from '../../usage/cells/delta.ts'
import { Chain, type LinkedEntry } from '../chain/link.ts'
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
 * The bytes of journal that a flush takes, on disk and in memory, or one larger row. With the hashes of its entries, a
 * page is at most as large as its rows, except for numbers that replace shorter ids, so even a single page of the whole
 * flush fits into a row of D1. Two rows of the largest size fit.
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

// The statement that writes the holds. The watermark guards it like the pages of the same flush. It writes one row for
// each hold, once, when the hold ends.
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

/** The part of the journal that D1 has received since the cursor. */
export type FlushResult =
  | {
      readonly kind: 'flushed'
      readonly to: Watermark
      readonly entries: readonly Entry[]
      readonly deltas: readonly UsageDelta[]
      readonly notifications: readonly NotificationRecord[]
    }
  /** D1 is behind the cursor: it was restored from an older backup. */
  | { readonly kind: 'behind'; readonly to: Watermark }
  | { readonly kind: 'nothing' }

/**
 * Writes the next part of the journal to D1, and returns what D1 has since the cursor.
 *
 * Exactly once in effect: pages and watermark are written in one atomic batch, guarded by the watermark at
 * which this flush begins. If an earlier attempt, whose answer was lost, has moved the watermark, nothing is
 * written and the result describes that attempt's writes. Throws when D1 fails, and when D1 and the journal
 * have no common past; the caller retries.
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
  // The time is not before the flushed commits, even if the clock runs backwards: see `assertCommonPast`.
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

/** The hash chain up to the last entry that D1 is known to have. */
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

/** The part of the journal that D1 already has after the cursor, or `behind` if D1 has lost rows. */
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
 * Asserts that D1's watermark is a row of this journal. It is none if the object was restored to an earlier
 * point in time: D1 is then ahead of the journal, or at a row that was committed again later, and continuing
 * would lose commits. Nor is it a row of this journal if D1 was restored from a backup older than the oldest
 * row of the journal.
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
      `D1 has another history of the ledger: row ${flushed_row} has the hash ${flushed_hash} there, and ${row.hash} in the object. Was the object restored from an older state?`,
    )
  }
  const where = `D1 has the ledger up to row ${flushed_row} and entry ${flushed_entry}`
  const has = `the object has rows ${journal.oldestRow()} to ${journal.lastRow}`
  if (flushed_row < journal.oldestRow()) {
    throw new Error(
      `${where}, and ${has}: the rows in between exist in neither. Was D1 restored from a backup that is too old?`,
    )
  }
  throw new Error(`${where}, but ${has}. Was the object restored from an older state?`)
}

/**
 * Asserts that D1 has the same history of the ledger. A restored object can make other commits with the same numbers as
 * commits in D1. The hashes of the two differ, because every entry has a random salt.
 */
function assertSameChain(hash: string | null, { flushed_entry, chain_hash }: Watermark): void {
  if (hash === chain_hash) return
  throw new Error(
    `D1 has another history of the ledger: entry ${flushed_entry} has the hash ${chain_hash} there, and ${hash} in the object. Was the object restored from an older state?`,
  )
}

/** The characters of journal that a flush works on before it lets requests run: about 3 ms. */
const CHARACTERS_A_TURN = 256 * 1024
const ENTRIES_A_STEP = 256
const CHARACTERS_AN_ENTRY = 300

/**
 * Divides the work of a flush, which blocks the object's only thread, into steps. Requests run between two
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
 * The wallets that these rows created. Some of them have no entry: setting an overdraft limit also creates a
 * wallet.
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

/** Writes the holds that ended in a flush; part of its batch. */
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

/** The rows of `wallets`, each a JSON object. */
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
 * Moves the cursor and its sums back to D1's watermark, so that the flush rewrites the rows that D1 lost when it was
 * restored from an older backup.
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
    // Parsing blocks the object's only thread: waiting requests run in between.
    if (++rows % ROWS_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0))
  }
  assertSameChain(chain.hash, { ...to, chain_hash: from.hash })
  store.moveCursorBack({ row: to.flushed_row, usage, hash: to.chain_hash })
  const { customer_id, mode } = identity ?? {}
  logFailure('d1_was_restored', { customer_id, mode, cursor_row: from.row, d1_row: to.flushed_row })
}
