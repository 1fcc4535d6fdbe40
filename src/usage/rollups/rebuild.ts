import { NO_USAGE, packTotals } from '../cells/cells.ts'
import type { ParsedUsageMessage } from '../queue/message.ts'
import { BrokenPages, flushedUsage } from './flushed-usage.ts'
import { writeSteps } from './roll-up.ts'
import { messagesOfStep } from './rows.ts'
import { type Position, readBuilding } from './store.ts'

/** The result of one call that rebuilds the rollups of a ledger. */
export interface Rebuilt {
  /** The number of entries whose usage the call added to the new rollups. */
  readonly entries: number
  /** The number of rows of days and users that the call wrote. Rows of watermarks are not counted. */
  readonly rows: number
  /** True if the new rollups are active. Otherwise, another call must continue the rebuild. */
  readonly done: boolean
}

/**
 * The approximate maximum number of entries that one call adds to the new rollups. `ENTRIES_A_STEP` is the approximate
 * maximum for one step of a call.
 */
export const ENTRIES_A_CALL = 25_000
const ENTRIES_A_STEP = 10_000
/**
 * The maximum number of steps of one call. A step writes nothing if a concurrent call has written first; the next step
 * then reads the progress again.
 */
const MAX_STEPS = 50

// Adds an empty active generation to a ledger without rollups, because the queue consumer needs an active generation.
const BEGIN_EMPTY = `
  INSERT INTO rollup_watermarks
    (ledger_id, generation, state, version, rolled_entry, as_of_ms, totals, expired, state_at_ms)
  SELECT ?1, 1, 'active', 1, 0, 0, ?3, ?3, ?2
  WHERE NOT EXISTS (SELECT 1 FROM rollup_watermarks WHERE ledger_id = ?1)`

// Begins a new generation if none is being built. Writes 2 rows: the watermark and its entry in the index of unfinished
// generations.
const BEGIN = `
  INSERT INTO rollup_watermarks
    (ledger_id, generation, state, version, rolled_entry, as_of_ms, totals, expired, state_at_ms)
  SELECT ?1, (SELECT coalesce(max(generation), 0) + 1 FROM rollup_watermarks WHERE ledger_id = ?1), 'building', 1, 0, 0,
    ?3, ?3, ?2
  WHERE NOT EXISTS (SELECT 1 FROM rollup_watermarks WHERE ledger_id = ?1 AND state = 'building')`

/**
 * Rebuilds the rollups of a ledger as a new generation, from the pages in D1. When the new generation includes all
 * flushed entries, it atomically replaces the active generation. Until then, analytics and the queue consumer use the
 * active generation. If the rebuild is incomplete, the next call or a scheduled job continues it.
 *
 * Throws `BrokenPages` if entries are missing in the pages. The active generation is then unchanged.
 */
export async function rebuildLedger(
  db: D1Database,
  ledger_id: string,
  entries_allowed: number = ENTRIES_A_CALL,
  now_ms: number = Date.now(),
): Promise<Rebuilt> {
  await db.batch(
    [BEGIN_EMPTY, BEGIN].map((query) => db.prepare(query).bind(ledger_id, now_ms, packTotals(NO_USAGE))),
  )
  return continueRebuild(db, ledger_id, entries_allowed, now_ms)
}

/**
 * Continues the rebuild of a ledger's rollups. Adds about `entries_allowed` entries at most. Throws if pages are
 * missing or damaged, or if D1 fails.
 */
export async function continueRebuild(
  db: D1Database,
  ledger_id: string,
  entries_allowed: number = ENTRIES_A_CALL,
  now_ms: number = Date.now(),
): Promise<Rebuilt> {
  let [entries, rows] = [0, 0]
  for (let i = 0; i < MAX_STEPS; i++) {
    const building = await readBuilding(db, ledger_id)
    // There is no generation to continue, because a concurrent call has finished the rebuild.
    if (!building) return { entries, rows, done: true }
    if (building.rolled_entry >= building.flushed_entry) {
      if (await activate(db, building, now_ms)) return { entries, rows, done: true }
      continue
    }
    if (entries >= entries_allowed) break
    const messages = await nextMessages(db, building, Math.min(ENTRIES_A_STEP, entries_allowed - entries))
    const results = await writeSteps(db, [{ position: building, messages }], now_ms)
    for (const result of results.values()) {
      if (result.kind === 'failed') throw result.error
      if (result.kind !== 'moved') continue
      entries += (messages.at(-1)?.to_entry ?? 0) - building.rolled_entry
      rows += result.rows
    }
  }
  return { entries, rows, done: false }
}

async function nextMessages(
  db: D1Database,
  { ledger_id, rolled_entry, flushed_entry }: Position,
  entries: number,
): Promise<ParsedUsageMessage[]> {
  const messages: ParsedUsageMessage[] = []
  for await (const message of flushedUsage(db, ledger_id, rolled_entry)) {
    messages.push(message)
    if (message.to_entry - rolled_entry >= entries) break
  }
  if (messages.length > 0) return messagesOfStep(messages)
  throw new BrokenPages(
    `the pages of ${ledger_id} end at entry ${rolled_entry}, but must end at entry ${flushed_entry}`,
  )
}

const RETIRE = `
  UPDATE rollup_watermarks SET state = 'retired', version = version + 1, state_at_ms = ?4
  WHERE ledger_id = ?1 AND state = 'active' AND EXISTS (
    SELECT 1 FROM rollup_watermarks AS b
    WHERE b.ledger_id = ?1 AND b.generation = ?2 AND b.version = ?3 AND b.rolled_entry >= rollup_watermarks.rolled_entry)`

// The new generation includes all entries of the previous generation, so it is complete at least until the same time.
const ACTIVATE = `
  UPDATE rollup_watermarks SET state = 'active', version = version + 1, state_at_ms = ?4, as_of_ms = max(as_of_ms, (
    SELECT coalesce(max(as_of_ms), 0) FROM rollup_watermarks WHERE ledger_id = ?1 AND state = 'retired'))
  WHERE ledger_id = ?1 AND generation = ?2 AND version = ?3 AND state = 'building'
    AND NOT EXISTS (SELECT 1 FROM rollup_watermarks WHERE ledger_id = ?1 AND state = 'active')`

/**
 * Activates a new generation and retires the active generation. Does nothing and returns false if the new generation
 * changed since it was read, or if the active generation includes more entries.
 */
async function activate(
  db: D1Database,
  { ledger_id, generation, version }: Position,
  now_ms: number,
): Promise<boolean> {
  const results = await db.batch(
    [RETIRE, ACTIVATE].map((query) => db.prepare(query).bind(ledger_id, generation, version, now_ms)),
  )
  return results.at(-1)?.meta.changes === 1
}
