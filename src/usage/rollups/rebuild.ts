import { NO_USAGE, packTotals } from '../cells/totals.ts'
import type { ParsedUsageMessage } from '../queue/message.ts'
import { BrokenPages, flushedUsage } from './flushed-usage.ts'
import { writeSteps } from './roll-up.ts'
import { messagesOfStep } from './rows.ts'
import { type Position, readBuilding } from './store.ts'

/** What a call has done for one ledger. */
export interface Rebuilt {
  /** How many entries were folded again. */
  readonly entries: number
  /** How many rows were written for them, beside those of watermarks. */
  readonly rows: number
  /** The rollups that are read now are the new ones. Otherwise there is more to do: call again. */
  readonly done: boolean
}

/** How many entries a call folds, and how many of them it writes at once. */
export const ENTRIES_A_CALL = 25_000
const ENTRIES_A_STEP = 10_000
/** Each time that somebody else works on the same rebuild, what they left is read again. */
const MAX_STEPS = 50

// A ledger of which nothing was rolled up has no rollups to read: the consumer must find some, or it would wait.
const BEGIN_EMPTY = `
  INSERT INTO rollup_watermarks
    (ledger_id, generation, state, version, rolled_entry, as_of_ms, totals, expired, state_at_ms)
  SELECT ?1, 1, 'active', 1, 0, 0, ?3, ?3, ?2
  WHERE NOT EXISTS (SELECT 1 FROM rollup_watermarks WHERE ledger_id = ?1)`

// 2 rows written: the watermark, and its place among those that are unfinished.
const BEGIN = `
  INSERT INTO rollup_watermarks
    (ledger_id, generation, state, version, rolled_entry, as_of_ms, totals, expired, state_at_ms)
  SELECT ?1, (SELECT coalesce(max(generation), 0) + 1 FROM rollup_watermarks WHERE ledger_id = ?1), 'building', 1, 0, 0,
    ?3, ?3, ?2
  WHERE NOT EXISTS (SELECT 1 FROM rollup_watermarks WHERE ledger_id = ?1 AND state = 'building')`

/**
 * Makes the rollups of a ledger anew from D1's pages: a new generation, beside that which is read, which takes its place
 * at once when it has come as far. Until then analytics are answered as before, and the consumer goes on as before;
 * whoever reads never sees half of it. What a call leaves the next one goes on with, or the cron.
 *
 * Throws `BrokenPages` when pages are missing: then what is read stays what it is.
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

/** Goes on with a rebuild that has begun. */
export async function continueRebuild(
  db: D1Database,
  ledger_id: string,
  entries_allowed: number = ENTRIES_A_CALL,
  now_ms: number = Date.now(),
): Promise<Rebuilt> {
  let [entries, rows] = [0, 0]
  for (let i = 0; i < MAX_STEPS; i++) {
    const building = await readBuilding(db, ledger_id)
    // Somebody else has finished it.
    if (!building) return { entries, rows, done: true }
    if (building.rolled_entry >= building.flushed_entry) {
      if (await takePlace(db, building, now_ms)) return { entries, rows, done: true }
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
  throw new BrokenPages(`the pages of ${ledger_id} end at entry ${rolled_entry}, and not at ${flushed_entry}`)
}

const RETIRE = `
  UPDATE rollup_watermarks SET state = 'retired', version = version + 1, state_at_ms = ?4
  WHERE ledger_id = ?1 AND state = 'active' AND EXISTS (
    SELECT 1 FROM rollup_watermarks AS b
    WHERE b.ledger_id = ?1 AND b.generation = ?2 AND b.version = ?3 AND b.rolled_entry >= rollup_watermarks.rolled_entry)`

// What the one before it was complete up to, the new one is as well: it has come at least as far.
const ACTIVATE = `
  UPDATE rollup_watermarks SET state = 'active', version = version + 1, state_at_ms = ?4, as_of_ms = max(as_of_ms, (
    SELECT coalesce(max(as_of_ms), 0) FROM rollup_watermarks WHERE ledger_id = ?1 AND state = 'retired'))
  WHERE ledger_id = ?1 AND generation = ?2 AND version = ?3 AND state = 'building'
    AND NOT EXISTS (SELECT 1 FROM rollup_watermarks WHERE ledger_id = ?1 AND state = 'active')`

/** False when it has changed since it was read, or the one that is read has come further. */
async function takePlace(
  db: D1Database,
  { ledger_id, generation, version }: Position,
  now_ms: number,
): Promise<boolean> {
  const results = await db.batch(
    [RETIRE, ACTIVATE].map((query) => db.prepare(query).bind(ledger_id, generation, version, now_ms)),
  )
  return results.at(-1)?.meta.changes === 1
}
