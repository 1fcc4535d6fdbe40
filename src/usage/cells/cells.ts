import { sizeOf } from '../../db/json-parameters.ts'
import type { EventType } from '../../ledger/model/vocabulary.ts'
import { UNIT_DECIMALS, type UsageDelta } from './delta.ts'
import { packInteger, parsePacked, recordOf, unpackInteger } from './packed-values.ts'

/**
 * The dimensions of a cell of usage. Times are rounded down to whole hours, or to whole days if hours are not needed.
 */
export interface CellDimensions {
  /** The time in whole hours since 1 January 1970 UTC. */
  readonly hour: number
  readonly feature_id: string
  readonly provider: string | null
  readonly model: string | null
  /** The event type; null for credits that were captured from a hold without an event. */
  readonly event_type: EventType | null
  /**
   * The subject number of the user, from the table `subjects`. An erased user or team keeps its number, so that rollups
   * do not change.
   */
  readonly user: number | null
  readonly team: number | null
  /** The id of the API key; null if keys are not needed, and in usage that was recorded before keys were recorded. */
  readonly key: string | null
}

/**
 * The exact sums of a cell. A sum can be negative, because voids and refunds subtract usage that can be in another
 * cell.
 */
export interface CellSums {
  readonly events: number
  readonly credits_micro: bigint
  readonly cost_pico: bigint
  readonly price_pico: bigint
  /**
   * The price that was paid for the credits, in pico-USD: the cost basis of the lots from which the credits were
   * burned.
   */
  readonly paid_pico: bigint
  /** The quantity of each unit, in billionths of the unit (`UNIT_DECIMALS`). Units with the quantity 0 are omitted. */
  readonly units_nano: ReadonlyMap<string, bigint>
}

/** A cell of usage with its dimensions and sums. */
export interface Cell extends CellDimensions, CellSums {}

/** Sums to which usage can be added. */
export interface MutableSums extends CellSums {
  events: number
  credits_micro: bigint
  cost_pico: bigint
  price_pico: bigint
  paid_pico: bigint
  readonly units_nano: Map<string, bigint>
}

export function noSums(): MutableSums {
  return { events: 0, credits_micro: 0n, cost_pico: 0n, price_pico: 0n, paid_pico: 0n, units_nano: new Map() }
}

export function addSums(sums: MutableSums, added: CellSums): void {
  sums.events += added.events
  if (!Number.isSafeInteger(sums.events))
    throw new RangeError(`the sum of events is not a safe integer: ${sums.events}`)
  sums.credits_micro += added.credits_micro
  sums.cost_pico += added.cost_pico
  sums.price_pico += added.price_pico
  sums.paid_pico += added.paid_pico
  for (const [unit, quantity] of added.units_nano) {
    const sum = (sums.units_nano.get(unit) ?? 0n) + quantity
    if (sum === 0n) sums.units_nano.delete(unit)
    else sums.units_nano.set(unit, sum)
  }
}

type MutableCell = CellDimensions & MutableSums

/**
 * A set of cells, one for each combination of dimensions. A cell whose sums are all zero is removed. The content does
 * not depend on the order of the additions.
 */
export class Cells {
  private readonly byPlace = new Map<string, MutableCell>()

  static of(cells: Iterable<Cell>): Cells {
    const set = new Cells()
    for (const cell of cells) set.add(cell)
    return set
  }

  get size(): number {
    return this.byPlace.size
  }

  /**
   * Adds the sums of a cell to the cell with the same dimensions. Returns the changed cell; undefined if its sums are
   * all zero after the addition.
   */
  add(added: Cell): Cell | undefined {
    const place = placeOf(added)
    const known = this.byPlace.get(place)
    const cell = known ?? emptyCell(added)
    addSums(cell, added)
    if (isZero(cell)) {
      this.byPlace.delete(place)
      return undefined
    }
    if (!known) this.byPlace.set(place, cell)
    return cell
  }

  [Symbol.iterator](): IterableIterator<Cell> {
    return this.byPlace.values()
  }
}

/**
 * The separator between the dimensions in the key of a cell. An empty text means null. Both are unambiguous, because
 * `customerText` refuses control characters and empty names.
 */
const KEY = '\u0000'

