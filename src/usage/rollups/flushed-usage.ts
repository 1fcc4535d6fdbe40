import { portionsOf } from '../../db/json-parameters.ts'
import { type ParsedPage, parsePage } from '../../ledger/journal/packed-page.ts'
import type { PageRow } from '../../projection/read/page-rows.ts'
import { type UsageDelta, usageDeltas } from '../cells/delta.ts'
import { unpackCells } from '../cells/pack-cells.ts'
import { type ParsedUsageMessage, type UsageMessage, usageMessages } from '../queue/message.ts'

/** The error for missing entries in the pages of a ledger in D1. The pages must first be repaired from the journal. */
export class BrokenPages extends Error {}

const FLUSHES_A_READ = 20
/**
 * The maximum size of the page bodies in one read, in bytes; a single larger flush is read as a whole. A flush normally
 * has at most 1.7 MB. The limit is low, because memory contains the data three times: as text, parsed and unpacked.
 */
const BYTES_A_READ = 2_000_000

// Begins with the flush that contains the entry `?2`: the last flush that does not begin after this entry.
// `octet_length` reads no body, because SQLite stores the length of a body in the header of the row.
const FLUSHES_FROM = `
  SELECT flush_entry, sum(octet_length(body)) AS bytes FROM ledger_pages
  WHERE ledger_id = ?1 AND flush_entry >= coalesce(
    (SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= ?2), ?2)
  GROUP BY flush_entry ORDER BY flush_entry LIMIT ${FLUSHES_A_READ}`

const PAGES_OF_FLUSHES = `
  SELECT flush_entry, last_at_ms, format, body FROM ledger_pages
  WHERE ledger_id = ?1 AND flush_entry BETWEEN ?2 AND ?3 ORDER BY flush_entry, wallet_number`

/**
 * Makes the usage messages for the entries after `after_entry` from the pages in D1, up to the last page. They equal
 * the messages that the ledger object sent, except that the first message has no entries up to `after_entry`. Throws
 * `BrokenPages` if entries are missing in the pages.
 */
export async function* flushedUsage(
  db: D1Database,
  ledger_id: string,
  after_entry: number,
): AsyncGenerator<ParsedUsageMessage> {
  let reached = after_entry
  for (;;) {
    const { results } = await db
      .prepare(FLUSHES_FROM)
      .bind(ledger_id, reached + 1)
      .all<FlushRow>()
    const before = reached
    for (const flushes of portionsOf(results, ({ bytes }) => bytes, { bytes: BYTES_A_READ })) {
      const [first, last] = [flushes[0]?.flush_entry, flushes.at(-1)?.flush_entry]
      const pages = await db.prepare(PAGES_OF_FLUSHES).bind(ledger_id, first, last).all<PageRow>()
      for (const flush of byFlush(pages.results)) {
        for (const message of messagesOf(ledger_id, flush, reached)) {
          yield message
          reached = message.to_entry
        }
      }
    }
    if (reached === before) return
  }
}

interface FlushRow {
  flush_entry: number
  bytes: number
}

interface Flush {
  readonly flush_entry: number
  readonly pages: PageRow[]
}

function byFlush(rows: readonly PageRow[]): Flush[] {
  const flushes: Flush[] = []
  for (const row of rows) {
    const open = flushes.at(-1)
    if (open?.flush_entry === row.flush_entry) open.pages.push(row)
    else flushes.push({ flush_entry: row.flush_entry, pages: [row] })
  }
  return flushes
}

/**
 * Returns the usage messages of one flush for the entries after `reached`. If a message also contains earlier entries,
 * removes them from the message. Throws `BrokenPages` if entries are missing.
 */
function messagesOf(ledger_id: string, { flush_entry, pages }: Flush, reached: number): ParsedUsageMessage[] {
  const entries = pages
    .flatMap(({ format, body }) => entriesOf(parsePage(format, body)))
    .sort((a, b) => a.number - b.number)
  const to_entry = entries.at(-1)?.number ?? 0
  const whole = entries.length > 0 && entries.every(({ number }, i) => number === flush_entry + i)
  if (!whole || flush_entry > reached + 1) {
    throw new BrokenPages(
      `the pages of ${ledger_id} have a gap: the usage from entry ${reached + 1} cannot be read at flush ${flush_entry}`,
    )
  }
  if (to_entry <= reached) return []
  const range = { ledger_id, after_entry: flush_entry - 1, to_entry, at_ms: lastOf(pages) }
  const deltas = usageDeltas(entries, (_, number) => Number(number))
  const messages = usageMessages(range, deltas).filter((message) => message.to_entry > reached)
  const first = messages[0]
  if (first && first.after_entry < reached) messages.splice(0, 1, ...cutAt(reached, first, deltas))
  return messages.map(({ v: _, cells, ...message }) => ({ ...message, cells: unpackCells(cells) }))
}

/** Returns messages that replace a message, without the usage of entries up to `reached`. */
function cutAt(
  reached: number,
  { ledger_id, to_entry, at_ms }: UsageMessage,
  deltas: readonly UsageDelta[],
): UsageMessage[] {
  const rest = deltas.filter(({ entry }) => entry > reached && entry <= to_entry)
  const messages = usageMessages({ ledger_id, after_entry: reached, to_entry, at_ms: at_ms ?? 0 }, rest)
  return at_ms === null ? messages.map((message) => ({ ...message, at_ms })) : messages
}

/**
 * Returns the entries of a page with subject numbers in place of the ids of users and teams, because rollups contain
 * subject numbers.
 */
function entriesOf(page: ParsedPage) {
  return page.entries((_, number) => String(number))
}

function lastOf(pages: readonly PageRow[]): number {
  return Math.max(...pages.map(({ last_at_ms }) => last_at_ms))
}
