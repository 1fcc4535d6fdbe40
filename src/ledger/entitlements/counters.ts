import { WeightedCache } from '../commit/weighted-cache.ts'
import { parseStored } from '../model/json.ts'
import { type LimitCounter, type PackedParts, quantityJson } from '../model/limits.ts'
import type { Exec } from '../tables.ts'

// Binds a list as one JSON parameter, because a statement accepts at most 100 parameters.
const WRITE = `
  INSERT OR REPLACE INTO limit_counters (counter, window_start_ms, used, reserved, earlier)
  SELECT value ->> 0, value ->> 1, value ->> 2, coalesce(value ->> 3, '0'), value ->> 4 FROM json_each(?)`

// Keeps the counters with numbers below 1, which count the ledger's quotas: see `admission/quotas.ts`.
const PRUNE = `
  DELETE FROM limit_counters
  WHERE counter > 0 AND counter NOT IN (SELECT counter FROM entitlements WHERE deleted = 0)`

const PRUNE_MARKS = `
  DELETE FROM limit_marks WHERE counter NOT IN (SELECT counter FROM entitlements WHERE deleted = 0)`

// Each statement writes one row.
const WRITE_MARK = 'INSERT OR REPLACE INTO limit_marks (counter, reached_ms) VALUES (?, ?)'

const COUNTED_AFTER = `
  SELECT row_id, limits FROM journal WHERE row_id > ? AND limits IS NOT NULL ORDER BY row_id LIMIT ?`

/** The number of journal rows in one read. It is small, because a row can contain thousands of counters. */
const ROWS_A_READ = 16

/**
 * The maximum number of counters in one statement. A parameter can have at most 2 MB. A counter has about 50
 * characters, or up to 1,500 with the parts of a rolling window.
 */
const COUNTERS_A_WRITE = 1_000

/**
 * The maximum total weight of the cached unchanged counters. A counter weighs 1, plus 1 for every `WEIGHT_OF_PARTS`
 * numbers in its list `earlier`.
 */
const MAX_CLEAN_WEIGHT = 5_000
/** The length of a list of numbers that weighs as much as one counter. */
const WEIGHT_OF_PARTS = 8

/**
 * The counters that a commit changed, in their state after the commit. The latest journal row that contains a counter
 * therefore has the counter's current value.
 */
type PackedCounters = readonly PackedCounter[]
type PackedCounter = readonly [
  counter: number,
  window_start_ms: number,
  used: number | string,
  reserved?: number | string,
  earlier?: PackedParts,
]

/** Returns the counters that a commit changed, for its journal row; null if the commit changed none. */
export function packCounters(changed: ReadonlyMap<number, LimitCounter>): string | null {
  if (changed.size === 0) return null
  const packed: PackedCounters = [...changed].map(([counter, state]): PackedCounter => {
    const { window_start_ms, used, reserved, earlier } = state
    if (earlier) return [counter, window_start_ms, quantityJson(used), quantityJson(reserved ?? 0n), earlier]
    return reserved === undefined
      ? [counter, window_start_ms, quantityJson(used)]
      : [counter, window_start_ms, quantityJson(used), quantityJson(reserved)]
  })
  return JSON.stringify(packed)
}

function counterOf(
  window_start_ms: number,
  used: bigint,
  reserved: bigint,
  earlier: PackedParts | undefined,
): LimitCounter {
  return { window_start_ms, used, ...(reserved > 0n && { reserved }), ...(earlier && { earlier }) }
}

/**
 * The counters of limits. Counting costs no additional row, because a commit writes its changed counters into its
 * journal row. The table `limit_counters` is a checkpoint of the counters. It is written before journal rows are marked
 * as flushed. When the counters are first used after a start of the object, the journal rows after the checkpoint are
 * read. Other counters are read from the checkpoint when they are used.
 */
export class LimitCounters {
  private readonly exec: Exec
  /** The last journal row that the checkpoint includes. */
  private readonly checkpointRow: () => number
  /** The counters that have changed since the last checkpoint. */
  private dirty = new Map<number, LimitCounter>()
  private readonly clean = new WeightedCache<number, LimitCounter | null>(MAX_CLEAN_WEIGHT)
  private replayed = false
  private pruning = false

