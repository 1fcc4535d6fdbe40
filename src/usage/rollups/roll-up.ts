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

/** The outcome of a usage message. */
export type Outcome =
  /** The rollups include the usage of the message, which this call or an earlier call added. */
  | { readonly kind: 'folded' }
  /** The usage was not added. The message must be retried later. The reason is for the operator. */
  | { readonly kind: 'failed'; readonly reason: string }

/**
 * The maximum number of rounds in which no message gets an outcome, because of concurrent writers or missing messages.
 */
const ATTEMPTS = 4
/**
 * The maximum number of rounds for one batch. Each round writes one step for each ledger. Messages without an outcome
 * after the last round fail and are retried.
 */
const ROUNDS = 16
/** The approximate maximum number of entries that one round reads from pages, for all ledgers together. */
const ENTRIES_A_STEP = 20_000

/**
 * Adds the usage of messages to the rollups of their ledgers. Returns the outcome of each message.
 *
 * The watermark of a ledger is the last entry that its rollups include. A message that ends at or below the watermark
 * is a duplicate. Messages that are missing between the watermark and a later message are made again from the pages in
 * D1, which contain all entries before their messages are sent. The rollups are therefore correct even if messages are
 * lost, repeated or out of order. Each write takes effect only if the version of the watermark is unchanged since it
 * was read. Otherwise, the write is computed again.
 *
 * Can throw if D1 cannot be read.
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
    'concurrent writers changed the rollups of the ledger, or too many earlier messages were missing for one batch'
  for (const message of open) outcomes.set(message, { kind: 'failed', reason })
  return outcomes
}

type Failed = Extract<Outcome, { kind: 'failed' }>

/**
 * The number of entries that the round can still read from pages. Without this limit, a batch in which every ledger
 * lost messages might never reach a write.
 */
interface PagesAllowed {
  entries: number
}

/**
 * Returns the next step for one ledger. The step has no messages if none can be added now. Returns a failure if D1 does
 * not have the ledger, or if its pages have a gap.
 */
async function stepOf(
  db: D1Database,
  position: Position | undefined,
  messages: readonly ParsedUsageMessage[],
  pages: PagesAllowed,
): Promise<Step | Failed> {
  if (!position) return { kind: 'failed', reason: `D1 has no ledger ${messages[0]?.ledger_id}` }
  try {
    return { position, messages: messagesOfStep(await contiguous(db, position, messages, pages)) }
  } catch (error) {
    if (error instanceof BrokenPages) return { kind: 'failed', reason: error.message }
    throw error
  }
}

/** Returns the messages to add, in order and without gaps. Makes missing messages from pages. */
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
      // Messages are missing before this message, or the message begins before the entry that the rollups have reached.
      // Reads these entries from pages.
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

/**
 * Sets the outcomes of the messages of a ledger after a step was written. Messages after the step get no outcome yet.
 */
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
      const reason = `D1 has the entries of the ledger up to ${position.flushed_entry}, but the message ends at entry ${message.to_entry}`
      outcomes.set(message, { kind: 'failed', reason })
    }
  }
}

/** The messages that one write adds to one generation of a ledger's rollups, in order and without gaps. */
export interface Step {
  readonly position: Position
  readonly messages: readonly ParsedUsageMessage[]
}

/**
 * The result of a step. `moved`: the step was written. `stale`: it was not written, because a concurrent write changed
 * the generation. `failed`: it was not written, because of an error.
 */
export type StepResult =
  | { readonly kind: 'moved'; readonly rows: number }
  | { readonly kind: 'stale' }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * The maximum number of bytes of rows that are read, changed and written at once; a single larger step is written as a
 * whole.
 */
const WRITE_LIMITS: PortionLimits = { bytes: 8_000_000 }

/**
 * Adds the messages of steps to the rows of the rollups and writes the rows. Uses few statements for many ledgers.
 * Writes each step atomically.
 */
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

/**
 * Writes a group of steps. If the group fails, writes each step separately, so that an error of one ledger does not
 * affect other ledgers.
 */
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
  if (!last) throw new Error('a step must have at least one message')
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
