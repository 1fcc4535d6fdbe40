import { flushedUsage } from '../usage/flushed-usage.ts'
import type { ParsedUsageMessage } from '../usage/message.ts'
import { readCells, readRollup } from '../usage/read-rollups.ts'
import { rollUp } from '../usage/roll-up.ts'
import { DAY_MS } from '../usage/time.ts'
import { addTotals, packTotals, totalsOf } from '../usage/totals.ts'
import type { Books } from './books.ts'
import type { Difference } from './difference.ts'

const MESSAGES_AT_ONCE = 50

/**
 * Folds what D1's pages have and the rollups do not: messages that are late, or were lost. Whatever comes of them later
 * is a duplicate.
 */
export async function bringUpRollups(db: D1Database, ledger_id: string): Promise<void> {
  const rollup = await readRollup(db, ledger_id)
  let messages: ParsedUsageMessage[] = []
  for await (const message of flushedUsage(db, ledger_id, rollup?.rolled_entry ?? 0)) {
    messages.push(message)
    if (messages.length < MESSAGES_AT_ONCE) continue
    await rollUp(db, messages)
    messages = []
  }
  if (messages.length > 0) await rollUp(db, messages)
}

/** The earliest and the latest day of an event: 35 days back at the opening of the first ledger, and far ahead. */
const FIRST_DAY_MS = 0
const DAYS_A_READ = 10_000

/** Compares the rollups with the pages' sums, and their days with what they say of themselves. */
export async function checkRollups(
  db: D1Database,
  ledger_id: string,
  { flushed_entry, usage }: Books,
  now_ms: number,
): Promise<Difference[]> {
  const range = { from_entry: 1, to_entry: flushed_entry }
  const rollup = await readRollup(db, ledger_id)
  if (!rollup || rollup.rolled_entry < flushed_entry) {
    if (flushed_entry === 0) return []
    const found = `entry ${rollup?.rolled_entry ?? 0}`
    return [{ kind: 'usage_of_rollups', ...range, expected: `entry ${flushed_entry}`, found }]
  }
  // What is flushed while this reads cannot be compared: the next check does.
  if (rollup.rolled_entry > flushed_entry) return []
  const totals = packTotals(rollup.totals)
  if (totals !== usage) {
    return [{ kind: 'usage_of_rollups', ...range, expected: usage, found: totals }]
  }
  let days = rollup.expired
  const end_ms = Math.ceil(now_ms / DAY_MS + 1) * DAY_MS
  for (let from_ms = FIRST_DAY_MS; from_ms < end_ms; from_ms += DAYS_A_READ * DAY_MS) {
    const to_ms = Math.min(end_ms, from_ms + DAYS_A_READ * DAY_MS)
    const query = { from_ms, to_ms, grain: 'day', subjects: 'none' } as const
    for await (const cells of readCells(db, rollup, query)) days = addTotals(days, totalsOf(cells))
  }
  const found = packTotals(days)
  return found === totals ? [] : [{ kind: 'usage_of_days', ...range, expected: totals, found }]
}
