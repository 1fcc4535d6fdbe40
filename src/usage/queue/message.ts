import { type PortionLimits, portionsOf, sizeOf } from '../../db/json-parameters.ts'
import { HOUR_MS } from '../../time/durations.ts'
import { type Cell, WeighedCells } from '../cells/cells.ts'
import type { UsageDelta } from '../cells/delta.ts'
import { type PackedCells, packCells, unpackCells } from '../cells/pack-cells.ts'
import { integerOf, MalformedCells, recordOf } from '../cells/packed-values.ts'

/**
 * The body of a message in the usage queue. It contains the usage of the entries `after_entry < n <= to_entry` of one
 * ledger, summed by cell. Each message of a ledger begins where the previous message ends.
 */
export interface UsageMessage {
  /** The version of the format: 2 if a cell has an API key, which earlier code cannot read; otherwise 1. */
  readonly v: 1 | 2
  readonly ledger_id: string
  readonly after_entry: number
  readonly to_entry: number
  /**
   * The commit time of the last entry in the flush; null if more messages of the same flush follow. This message and
   * the earlier messages contain all commits before this time.
   */
  readonly at_ms: number | null
  readonly cells: PackedCells
}

/** Returns the version of a message that contains the cells. */
function versionOf(cells: Iterable<Cell>): 1 | 2 {
  for (const { key } of cells) if (key !== null) return 2
  return 1
}

/**
 * The maximum size of a message in bytes. It is below 64 KB, because a queue bills every started 64 KB of a message.
 */
export const MAX_MESSAGE_BYTES = 64_000

/**
 * The weight of the cells in bytes from which a message gets no further entry. One entry weighs at most about 9 KB
 * (three names of 255 characters and every unit), so no message exceeds `MAX_MESSAGE_BYTES`.
 */
const CLOSING_WEIGHT = 52_000

/** The range of entries of one flush of a ledger. */
export interface UsageRange {
  readonly ledger_id: string
  readonly after_entry: number
  readonly to_entry: number
  /** The time of the last commit in the flush. */
  readonly at_ms: number
}

/**
 * Returns the messages of a flush in order, at least one. The same entries always give messages with the same bytes.
 * Messages that are made again after a crash or from pages therefore equal the earlier messages. `deltas` must be in
 * the order of their entries and within the range, otherwise the function throws a RangeError.
 */
export function usageMessages(range: UsageRange, deltas: readonly UsageDelta[]): UsageMessage[] {
  const messages: UsageMessage[] = []
  let cells = new WeighedCells()
  let after_entry = range.after_entry
  let last_entry = range.after_entry
  const close = (to_entry: number, at_ms: number | null) => {
    const { ledger_id } = range
    const v = versionOf(cells)
    messages.push(assertSize({ v, ledger_id, after_entry, to_entry, at_ms, cells: packCells(cells) }))
    cells = new WeighedCells()
    after_entry = to_entry
  }
  for (const delta of deltas) {
    if (delta.entry <= last_entry || delta.entry > range.to_entry) {
      throw new RangeError(`the usage of entry ${delta.entry} is out of order`)
    }
    // Completes a message only when another entry follows, so that the last message can end at the end of the range.
    if (cells.reaches(CLOSING_WEIGHT)) close(last_entry, null)
    cells.add(cellOf(delta))
    last_entry = delta.entry
  }
  close(range.to_entry, range.at_ms)
  return messages
}

/** Returns a cell that contains only the usage of one entry. */
export function cellOf(delta: UsageDelta): Cell {
  return {
    hour: Math.floor(delta.timestamp_ms / HOUR_MS),
    feature_id: delta.feature_id,
    provider: delta.provider ?? null,
    model: delta.model ?? null,
    event_type: delta.event_type,
    user: delta.user ?? null,
    team: delta.team ?? null,
    key: delta.key ?? null,
    events: delta.events,
    credits_micro: BigInt(delta.credits_micro),
    cost_pico: delta.cost_pico,
    price_pico: delta.price_pico,
    paid_pico: delta.paid_pico,
    units_nano: new Map(Object.entries(delta.units)),
  }
}

