import type { Books } from '../../ledger/model/messages/ledger.ts'
import { addTotals, NO_USAGE, packTotals, totalsOf, type UsageTotals } from '../../usage/cells/cells.ts'
import { unpackCells } from '../../usage/cells/pack-cells.ts'
import type { ParsedUsageMessage } from '../../usage/queue/message.ts'
import { BrokenPages, flushedUsage } from '../../usage/rollups/flushed-usage.ts'
import { type Rollup, readRollup } from '../../usage/rollups/read.ts'
import { rollUp } from '../../usage/rollups/roll-up.ts'
import type { Difference } from './difference.ts'

const MESSAGES_AT_ONCE = 50
const MAX_ENTRIES = 50_000

/**
 * Adds flushed usage to the rollups if its queue message is late or lost. Reads this usage from the pages in D1. If the
 * message arrives later, it is ignored as a duplicate. Returns false if there can be more usage than one check adds.
 */
export async function bringUpRollups(db: D1Database, ledger_id: string): Promise<boolean> {
  const rolled_entry = (await readRollup(db, ledger_id))?.rolled_entry ?? 0
  let messages: ParsedUsageMessage[] = []
  try {
    for await (const message of flushedUsage(db, ledger_id, rolled_entry)) {
      messages.push(message)
      const enough = message.to_entry - rolled_entry >= MAX_ENTRIES
      if (messages.length < MESSAGES_AT_ONCE && !enough) continue
      await rollUp(db, messages)
      if (enough) return false
      messages = []
    }
  } catch (error) {
    // The rollups remain incomplete. `checkRollups` reports this as a difference, and the next check begins with the
    // first page.
    if (!(error instanceof BrokenPages)) throw error
  }
  if (messages.length > 0) await rollUp(db, messages)
  return true
}

/**
 * The maximum number of attempts to compare the rollups. If concurrent writers add messages or delete days during an
 * attempt, the comparison is tried again. After the last attempt, it is left to the next check.
 */
const ATTEMPTS = 3

/**
 * Compares the totals of the rollups with the sums of the ledger object, and with the sums of all days in the rollups.
 * Returns the differences.
 */
export async function checkRollups(
  db: D1Database,
  ledger_id: string,
  { flushed_entry, usage }: Books,
): Promise<Difference[]> {
  const range = { from_entry: 1, to_entry: flushed_entry }
  let rollup = await readRollup(db, ledger_id)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (!rollup || rollup.rolled_entry < flushed_entry) {
      if (flushed_entry === 0) return []
      const found = `entry ${rollup?.rolled_entry ?? 0}`
      return [{ kind: 'usage_of_rollups', ...range, expected: `entry ${flushed_entry}`, found }]
    }
    const totals = packTotals(rollup.totals)
    // If the rollups include entries that were flushed after the object's sums were read, they cannot be compared with
    // these sums.
    if (rollup.rolled_entry === flushed_entry && totals !== usage) {
      return [{ kind: 'usage_of_rollups', ...range, expected: usage, found: totals }]
    }
    const found = packTotals(addTotals(rollup.expired, await sumOfDays(db, rollup)))
    if (found === totals) return []
    const now = await readRollup(db, ledger_id)
    if (now && isSame(rollup, now)) return [{ kind: 'usage_of_days', ...range, expected: totals, found }]
    rollup = now
  }
  return []
}

/**
 * Returns whether the days of the rollups did not change between two reads. Every change of a day changes one of the
 * compared fields.
 */
function isSame(a: Rollup, b: Rollup): boolean {
  return (
    a.generation === b.generation &&
    a.rolled_entry === b.rolled_entry &&
    packTotals(a.expired) === packTotals(b.expired)
  )
}

// A row has at most a third of a megabyte in the column `by_day`, so 40 rows take at most 14 MB.
const DAYS = `
  SELECT day, part, by_day FROM rollup_days WHERE ledger_id = ?1 AND generation = ?2 AND (day, part) > (?3, ?4)
  ORDER BY day, part LIMIT 40`

async function sumOfDays(db: D1Database, { ledger_id, generation }: Rollup): Promise<UsageTotals> {
  let sum = NO_USAGE
  let place: readonly [day: number, part: number] = [-1, 0]
  for (;;) {
    const { results } = await db
      .prepare(DAYS)
      .bind(ledger_id, generation, ...place)
      .all<{ day: number; part: number; by_day: string }>()
    for (const { by_day } of results) sum = addTotals(sum, totalsOf(unpackCells(JSON.parse(by_day))))
    const last = results.at(-1)
    if (!last) return sum
    place = [last.day, last.part]
  }
}
