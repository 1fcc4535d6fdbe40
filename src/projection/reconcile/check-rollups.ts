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
 * Reads the usage of late or lost messages from D1's pages and folds it into the rollups. If such a message arrives
 * later, it is a duplicate. Returns false if there are more messages than one check folds.
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
    // The rollups remain incomplete, which is reported as a difference. The next check begins with the first page.
    if (!(error instanceof BrokenPages)) throw error
  }
  if (messages.length > 0) await rollUp(db, messages)
  return true
}

/**
 * The number of attempts while concurrent writers fold messages or delete days. After the last attempt, the next
 * check compares the rollups.
 */
const ATTEMPTS = 3

/** Compares the totals of the rollups with the ledger object's sums and with the sums of the rollups' days. */
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
    // Rollups that changed after the object's sums were read cannot be compared with these sums.
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

/** Returns whether the days are unchanged. Every change of a day changes one of these fields. */
function isSame(a: Rollup, b: Rollup): boolean {
  return (
    a.generation === b.generation &&
    a.rolled_entry === b.rolled_entry &&
    packTotals(a.expired) === packTotals(b.expired)
  )
}

// The column `by_day` of a row has at most a third of a megabyte.
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
