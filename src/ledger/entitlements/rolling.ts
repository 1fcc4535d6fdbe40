import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../time/durations.ts'
import { type LimitCounter, quantityJson, type RollingLength } from '../model/limits.ts'

/**
 * Counts uses in rolling windows. A window is divided into 60 parts of equal length. Each part begins at a whole
 * multiple of the length of a part. A use counts until the part that contains it has completely left the window. A use
 * therefore counts for at least the length of the window, and for at most one part longer.
 */

/**
 * The number of parts of a window. A window of n hours has parts of n minutes. A counter stores at most one more part.
 */
export const ROLLING_PARTS = 60

/** A part of a rolling window, with its counted quantity. */
interface Part {
  readonly start_ms: number
  readonly quantity: bigint
}

export function rollingMs(rolling: RollingLength): number {
  return 'hours' in rolling ? rolling.hours * HOUR_MS : rolling.days * DAY_MS
}

/** Returns the start of the part that contains the time `at_ms`. */
export function partStart(length_ms: number, at_ms: number): number {
  const part_ms = length_ms / ROLLING_PARTS
  return Math.floor(at_ms / part_ms) * part_ms
}

/** Returns the time at which the part that begins at `start_ms` has completely left the window. */
function partLeavesAt(length_ms: number, start_ms: number): number {
  return start_ms + length_ms / ROLLING_PARTS + length_ms
}

export interface RollingUse {
  /** The sum of all parts that are still in the window. */
  readonly used: bigint
  /** The share of `used` that is counted in the part that begins at `start_ms`. */
  readonly counted: bigint
  /** The time when the oldest use leaves the window; null if the window has no use. */
  readonly frees_at_ms: number | null
}

/** Returns the uses in the window that ends at `at_ms`. */
export function rollingUse(
  counter: LimitCounter | undefined,
  length_ms: number,
  start_ms: number,
  at_ms: number,
): RollingUse {
  let used = 0n
  let counted = 0n
  let frees_at_ms: number | null = null
  for (const part of counter ? partsOf(counter) : []) {
    const leaves_at_ms = partLeavesAt(length_ms, part.start_ms)
    if (leaves_at_ms <= at_ms) continue
    used += part.quantity
    if (part.start_ms === start_ms) counted = part.quantity
    if (part.quantity > 0n) frees_at_ms ??= leaves_at_ms
  }
  return { used, counted, frees_at_ms }
}

/**
 * Adds a quantity to the part that begins at `start_ms`: the latest part, a new later part, or an earlier part that
 * has a count.
 */
export function withRollingUse(
  counter: LimitCounter | undefined,
  length_ms: number,
  start_ms: number,
  quantity: bigint,
): LimitCounter {
  if (!counter) return { window_start_ms: start_ms, used: quantity }
  const parts = partsOf(counter)
  const isNew = start_ms > counter.window_start_ms
  const changed = isNew
    ? [...parts.filter((part) => partLeavesAt(length_ms, part.start_ms) > start_ms), { start_ms, quantity }]
    : parts.map((part) =>
        part.start_ms === start_ms ? { start_ms, quantity: part.quantity + quantity } : part,
      )
  return withParts(counter, changed)
}

/**
 * Subtracts a quantity from the window or the part that begins at `start_ms`. Returns undefined if the counter no
 * longer has this window or part. Throws if the counted quantity is smaller.
 */
export function withoutUse(
  counter: LimitCounter,
  start_ms: number,
  quantity: bigint,
): LimitCounter | undefined {
  const parts = partsOf(counter)
  const found = parts.find((part) => part.start_ms === start_ms)
  if (!found) return undefined
  const rest = found.quantity - quantity
  if (rest < 0n)
    throw new Error(`a counter cannot subtract ${quantity} from the ${found.quantity} that it counted`)
  return withParts(
    counter,
    parts.map((part) => (part === found ? { start_ms, quantity: rest } : part)),
  )
}

/**
 * Returns the parts of a counter, oldest first. The last part begins at `window_start_ms`. A counter of a fixed
 * window has only one part.
 */
function partsOf({ window_start_ms, used, earlier = [] }: LimitCounter): Part[] {
  const parts: Part[] = []
  for (let i = 0; i + 1 < earlier.length; i += 2) {
    const start_ms = window_start_ms - Number(earlier[i]) * MINUTE_MS
    parts.push({ start_ms, quantity: BigInt(earlier[i + 1] ?? 0) })
  }
  parts.push({ start_ms: window_start_ms, quantity: used })
  return parts
}

/**
 * Returns a counter with the given parts, whose starts are whole minutes apart. Omits earlier parts without a count.
 */
function withParts({ reserved }: LimitCounter, parts: readonly Part[]): LimitCounter {
  const latest = parts.at(-1)
  if (!latest) throw new Error('a counter has no window')
  const earlier = parts
    .slice(0, -1)
    .flatMap(({ start_ms, quantity }) =>
      quantity === 0n ? [] : [(latest.start_ms - start_ms) / MINUTE_MS, quantityJson(quantity)],
    )
  return {
    window_start_ms: latest.start_ms,
    used: latest.quantity,
    ...(reserved !== undefined && { reserved }),
    ...(earlier.length > 0 && { earlier }),
  }
}
