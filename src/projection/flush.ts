import type { SubjectKind } from '../db/schema.ts'
import type { Entry, HoldRecord } from '../ledger/journal.ts'
import type { LedgerIds } from '../ledger/ledger-ids.ts'
import type { WalletOwner } from '../ledger/messages.ts'
import { unpackRow } from '../ledger/packing.ts'
import type { JournalRow, LedgerStore } from '../ledger/store.ts'
import { insertClosedHolds } from './closed-holds.ts'
import { packPages } from './pages.ts'
import { numberSubjects, type SubjectIds } from './subjects.ts'

/** A flush takes about this many characters of journal, so that its pages fit one statement's parameter. */
const MAX_FLUSH_LENGTH = 384 * 1024
const MAX_FLUSH_ROWS = 500

const MAKE_LEDGER = `
  INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms) VALUES (?, 0, 0, 0)
  ON CONFLICT DO NOTHING`

const INSERT_WALLETS = `
  INSERT INTO wallets (ledger_id, wallet_number, wallet_id, owner_kind, owner_number)
  SELECT ?1, value ->> 'wallet_number', value ->> 'wallet_id', value ->> 'owner_kind', value ->> 'owner_number'
  FROM json_each(?2) WHERE true
  ON CONFLICT DO NOTHING`

const INSERT_PAGES = `
  INSERT INTO ledger_pages (ledger_id, flush_entry, wallet_number, format, first_entry, last_entry, entry_count,
    first_at_ms, last_at_ms, balance_before_micro, balance_after_micro, body)
  SELECT ?1, ?2, value ->> 'wallet_number', value ->> 'format', value ->> 'first_entry', value ->> 'last_entry',
    value ->> 'entry_count', value ->> 'first_at_ms', value ->> 'last_at_ms', value ->> 'balance_before_micro',
    value ->> 'balance_after_micro', value ->> 'body'
  FROM json_each(?3)
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?4`

const MOVE_WATERMARK = `
  UPDATE ledgers SET flushed_row = ?, flushed_entry = ?, flushed_at_ms = ?, unrated = ?
  WHERE ledger_id = ? AND flushed_row = ?`

const READ_WATERMARK = 'SELECT flushed_row FROM ledgers WHERE ledger_id = ?'

/**
 * Writes the next part of the journal to D1 and returns the last journal row that D1 then has.
 *
 * Exactly once in effect: pages and watermark move in one atomic batch, and both only if the watermark still stands
 * where this flush begins. If it does not, an earlier attempt whose answer was lost has moved it: then nothing is
 * written, and its position is what is returned. Throws when D1 fails; the caller tries again later.
 */
export async function flushJournal(
  store: LedgerStore,
  ids: LedgerIds,
  db: D1Database,
  ledger_id: string,
  now_ms: number,
): Promise<number> {
  const from_row = store.flushedRow
  const rows = takeRows(store.rowsAfter(from_row))
  const last = rows.at(-1)
  if (!last) return from_row
  const records = rows.flatMap((row) => unpackRow(row.format, row.body))
  const entries = records.filter((record) => record.kind === 'entry')
  const holds = records.filter((record) => record.kind === 'hold')
  const subject = await numberSubjects(db, ledger_id, subjectsOf(entries, holds), now_ms)
  const results = await db.batch<{ flushed_row: number }>([
    db.prepare(MAKE_LEDGER).bind(ledger_id),
    db.prepare(INSERT_WALLETS).bind(ledger_id, JSON.stringify(newWallets(entries, ids, subject))),
    db
      .prepare(INSERT_PAGES)
      .bind(ledger_id, entries[0]?.number ?? 0, JSON.stringify(packPages(entries, subject)), from_row),
    insertClosedHolds(db, ledger_id, holds, subject, from_row),
    db
      .prepare(MOVE_WATERMARK)
      .bind(last.row_id, last.last_entry, now_ms, store.unrated.count(), ledger_id, from_row),
    db.prepare(READ_WATERMARK).bind(ledger_id),
  ])
  const watermark = results.at(-1)?.results[0]?.flushed_row
  if (watermark === undefined || watermark < from_row) {
    throw new Error(`D1 has the ledger up to row ${watermark}, behind the object's cursor at row ${from_row}`)
  }
  return watermark
}

function takeRows(rows: Iterable<JournalRow>): JournalRow[] {
  const taken: JournalRow[] = []
  let length = 0
  for (const row of rows) {
    length += row.body.length
    if (taken.length === MAX_FLUSH_ROWS || (taken.length > 0 && length > MAX_FLUSH_LENGTH)) break
    taken.push(row)
  }
  return taken
}

function subjectsOf(entries: readonly Entry[], holds: readonly HoldRecord[]): SubjectIds {
  const subjects = { user: new Set<string>(), team: new Set<string>() }
  for (const { hold } of holds) {
    if (hold.user_id !== undefined) subjects.user.add(hold.user_id)
    if (hold.team_id !== undefined) subjects.team.add(hold.team_id)
  }
  for (const { event, owner } of entries) {
    if (event?.user_id !== undefined) subjects.user.add(event.user_id)
    if (event?.team_id !== undefined) subjects.team.add(event.team_id)
    if (owner && owner.kind !== 'customer') subjects[owner.kind].add(owner.id)
  }
  return subjects
}

/** The wallets that came into being, for D1; the customer's own is always among them, since it may have no entry. */
function newWallets(
  entries: readonly Entry[],
  ids: LedgerIds,
  subject: (kind: SubjectKind, id: string) => number,
): object[] {
  const owners: [number, WalletOwner][] = [[1, { kind: 'customer' }]]
  for (const { owner, wallet } of entries) if (owner) owners.push([wallet, owner])
  return owners.map(([wallet_number, owner]) => ({
    wallet_number,
    wallet_id: ids.wallet(wallet_number),
    owner_kind: owner.kind,
    owner_number: owner.kind === 'customer' ? null : subject(owner.kind, owner.id),
  }))
}