function placeOf({ hour, feature_id, provider, model, event_type, user, team, key }: CellDimensions): string {
  const kind = `${feature_id}${KEY}${provider ?? ''}${KEY}${model ?? ''}${KEY}${event_type ?? ''}`
  return `${hour}${KEY}${user ?? ''}${KEY}${team ?? ''}${KEY}${key ?? ''}${KEY}${kind}`
}

function emptyCell({ hour, feature_id, provider, model, event_type, user, team, key }: Cell): MutableCell {
  return { hour, feature_id, provider, model, event_type, user, team, key, ...noSums() }
}

/**
 * Returns the names that identify the kind of a cell in its packed form: feature, provider, model and event type. A
 * missing name is null. Adds the API key only if the cell has one, so that usage without keys is packed in the same
 * form as before keys were recorded.
 */
export function namesOfKind({ feature_id, provider, model, event_type, key }: Cell): (string | null)[] {
  const names = [feature_id, provider, model, event_type]
  return key === null ? names : [...names, key]
}

function isZero(cell: CellSums): boolean {
  return (
    cell.events === 0 &&
    cell.credits_micro === 0n &&
    cell.cost_pico === 0n &&
    cell.price_pico === 0n &&
    cell.paid_pico === 0n &&
    cell.units_nano.size === 0
  )
}

/**
 * A set of cells with a `weight`: an upper bound of the packed size in bytes (`pack-cells.ts`). With the weight, the
 * size can be checked without packing. Removed cells still count in the weight.
 */
export class WeighedCells extends Cells {
  private readonly weights = new Map<Cell, { bytes: number; units: number }>()
  private readonly strings = new Set<string>()
  private readonly kinds = new Set<string>()
  private readonly unit_sets = new Set<string>()
  private bytes = 0
  /**
   * The cells that have changed since they were weighed. `gained` is the maximum number of bytes by which they can have
   * grown.
   */
  private readonly unweighed = new Set<Cell>()
  private gained = 0
  /**
   * True if an addition could have been negative. Such an addition can remove a cell, whose last weight must still
   * count. From then on, each changed cell is weighed immediately.
   */
  private subtracts = false

  static override of(cells: Iterable<Cell>): WeighedCells {
    const set = new WeighedCells()
    for (const cell of cells) set.add(cell)
    return set
  }

  get weight(): number {
    this.weighChanged()
    return this.bytes
  }

  /**
   * Returns whether the weight of the set is at least `weight`. Weighs the changed cells only if the weight could be so
   * high, because weighing after each addition would take half of the total time.
   */
  reaches(weight: number): boolean {
    return this.bytes + this.gained >= weight && this.weight >= weight
  }

  override add(added: Cell): Cell | undefined {
    if (added.events < 1 && !this.subtracts) {
      this.subtracts = true
      this.weighChanged()
    }
    const cell = super.add(added)
    if (!cell) return undefined
    const known = this.weights.get(cell)
    if (!known) this.weighKind(cell)
    // Most additions have no new unit, so nothing is weighed now.
    const same = known !== undefined && hasSameUnits(added, cell, known.units)
    if (!same) this.weighUnits(cell)
    if (same && !this.subtracts) {
      this.unweighed.add(cell)
      this.gained += MOST_GAINED * (FIXED_NUMBERS + cell.units_nano.size)
    } else this.weigh(cell, known?.bytes)
    return cell
  }

  private weighChanged(): void {
    for (const cell of this.unweighed) this.weigh(cell, this.weights.get(cell)?.bytes)
    this.unweighed.clear()
    this.gained = 0
  }

  private weigh(cell: Cell, known_bytes = 0): void {
    const bytes = cellWeight(cell)
    this.weights.set(cell, { bytes, units: cell.units_nano.size })
    this.bytes += bytes - known_bytes
  }

  private weighKind(cell: Cell): void {
    const names = namesOfKind(cell)
    this.weighOnce(this.kinds, JSON.stringify(names), BRACKETS + names.length * (INDEX + COMMA))
    for (const name of names) if (name !== null) this.weighString(name)
  }

  private weighUnits({ units_nano }: Cell): void {
    const units = [...units_nano.keys()]
    this.weighOnce(this.unit_sets, units.join(), BRACKETS + COMMA + units.length * (INDEX + COMMA))
    for (const unit of units) this.weighString(unit)
  }

