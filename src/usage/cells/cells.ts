import type { EventType } from '../../ledger/model/vocabulary.ts'

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

/** Sums that are added to. */
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
  if (!Number.isSafeInteger(sums.events)) throw new RangeError(`${sums.events} events in one sum`)
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
 * Cells by their place, each there once and none of them all zero: what was added decides what is in it, and neither
 * the order in which it came nor what else was there meanwhile.
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

  /** Returns the cell that it was added to; undefined when that has come to nothing. */
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

/** No name of a customer's has a control character (`customerText`), and none is empty. */
const KEY = '\u0000'

function placeOf({ hour, feature_id, provider, model, event_type, user, team }: CellDimensions): string {
  const kind = `${feature_id}${KEY}${provider ?? ''}${KEY}${model ?? ''}${KEY}${event_type ?? ''}`
  return `${hour}${KEY}${user ?? ''}${KEY}${team ?? ''}${KEY}${kind}`
}

function emptyCell({ hour, feature_id, provider, model, event_type, user, team }: Cell): MutableCell {
  return { hour, feature_id, provider, model, event_type, user, team, ...noSums() }
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
