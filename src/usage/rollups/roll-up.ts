import { type PortionLimits, portionsOf } from '../../db/json-parameters.ts'
import { logError } from '../../logging/log.ts'
import { addTotals, totalsOf } from '../cells/totals.ts'
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

/** What became of a message. */
export type Outcome =
  /** What it says is in the rollups, now or since before. */
  | { readonly kind: 'folded' }
  /** To be tried again later. The reason is for the operator. */
  | { readonly kind: 'failed'; readonly reason: string }

/** What others do to the same ledger, and what is missing before a message, is read anew this often in vain. */
const ATTEMPTS = 4
/** A batch that touches more rows than a step may is folded in this many steps; what is then left comes back. */
const ROUNDS = 16
/** How many entries are made up for from pages, of all ledgers together, before what is done is written. */
const ENTRIES_A_STEP = 20_000

/**
 * Folds messages into the rollups of their ledgers, and says what became of each.
 *
 * A message that the watermark has passed is a duplicate. Where messages are missing between the watermark and one that
 * is there, they are made anew from D1's pages, which were written before any message was sent: so neither loss nor
 * order nor repetition matters, and nothing waits for anything. What is written is written under the version of the
 * watermark that it was made from; if somebody was faster, it is made again from what they left.
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
  const reason = 'others work on the ledger, or more is missing before it than is made up for at once'
  for (const message of open) outcomes.set(message, { kind: 'failed', reason })
  return outcomes
}

type Failed = Extract<Outcome, { kind: 'failed' }>

/** How much may still be read from pages: a batch of ledgers that have all lost messages must come to its writes, too. */
interface PagesAllowed {
  entries: number
}

/** What is to be done for one ledger: perhaps nothing. */
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

/** The messages to fold in order, with those that are missing between them. */
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
      // A gap before it; or it was cut elsewhere than what is folded, and pages say what else is in it.
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

/** What a ledger's messages have come to, when what there was to do for it is done. */
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
      const reason = `D1 has the ledger up to entry ${position.flushed_entry}, the message goes to ${message.to_entry}`
      outcomes.set(message, { kind: 'failed', reason })
    }
  }
}

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
