import { sizeOf } from '../../ledger/packing.ts'
import { type Cell, Cells } from './cells.ts'
import { UNIT_DECIMALS } from './delta.ts'

/**
 * Cells that know what they take packed (`pack-cells.ts`), in bytes, or a little more: nobody has to pack in order to
 * know that something is still small. What has come to nothing keeps its weight: more is only never too little.
 */
export class WeighedCells extends Cells {
  private readonly weights = new Map<Cell, number>()
  private readonly seen = new Set<string>()
  private bytes = 0

  static override of(cells: Iterable<Cell>): WeighedCells {
    const set = new WeighedCells()
    for (const cell of cells) set.add(cell)
    return set
  }

  get weight(): number {
    return this.bytes
  }

  override add(added: Cell): Cell | undefined {
    const cell = super.add(added)
    if (!cell) return undefined
    const known = this.weights.get(cell)
    if (known === undefined) this.bytes += this.newKindWeight(cell)
    const weight = cellWeight(cell)
    this.weights.set(cell, weight)
    this.bytes += weight - (known ?? 0) + this.newUnitsWeight(cell)
    return cell
  }

  private newKindWeight({ feature_id, provider, model, event_type }: Cell): number {
    const names = [feature_id, provider, model, event_type]
    const is_new = this.isNew(JSON.stringify(names))
    return (
      (is_new ? KIND_WEIGHT : 0) + sum(names.map((name) => (name === null ? 0 : this.newStringWeight(name))))
    )
  }

  private newUnitsWeight({ units_nano }: Cell): number {
    const units = [...units_nano.keys()]
    const is_new = this.isNew(`units ${units.join()}`)
    return (is_new ? unitSetWeight(units.length) : 0) + sum(units.map((unit) => this.newStringWeight(unit)))
  }

  private newStringWeight(text: string): number {
    return this.isNew(`string ${text}`) ? stringWeight(text) : 0
  }

  private isNew(what: string): boolean {
    if (this.seen.has(what)) return false
    this.seen.add(what)
    return true
  }
}

// A place in a dictionary has at most 5 digits, since nothing is packed that has more than 100,000 strings.
const INDEX = 5
const COMMA = 1
const BRACKETS = 2
/** Of hours since 1970; what is written is less, a difference. */
const HOUR = 6
const FIXED_NUMBERS = 10
/** A quotation mark on both sides of a number that JSON cannot hold. */
const QUOTES = 2
const NANO_PER_UNIT = 10n ** BigInt(UNIT_DECIMALS)

function cellWeight(cell: Cell): number {
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
const KIND_WEIGHT = BRACKETS + 4 * (INDEX + COMMA)

function unitSetWeight(units: number): number {
  return BRACKETS + COMMA + units * (INDEX + COMMA)
}

function stringWeight(text: string): number {
  return sizeOf(JSON.stringify(text)) + COMMA
}

function digits(value: number | bigint): number {
  return String(value).length
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
