import { type PortionLimits, portionsOf } from '../../db/json-parameters.ts'
import { logError } from '../../logging/log.ts'
import { addTotals, totalsOf } from '../cells/cells.ts'
import type { ParsedUsageMessage } from '../queue/message.ts'
import { BrokenPages, flushedUsage } from './flushed-usage.ts'
import { type Addition, additionsOf, foldRows, messagesOfStep, type RollupRow } from './rows.ts'
import {
  findNewest,
  type Move,
  type Newest,
  type Position,
  readPositions,
  readRows,
  writeMoves,
} from './store.ts'

/** The outcome of a message. */
export type Outcome =
  /** The usage of the message is in the rollups, from this call or an earlier one. */
  | { readonly kind: 'folded' }
  /** The message must be retried later. The reason is for the operator. */
  | { readonly kind: 'failed'; readonly reason: string }

/** The attempts for one ledger while concurrent writers move it or messages are missing. */
const ATTEMPTS = 4
/** The maximum number of steps of a batch that touches more rows than one step may. The rest is retried. */
const ROUNDS = 16
/** The entries that are read from pages, for all ledgers together, before a step is written. */
const ENTRIES_A_STEP = 20_000

/**
 * Folds messages into the rollups of their ledgers, and returns the outcome of each.
 *
 * A message that the watermark has passed is a duplicate. Messages missing between the watermark and a later one are made
 * from D1's pages, which are written before any message is sent: loss, order and repetition do not matter. Each write is
 * guarded by the version of the watermark that it was computed from; after a concurrent write it is computed again.
 *
 * Throws when D1 cannot be read.
 */
export async function rollUp(
  db: D1Database,
  messages: readonly ParsedUsageMessage[],
): Promise<ReadonlyMap<ParsedUsageMessage, Outcome>> {
  const outcomes = new Map<ParsedUsageMessage, Outcome>()
  let open = messages
  let attempts = 0
  for (let round = 0; round < ROUNDS && attempts < ATTEMPTS && open.length > 0; round++) {
    const steps: Step[] = []
    const pages: PagesAllowed = { entries: ENTRIES_A_STEP }
    const byLedger = Map.groupBy(open, ({ ledger_id }) => ledger_id)
    const positions = await readPositions(db, [...byLedger.keys()])
    for (const [ledger_id, own] of byLedger) {
      const result = await stepOf(db, positions.get(ledger_id), own, pages)
      if ('reason' in result) for (const message of own) outcomes.set(message, result)
      else steps.push(result)
    }
    const results = await writeSteps(
      db,
      steps.filter((step) => step.messages.length > 0),
      Date.now(),
    )
    for (const step of steps) {
      const result = results.get(step)
      const own = byLedger.get(step.position.ledger_id) ?? []
      if (result?.kind === 'failed') {
        const reason = `the rollups could not be written: ${String(result.error)}`
        for (const message of own) outcomes.set(message, { kind: 'failed', reason })
      } else if (result?.kind !== 'stale') {
        settle(step, own, outcomes)
      }
    }
    const left = open.filter((message) => !outcomes.has(message))
    if (left.length === open.length) attempts++
    open = left
  }
  const reason =
    'concurrent writers moved the ledger, or more messages are missing before this one than a step reads'
  for (const message of open) outcomes.set(message, { kind: 'failed', reason })
  return outcomes
}

type Failed = Extract<Outcome, { kind: 'failed' }>

/** The remaining limit of reads from pages: a batch in which every ledger lost messages must also reach its writes. */
interface PagesAllowed {
  entries: number
}

/** The work for one ledger; possibly none. */
async function stepOf(
  db: D1Database,
  position: Position | undefined,
  messages: readonly ParsedUsageMessage[],
  pages: PagesAllowed,
): Promise<Step | Failed> {
  if (!position) return { kind: 'failed', reason: `D1 knows no ledger ${messages[0]?.ledger_id}` }
  try {
    return { position, messages: messagesOfStep(await contiguous(db, position, messages, pages)) }
  } catch (error) {
    if (error instanceof BrokenPages) return { kind: 'failed', reason: error.message }
    throw error
  }
}

/** The messages to fold in order, including the missing ones between them. */
async function contiguous(
  db: D1Database,
  { ledger_id, rolled_entry, flushed_entry }: Position,
  messages: readonly ParsedUsageMessage[],
  pages: PagesAllowed,
): Promise<ParsedUsageMessage[]> {
  const all: ParsedUsageMessage[] = []
  let reached = rolled_entry
  const known = messages.filter(({ to_entry }) => to_entry <= flushed_entry)
  for (const message of known.sort((a, b) => a.after_entry - b.after_entry || a.to_entry - b.to_entry)) {
    while (reached < message.to_entry) {
      if (reached === message.after_entry) {
        all.push(message)
        reached = message.to_entry
        break
      }
      // There is a gap before the message, or the message begins at another entry than the rollups end at. Pages have
      // the missing entries.
      const until = reached < message.after_entry ? message.after_entry : message.to_entry
      if (pages.entries <= 0) return all
      for await (const missing of flushedUsage(db, ledger_id, reached)) {
        all.push(missing)
        pages.entries -= missing.to_entry - reached
        reached = missing.to_entry
        if (reached >= until || pages.entries <= 0) break
      }
      if (reached < until) return all
    }
  }
  return all
}

/** The outcomes of a ledger's messages once its work is done. */
function settle(
  { position, messages }: Step,
  own: readonly ParsedUsageMessage[],
  outcomes: Map<ParsedUsageMessage, Outcome>,
): void {
  const rolled_entry = messages.at(-1)?.to_entry ?? position.rolled_entry
  for (const message of own) {
    if (message.to_entry <= rolled_entry) {
      outcomes.set(message, { kind: 'folded' })
    } else if (message.to_entry > position.flushed_entry) {
      const reason = `D1 has the ledger up to entry ${position.flushed_entry}, but the message ends at entry ${message.to_entry}`
      outcomes.set(message, { kind: 'failed', reason })
    }
  }
}

/** Messages to fold into one generation of a ledger's rollups, without a gap. At least one. */
export interface Step {
  readonly position: Position
  readonly messages: readonly ParsedUsageMessage[]
}

/** The result of a step: written; stale after a concurrent write; or failed, with nothing written. */
export type StepResult =
  | { readonly kind: 'moved'; readonly rows: number }
  | { readonly kind: 'stale' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** The bytes that are read, folded and written at once, or one larger step. */
const WRITE_LIMITS: PortionLimits = { bytes: 8_000_000 }

/** Folds and writes steps of different ledgers in few statements, each step atomically. */
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

/** Writes a group, or each step alone if the group fails, so that no ledger delays another. */
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
