import { type PortionLimits, portionsOf } from '../../db/portions.ts'
import { logError } from '../../logging/log.ts'
import { addTotals, totalsOf } from '../cells/totals.ts'
import type { ParsedUsageMessage } from '../queue/message.ts'
import { type Addition, additionsOf, foldRows, type RollupRow } from './rows.ts'
import { findNewest, type Move, type Newest, type Position, readRows, writeMoves } from './store.ts'

/** Messages to fold into one generation of a ledger's rollups, without a gap from where it stands. At least one. */
export interface Step {
  readonly position: Position
  readonly messages: readonly ParsedUsageMessage[]
}

/** What became of a step: written; or somebody else had moved the generation; or it failed, and nothing was written. */
export type StepResult =
  | { readonly kind: 'moved'; readonly rows: number }
  | { readonly kind: 'stale' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What is read of rows, folded and written at once, or one step where that has more. */
const WRITE_LIMITS: PortionLimits = { bytes: 8_000_000 }

/** Folds and writes steps of different ledgers, in few statements, each of them wholly or not at all. */
export async function writeSteps(
  db: D1Database,
  steps: readonly Step[],
  now_ms: number,
): Promise<Map<Step, StepResult>> {
  const places = steps.flatMap((step) =>
    additionsOf(step.messages.map(({ cells }) => cells)).map((addition) => ({
      ...addition,
      step,
      position: step.position,
    })),
  )
  const found = Map.groupBy(await findNewest(db, places), ({ step }) => step)
  const works = steps.map((step): Work => ({ step, places: found.get(step) ?? [] }))
  const results = new Map<Step, StepResult>()
  for (const group of portionsOf(works, ({ places }) => bytesOf(places), WRITE_LIMITS))
    await writeGroup(db, group, now_ms, results)
  return results
}

type Place = Newest & Addition

interface Work {
  readonly step: Step
  readonly places: readonly Place[]
}

/** What fails together is tried alone: no ledger is kept waiting by another's. */
async function writeGroup(
  db: D1Database,
  works: readonly Work[],
  now_ms: number,
  results: Map<Step, StepResult>,
): Promise<void> {
  try {
    const moves: Move[] = []
    for (const work of works) moves.push(await moveOf(db, work))
    const moved = await writeMoves(db, moves, now_ms)
    works.forEach(({ step }, i) => {
      const rows = moves[i]?.rows.length ?? 0
      results.set(step, moved.has(step.position.ledger_id) ? { kind: 'moved', rows } : { kind: 'stale' })
    })
  } catch (error) {
    logError('usage_not_rolled_up', error, { ledgers: works.length })
    if (works.length === 1) for (const { step } of works) results.set(step, { kind: 'failed', error })
    else for (const work of works) await writeGroup(db, [work], now_ms, results)
  }
}

async function moveOf(db: D1Database, { step, places }: Work): Promise<Move> {
  const { position, messages } = step
  const rows: RollupRow[] = []
  for (const portion of portionsOf(places, ({ bytes }) => bytes, WRITE_LIMITS)) {
    const newest = await readRows(db, portion)
    for (const place of portion) rows.push(...foldRows(place, newest.get(place)))
  }
  const last = messages.at(-1)
  if (!last) throw new Error('a step without messages')
  return {
    from: position,
    to: {
      rolled_entry: last.to_entry,
      as_of_ms: messages.reduce((as_of_ms, { at_ms }) => Math.max(as_of_ms, at_ms ?? 0), position.as_of_ms),
      totals: addTotals(position.totals, totalsOf(messages.flatMap(({ cells }) => cells))),
    },
    rows,
  }
}

function bytesOf(places: readonly Place[]): number {
  return places.reduce((sum, { bytes }) => sum + bytes, 0)
}
