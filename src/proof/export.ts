import type { Bindings } from '../bindings.ts'
import { jsonParameters, type PortionLimits, portionsOf } from '../db/json-parameters.ts'
import { ledgerDb, ledgerName } from '../db/ledger-db.ts'
import type { SubjectKind } from '../db/schema.ts'
import { genesisHash } from '../ledger/chain/chain.ts'
import { type ChainedEntry, chainedEntries, type Naming } from '../ledger/journal/packed-page.ts'
import { type Checkpoint, checkpointsFrom, readHash } from './store.ts'

export interface ChainExport {
  readonly ledger_id: string
  /** The number of the first entry of the chain. */
  readonly first_entry: number
  /**
   * The number of the first entry of the export. `to` is the number of the last entry that the export can contain. A
   * checkpoint covers this entry.
   */
  readonly from: number
  readonly to: number
}

/**
 * The number of entries after which an export ends. The export still contains all entries of its last flush. The number
 * limits the subrequests and the duration.
 */
export const EXPORT_ENTRIES = 50_000
/**
 * The maximum number of flushes in one export. It is needed in addition to `EXPORT_ENTRIES`, because a flush can have
 * only one entry.
 */
const EXPORT_FLUSHES = 10_000
/** The limits of one read of pages from D1. A read always contains all pages of at least one flush. */
const READ_LIMITS: PortionLimits = { bytes: 2_000_000, items: 64 }
/** The maximum number of checkpoints in one read. Checkpoints are signed once a day and on request. */
const CHECKPOINTS_A_READ = 1_000

// Selects the flushes of an export, beginning with the flush that contains the first entry. SQLite stores the length of
// a text in the header of the row, so the bodies are not read.
const FLUSHES = `
  SELECT flush_entry, sum(entry_count) AS entries, sum(octet_length(body)) AS bytes FROM ledger_pages
  WHERE ledger_id = ?1 AND flush_entry <= ?3 AND flush_entry >=
    coalesce((SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= ?2), 0)
  GROUP BY flush_entry ORDER BY flush_entry LIMIT ?4`

interface Flush {
  readonly flush_entry: number
  readonly entries: number
  readonly bytes: number
}

const PAGES_OF_FLUSHES = `
  SELECT format, body FROM ledger_pages
  WHERE ledger_id = ?1 AND flush_entry IN (SELECT value FROM json_each(?2)) AND hash_after IS NOT NULL`

// Excludes erased subjects, because the alias of an erased subject does not match the commitment in the chain.
const NAMES = `
  SELECT kind, number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND number IN (SELECT value FROM json_each(?3)) AND erased_at_ms IS NULL`

/**
 * Yields the lines of an export (`docs/proof.md`). Reads a few flushes at a time, so that the used memory does not
 * depend on the length of the export. Throws if D1 cannot be read, so that an incomplete export never looks complete.
 */
export async function* exportLines(
  env: Bindings,
  { ledger_id, first_entry, from, to }: ChainExport,
  most_entries = EXPORT_ENTRIES,
): AsyncGenerator<string> {
  const before = await hashBefore(env, ledger_id, first_entry, from)
  yield line({ export: 1, ledger: ledger_id, first_entry, from, before })
  const db = ledgerDb(env, ledgerName(ledger_id).customer_id)
  const checkpoints = [...(await checkpointsFrom(env, ledger_id, from, CHECKPOINTS_A_READ))]
  // A checkpoint must cover the last entry of the export.
  const end = Math.min(to, checkpoints.at(-1)?.entry_number ?? to)
  const flushes = await flushesOf(db, ledger_id, { from, to: end }, most_entries)
  let last = { entry: from - 1, hash: before }
  let written = 0
  const notes = (taken: readonly Checkpoint[]) => {
    written += taken.length
    return taken.map(({ note }) => line({ checkpoint: note })).join('')
  }
  for (const portion of portionsOf(flushes, bytesOf, READ_LIMITS)) {
    const text: string[] = []
    for (const chained of await readEntries(db, ledger_id, portion)) {
      if (chained.number < from || chained.number > end) continue
      last = { entry: chained.number, hash: chained.hash }
      text.push(entryLine(chained), notes(takeUpTo(checkpoints, last.entry)))
    }
    yield text.join('')
  }
  // Adds the next checkpoint, even if the export ends before its entry. The checkpoint proves that the ledger contains
  // the exported entries.
  yield notes(checkpoints.splice(0, 1))
  yield line({ end: { ...last, checkpoints: written, next: last.entry < to ? last.entry + 1 : null } })
}