  private weighString(text: string): void {
    if (!this.strings.has(text)) this.weighOnce(this.strings, text, sizeOf(JSON.stringify(text)) + COMMA)
  }

  private weighOnce(seen: Set<string>, what: string, bytes: number): void {
    if (seen.has(what)) return
    seen.add(what)
    this.bytes += bytes
  }
}

/**
 * Returns true only if a cell has the same units as before an addition. Returns false without a comparison if the
 * addition has another number of units than the cell. An addition can remove only its own units. If the cell has all of
 * them and its number of units is unchanged, no unit is new and none was removed.
 */
function hasSameUnits(added: Cell, cell: Cell, units_before: number): boolean {
  if (added.units_nano.size !== units_before || cell.units_nano.size !== units_before) return false
  for (const unit of added.units_nano.keys()) if (!cell.units_nano.has(unit)) return false
  return true
}

// An index into a dictionary has at most 5 digits, because no packed value has more than 100,000 strings.
const INDEX = 5
const COMMA = 1
const BRACKETS = 2
/**
 * The number of digits of an hour since 1970. It is an upper bound, because packed hours are relative to the earliest
 * hour.
 */
const HOUR = 6
const FIXED_NUMBERS = 10
/** The maximum number of bytes by which one addition lengthens a number: the digits, a sign and a point. */
const MOST_GAINED = 42
/** The length of the two quotation marks around a number that is packed as a string. */
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
  // At least 10 digits: a zero before the point and 9 decimals. The other two characters are the sign and the point.
  return Math.max(digits(nano), 10) + 2
}

function digits(value: number | bigint): number {
  return String(value).length
}

/** The sums of all usage of a ledger, without units. Reconciliation compares them. */
export interface UsageTotals {
  readonly events: bigint
  readonly credits_micro: bigint
  readonly cost_pico: bigint
  readonly price_pico: bigint
  readonly paid_pico: bigint
}

export const NO_USAGE: UsageTotals = {
  events: 0n,
  credits_micro: 0n,
  cost_pico: 0n,
  price_pico: 0n,
  paid_pico: 0n,
}

export function addTotals(a: UsageTotals, b: UsageTotals): UsageTotals {
  return {
    events: a.events + b.events,
    credits_micro: a.credits_micro + b.credits_micro,
    cost_pico: a.cost_pico + b.cost_pico,
    price_pico: a.price_pico + b.price_pico,
    paid_pico: a.paid_pico + b.paid_pico,
  }
}

export function subtractTotals(a: UsageTotals, b: UsageTotals): UsageTotals {
  return {
    events: a.events - b.events,
    credits_micro: a.credits_micro - b.credits_micro,
    cost_pico: a.cost_pico - b.cost_pico,
    price_pico: a.price_pico - b.price_pico,
    paid_pico: a.paid_pico - b.paid_pico,
  }
}

/** Returns the totals of some cells or of the deltas of some entries. */
export function totalsOf(parts: Iterable<CellSums | UsageDelta>): UsageTotals {
  const sums = { ...NO_USAGE }
  for (const part of parts) {
    sums.events += BigInt(part.events)
    sums.credits_micro += BigInt(part.credits_micro)
    sums.cost_pico += part.cost_pico
    sums.price_pico += part.price_pico
    sums.paid_pico += part.paid_pico
  }
  return sums
}

/** Returns totals as JSON text. The same totals always give the same text. */
export function packTotals(totals: UsageTotals): string {
  return JSON.stringify({
    events: packInteger(totals.events),
    credits_micro: packInteger(totals.credits_micro),
    cost_pico: packInteger(totals.cost_pico),
    price_pico: packInteger(totals.price_pico),
    paid_pico: packInteger(totals.paid_pico),
  })
}

export function unpackTotals(text: string): UsageTotals {
  const packed = recordOf(parsePacked(text, 'the totals'), 'the totals')
  return {
    events: unpackInteger(packed.events, 'events'),
    credits_micro: unpackInteger(packed.credits_micro, 'credits_micro'),
    cost_pico: unpackInteger(packed.cost_pico, 'cost_pico'),
    price_pico: unpackInteger(packed.price_pico, 'price_pico'),
    paid_pico: unpackInteger(packed.paid_pico, 'paid_pico'),
  }
}