/** A message with unpacked cells. */
export interface ParsedUsageMessage extends Omit<UsageMessage, 'v' | 'cells'> {
  readonly cells: readonly Cell[]
}

export type ParsedBody =
  | { readonly kind: 'message'; readonly message: ParsedUsageMessage }
  /** A malformed message, or a message of an unknown version. The reason is for the operator. */
  | { readonly kind: 'poison'; readonly reason: string }

/** Parses and validates the body of a queue message. Returns the reason if the body is malformed. Does not throw. */
export function parseUsageMessage(body: unknown): ParsedBody {
  try {
    return { kind: 'message', message: messageOf(recordOf(body, 'the message')) }
  } catch (error) {
    // Besides `MalformedCells`, the validation of a body can throw other errors: for example, a RangeError if the sum
    // of duplicate cells is too large. An error must not fail the other messages of the batch.
    return { kind: 'poison', reason: error instanceof Error ? error.message : String(error) }
  }
}

const FIELDS = ['v', 'ledger_id', 'after_entry', 'to_entry', 'at_ms', 'cells']
/** The pattern for the id of a ledger: the id of the customer, followed by `:test` for a test ledger. */
const LEDGER_ID = /^[A-Za-z0-9_-]{1,100}(?::test)?$/
/** The maximum time of a message in epoch milliseconds, in the year 2500. */
const MAX_AT_MS = 16_740_000_000_000

function messageOf(body: Readonly<Record<string, unknown>>): ParsedUsageMessage {
  if (body.v !== 1 && body.v !== 2) throw new MalformedCells(`version ${JSON.stringify(body.v)} is unknown`)
  const unknown = Object.keys(body).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined)
    throw new MalformedCells(`the message has the unknown field ${JSON.stringify(unknown)}`)
  const { ledger_id } = body
  if (typeof ledger_id !== 'string' || !LEDGER_ID.test(ledger_id)) {
    throw new MalformedCells('ledger_id is not the name of a ledger')
  }
  const after_entry = integerOf(body.after_entry, 'after_entry', 0, Number.MAX_SAFE_INTEGER - 1)
  const cells = unpackCells(body.cells, 'strict')
  if (body.v !== versionOf(cells)) throw new MalformedCells(`the cells do not match version ${body.v}`)
  return {
    ledger_id,
    after_entry,
    to_entry: integerOf(body.to_entry, 'to_entry', after_entry + 1, Number.MAX_SAFE_INTEGER),
    at_ms: body.at_ms === null ? null : integerOf(body.at_ms, 'at_ms', 0, MAX_AT_MS),
    cells,
  }
}

function assertSize(message: UsageMessage): UsageMessage {
  const bytes = sizeOf(JSON.stringify(message))
  if (bytes > MAX_MESSAGE_BYTES)
    throw new Error(`a usage message has ${bytes} bytes: the maximum is ${MAX_MESSAGE_BYTES}`)
  return message
}

/**
 * The limits of one `sendBatch`. The number of bytes is below the platform's limit, because the platform adds some
 * bytes to each message.
 */
const BATCH_LIMITS: PortionLimits = { bytes: 240_000, items: 100 }

/**
 * Sends the usage messages of a flush in order. If it throws, the queue can already have accepted some messages, and
 * the caller must send all messages again. Sends nothing if the range has no entries.
 */
export async function sendUsage(
  queue: Queue,
  range: UsageRange,
  deltas: readonly UsageDelta[],
): Promise<void> {
  if (range.to_entry <= range.after_entry) return
  const messages = usageMessages(range, deltas)
  for (const batch of portionsOf(messages, (message) => sizeOf(JSON.stringify(message)), BATCH_LIMITS)) {
    await queue.sendBatch(batch.map((body) => ({ body })))
  }
}