/** Returns the line of an entry. The line contains exactly the texts from which the hash was computed. */
function entryLine({ content, hash, personal, salt }: ChainedEntry): string {
  const opened = personal === undefined ? '' : `,"personal":${personal},"salt":"${salt}"`
  return `{"entry":${content},"hash":"${hash}"${opened}}\n`
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}

function takeUpTo(checkpoints: Checkpoint[], entry: number): Checkpoint[] {
  const end = checkpoints.findIndex(({ entry_number }) => entry_number > entry)
  return checkpoints.splice(0, end === -1 ? checkpoints.length : end)
}

async function flushesOf(
  db: D1Database,
  ledger_id: string,
  { from, to }: { readonly from: number; readonly to: number },
  most_entries: number,
): Promise<Flush[]> {
  const { results } = await db.prepare(FLUSHES).bind(ledger_id, from, to, EXPORT_FLUSHES).all<Flush>()
  let entries = 0
  const end = results.findIndex((flush) => {
    const full = entries >= most_entries
    entries += flush.entries
    return full
  })
  return end === -1 ? results : results.slice(0, end)
}

function bytesOf({ bytes }: Flush): number {
  return bytes
}

async function readEntries(
  db: D1Database,
  ledger_id: string,
  flushes: readonly Flush[],
): Promise<ChainedEntry[]> {
  const list = JSON.stringify(flushes.map(({ flush_entry }) => flush_entry))
  const statement = db.prepare(PAGES_OF_FLUSHES).bind(ledger_id, list)
  const pages = (await statement.all<{ format: number; body: string }>()).results.map(({ format, body }) =>
    chainedEntries(format, body),
  )
  const name = await namesOf(
    db,
    ledger_id,
    pages.map(({ subjects }) => subjects),
  )
  return pages.flatMap(({ entries }) => entries(name)).sort((a, b) => a.number - b.number)
}

type Numbers = Readonly<Record<SubjectKind, ReadonlySet<number>>>

async function namesOf(db: D1Database, ledger_id: string, subjects: readonly Numbers[]): Promise<Naming> {
  const names = new Map<string, string>()
  const lists = (['user', 'team'] as const).flatMap((kind) => {
    const numbers = new Set(subjects.flatMap((one) => [...one[kind]]))
    return jsonParameters([...numbers].map(String)).map((list) =>
      db.prepare(NAMES).bind(ledger_id, kind, list),
    )
  })
  const results =
    lists.length === 0 ? [] : await db.batch<{ kind: string; number: number; external_id: string }>(lists)
  for (const { results: rows } of results) {
    for (const { kind, number, external_id } of rows) names.set(`${kind} ${number}`, external_id)
  }
  return (kind, number) => names.get(`${kind} ${number}`)
}

/**
 * Reads one entry of the chain, with its hash and the hash before it. Returns undefined if D1 does not have the entry
 * with a hash.
 */
export async function readChainedEntry(
  env: Bindings,
  { ledger_id, first_entry }: Pick<ChainExport, 'ledger_id' | 'first_entry'>,
  number: number,
): Promise<(ChainedEntry & { readonly before: string }) | undefined> {
  const db = ledgerDb(env, ledgerName(ledger_id).customer_id)
  const [flush] = await flushesOf(db, ledger_id, { from: number, to: number }, 1)
  if (!flush) return undefined
  const entries = await readEntries(db, ledger_id, [flush])
  const at = entries.findIndex((entry) => entry.number === number)
  const found = entries[at]
  if (!found) return undefined
  const before = entries[at - 1]?.hash ?? (await hashBefore(env, ledger_id, first_entry, number))
  return { ...found, before }
}

/**
 * Returns the hash before an entry: the hash of the previous entry. The hash before the first entry is computed from
 * the ledger's id and the number of the first entry.
 */
async function hashBefore(
  env: Bindings,
  ledger_id: string,
  first_entry: number,
  number: number,
): Promise<string> {
  const hash =
    number === first_entry ? genesisHash(ledger_id, first_entry) : await readHash(env, ledger_id, number - 1)
  if (hash === null) throw new Error(`D1 does not have the hash of entry ${number - 1} of ${ledger_id}`)
  return hash
}