  constructor(exec: Exec, checkpointRow: () => number) {
    this.exec = exec
    this.checkpointRow = checkpointRow
  }

  /** Whether a new checkpoint is needed, because counters have changed or unused counters must be deleted. */
  get isDirty(): boolean {
    this.replay()
    return this.dirty.size > 0 || this.pruning
  }

  read(counter: number): LimitCounter | undefined {
    this.replay()
    const changed = this.dirty.get(counter)
    if (changed) return changed
    const known = this.clean.get(counter)
    if (known !== undefined) return known ?? undefined
    const [row] = this.exec(
      'SELECT window_start_ms, used, reserved, earlier FROM limit_counters WHERE counter = ?',
      counter,
    )
    const stored = row ? storedCounter(row) : null
    this.clean.set(counter, stored, 1 + (stored?.earlier?.length ?? 0) / WEIGHT_OF_PARTS)
    return stored ?? undefined
  }

  /** Stores the counters of a successful commit in memory. */
  publish(changed: ReadonlyMap<number, LimitCounter>): void {
    if (changed.size === 0) return
    this.replay()
    for (const [counter, state] of changed) this.dirty.set(counter, state)
  }

  /**
   * Returns the time of the last notification that a limit was reached; undefined if there was none. For a fixed
   * window, returns the start of the window.
   */
  reachedAt(counter: number): number | undefined {
    const [row] = this.exec('SELECT reached_ms FROM limit_marks WHERE counter = ?', counter)
    return row && Number(row.reached_ms)
  }

  writeMarks(marks: ReadonlyMap<number, number>): void {
    for (const [counter, reached_ms] of marks) this.exec(WRITE_MARK, counter, reached_ms)
  }

  /** Makes the next checkpoint delete unused counters and marks. Call this after a change of entitlements. */
  prune(): void {
    this.pruning = true
  }

  /**
   * Writes a row for each changed counter. After `prune`, also deletes unused counters and marks. Call this in a
   * transaction, then call `checkpointed`.
   */
  writeCheckpoint(): void {
    const packed = [...this.dirty].map(([counter, { window_start_ms, used, reserved = 0n, earlier }]) => [
      counter,
      window_start_ms,
      used.toString(),
      reserved.toString(),
      earlier && JSON.stringify(earlier),
    ])
    for (let i = 0; i < packed.length; i += COUNTERS_A_WRITE) {
      this.exec(WRITE, JSON.stringify(packed.slice(i, i + COUNTERS_A_WRITE)))
    }
    if (!this.pruning) return
    this.exec(PRUNE)
    this.exec(PRUNE_MARKS)
  }

  checkpointed(): void {
    for (const counter of this.dirty.keys()) this.clean.delete(counter)
    this.dirty = new Map()
    this.pruning = false
  }

  /** Removes the counters from memory. They are read again at the next use. */
  forget(): void {
    this.dirty = new Map()
    this.clean.clear()
    this.replayed = false
  }

  private replay(): void {
    if (this.replayed) return
    this.replayed = true
    let after_row = this.checkpointRow()
    for (;;) {
      const rows = this.exec(COUNTED_AFTER, after_row, ROWS_A_READ)
      for (const { row_id, limits } of rows) {
        const packed: PackedCounters = parseStored(limits)
        for (const [counter, window_start_ms, used, reserved = 0, earlier] of packed) {
          this.dirty.set(counter, counterOf(window_start_ms, BigInt(used), BigInt(reserved), earlier))
        }
        after_row = Number(row_id)
      }
      if (rows.length < ROWS_A_READ) return
    }
  }
}

function storedCounter(row: Record<string, SqlStorageValue>): LimitCounter {
  const { window_start_ms, used, reserved, earlier } = row
  return counterOf(
    Number(window_start_ms),
    BigInt(String(used)),
    BigInt(String(reserved)),
    earlier === null || earlier === undefined ? undefined : parseStored(earlier),
  )
}
