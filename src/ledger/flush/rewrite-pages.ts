import { sizeOf } from '../../db/text-size.ts'
import { numbersOfSubjects } from '../../projection/read/subjects.ts'
import { usageDeltas } from '../../usage/cells/delta.ts'
import type { LedgerStore } from '../commit/store.ts'
import { unpackRow } from '../journal/packing.ts'
import type { JournalRows } from '../journal/rows.ts'
import type { Entry } from '../model/journal.ts'
import type { EntryRange } from '../model/messages/ledger.ts'
import { mentionsOf } from './mentions.ts'
import { insertPages, packPages } from './pages.ts'

/** What is written at once, like a flush. */
const MAX_BYTES = 1_700_000

const DELETE_PAGES = `
  DELETE FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry BETWEEN ?2 AND ?3
    AND (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?4`

/**
 * Writes D1's pages of a range of entries anew from the journal, in place of what is there: the range is that of whole
 * flushes. False when the journal does not go back so far any more; then nothing is written.
 */
export async function rewritePages(
  store: LedgerStore,
  db: D1Database,
  ledger_id: string,
  { from_entry, to_entry }: EntryRange,
): Promise<boolean> {
  const { journal } = store
  const runs = runsOf(journal, from_entry, to_entry)
  if (!runs) return false
  for (const entries of runs) {
    const first = entries[0]
    const last = entries.at(-1)
    if (!first || !last) continue
    const number = await numbersOfSubjects(db, ledger_id, mentionsOf([], entries, []))
    const pages = packPages(entries, number, usageDeltas(entries, number))
    await db.batch([
      db.prepare(DELETE_PAGES).bind(ledger_id, first.number, last.number, journal.flushedRow),
      ...insertPages(db, ledger_id, first.number, pages, journal.flushedRow),
    ])
  }
  return true
}

/** The entries of a range in runs of about a flush; undefined when some of them are in no journal row any more. */
function runsOf(journal: JournalRows, from_entry: number, to_entry: number): Entry[][] | undefined {
  const runs: Entry[][] = []
  let run: Entry[] = []
  let bytes = 0
  let next = from_entry
  const before_row = rowBefore(journal, from_entry)
  if (before_row === undefined) return undefined
  for (const { format, body } of journal.rowsAfter(before_row)) {
    const entries = unpackRow(format, body)
      .filter((record) => record.kind === 'entry')
      .filter(({ number }) => number >= from_entry && number <= to_entry)
    const size = sizeOf(body)
    if (run.length > 0 && bytes + size > MAX_BYTES) {
      runs.push(run)
      run = []
      bytes = 0
    }
    for (const entry of entries) {
      if (entry.number !== next++) return undefined
      run.push(entry)
    }
    bytes += size
    if (next > to_entry) break
  }
  if (next <= to_entry) return undefined
  return [...runs, run]
}

/** The last row that ends before an entry, by halves: rows follow each other. If it was freed, the oldest is told by what it lacks. */
function rowBefore(journal: JournalRows, entry: number): number | undefined {
  let low = journal.oldestRow() - 1
  let high = journal.lastRow
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const row = journal.rowAt(middle)
    if (!row) return undefined
    if (row.last_entry < entry) low = middle
    else high = middle - 1
  }
  return low
}
