import type { EventType } from '../../ledger/messages.ts'
import { cellWeight, kindWeight, stringWeight, unitSetWeight } from './cell-weight.ts'

/** What usage is told apart by. Time is cut to whole hours, or to whole days where hours are not asked for. */
export interface CellDimensions {
  /** Whole hours since 1970, UTC. */
  readonly hour: number
  readonly feature_id: string
  readonly provider: string | null
  readonly model: string | null
  /** Null: credits of a hold that were captured without an event. */
  readonly event_type: EventType | null
  /** Subject numbers (`subjects`): an erased person's stay, so that no rollup has to change. */
  readonly user: number | null
  readonly team: number | null
}

/** Exact sums. Voids and refunds take away, so any of them may be negative where the event itself is elsewhere. */
export interface CellSums {
  readonly events: number
  readonly credits_micro: bigint
  readonly cost_pico: bigint
  readonly price_pico: bigint
  /** What was paid for the credits, by the cost basis of their lots. */
  readonly paid_pico: bigint
  /** In 1e-9 of the unit (`UNIT_DECIMALS`). Never 0: such a unit is not there. */
  readonly units_nano: ReadonlyMap<string, bigint>
}

/** A cell of usage: a place, and everything that was used there. */
export interface Cell extends CellDimensions, CellSums {}

interface MutableCell extends CellDimensions {
  events: number
  credits_micro: bigint
  cost_pico: bigint
  price_pico: bigint
  paid_pico: bigint
  units_nano: Map<string, bigint>
  weight: number
}

/**
 * Cells by their place, each there once and none of them all zero: what was added decides what is in it, and neither
 * the order in which it came nor what else was there meanwhile.
 */
export class Cells {
  private readonly byPlace = new Map<string, MutableCell>()
  private readonly weighed = new Set<string>()
  private bytes = 0

  static of(cells: Iterable<Cell>): Cells {
    const set = new Cells()
    for (const cell of cells) set.add(cell)
    return set
  }

  get size(): number {
    return this.byPlace.size
  }

  /** Not less than the bytes that it takes when it is packed, and mostly not much more. */
  get weight(): number {
    return this.bytes
  }

  add(added: Cell): void {
    const place = placeOf(added)
    const cell = this.byPlace.get(place) ?? emptyCell(added)
    cell.events += added.events
    if (!Number.isSafeInteger(cell.events)) throw new RangeError(`${cell.events} events in one cell`)
    cell.credits_micro += added.credits_micro
    cell.cost_pico += added.cost_pico
    cell.price_pico += added.price_pico
    cell.paid_pico += added.paid_pico
    for (const [unit, quantity] of added.units_nano) {
      const sum = (cell.units_nano.get(unit) ?? 0n) + quantity
      if (sum === 0n) cell.units_nano.delete(unit)
      else cell.units_nano.set(unit, sum)
    }
    if (isZero(cell)) {
      this.byPlace.delete(place)
    } else {
      this.byPlace.set(place, cell)
      this.weigh(cell)
    }
  }

  [Symbol.iterator](): IterableIterator<Cell> {
    return this.byPlace.values()
  }

  /** What has gone keeps its weight: more is only never too little. */
  private weigh(cell: MutableCell): void {
    const weight = cellWeight(cell)
    this.bytes += weight - cell.weight
    cell.weight = weight
    this.weighOnce(`kind${KEY}${kindOf(cell)}`, kindWeight)
    for (const text of [cell.feature_id, cell.provider, cell.model, cell.event_type]) {
      if (text !== null) this.weighOnce(text, () => stringWeight(text))
    }
    for (const unit of cell.units_nano.keys()) this.weighOnce(unit, () => stringWeight(unit))
    this.weighOnce(`units${KEY}${[...cell.units_nano.keys()].join(KEY)}`, () =>
      unitSetWeight(cell.units_nano.size),
    )
  }

  private weighOnce(what: string, weight: () => number): void {
    if (this.weighed.has(what)) return
    this.weighed.add(what)
    this.bytes += weight()
  }
}

/** No name of a customer's has a control character (`customerText`), and none is empty. */
const KEY = '\u0000'

function kindOf({ feature_id, provider, model, event_type }: CellDimensions): string {
  return `${feature_id}${KEY}${provider ?? ''}${KEY}${model ?? ''}${KEY}${event_type ?? ''}`
}

function placeOf(cell: CellDimensions): string {
  return `${cell.hour}${KEY}${kindOf(cell)}${KEY}${cell.user ?? ''}${KEY}${cell.team ?? ''}`
}

function emptyCell({ hour, feature_id, provider, model, event_type, user, team }: Cell): MutableCell {
  return {
    hour,
    feature_id,
    provider,
    model,
    event_type,
    user,
    team,
    events: 0,
    credits_micro: 0n,
    cost_pico: 0n,
    price_pico: 0n,
    paid_pico: 0n,
    units_nano: new Map(),
    weight: 0,
  }
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
