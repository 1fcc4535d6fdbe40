import { sizeOf } from '../../ledger/packing.ts'
import type { CellDimensions, CellSums } from './cells.ts'
import { UNIT_DECIMALS } from './delta.ts'

/**
 * Upper bounds of what the parts of packed cells (`pack-cells.ts`) take as JSON, in bytes, so that nobody has to pack
 * in order to know that something is still small. A place in a dictionary is written with at most 5 digits, since
 * nothing is packed that has more than 100,000 strings.
 */

const INDEX = 5
const COMMA = 1
const BRACKETS = 2
/** Of hours since 1970; what is written is less, a difference. */
const HOUR = 6
const FIXED_NUMBERS = 10
/** A quotation mark on both sides of a number that JSON cannot hold. */
const QUOTES = 2
const NANO_PER_UNIT = 10n ** BigInt(UNIT_DECIMALS)

export function cellWeight(cell: CellDimensions & CellSums): number {
  let bytes = BRACKETS + COMMA + HOUR + 2 * INDEX + FIXED_NUMBERS * COMMA
  bytes += digits(cell.user ?? 0) + digits(cell.team ?? 0) + digits(cell.events)
  for (const sum of [cell.credits_micro, cell.cost_pico, cell.price_pico, cell.paid_pico]) {
    bytes += digits(sum) + QUOTES
  }
  for (const quantity of cell.units_nano.values()) bytes += quantityWeight(quantity) + QUOTES + COMMA
  return bytes
}

function quantityWeight(nano: bigint): number {
  if (nano % NANO_PER_UNIT === 0n) return digits(nano / NANO_PER_UNIT)
  // A sign, a zero before the point, the point, and 9 places after it.
  return Math.max(digits(nano), 10) + 2
}

/** Feature, provider, model, event type. */
export function kindWeight(): number {
  return BRACKETS + 4 * (INDEX + COMMA)
}

export function unitSetWeight(units: number): number {
  return BRACKETS + COMMA + units * (INDEX + COMMA)
}

export function stringWeight(text: string): number {
  return sizeOf(JSON.stringify(text)) + COMMA
}

function digits(value: number | bigint): number {
  return String(value).length
}
