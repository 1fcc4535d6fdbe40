import { EVENT_TYPES, type EventType } from '../../ledger/model/vocabulary.ts'
import { formatDecimal, parseDecimal } from '../../pricing/money.ts'
import { type Cell, Cells, namesOfKind } from './cells.ts'
import { UNIT_DECIMALS } from './delta.ts'
import {
  integerOf,
  isPlace,
  listOf,
  MalformedCells,
  nameOf,
  type PackedNumber,
  packInteger,
  recordOf,
  unpackInteger,
} from './packed-values.ts'

/**
 * The packed form of a set of cells, for JSON. Each string is stored once. Equal sets of cells always give the same
 * bytes.
 *
 * A sum is a JSON number if it is a safe integer, and otherwise a string of digits. A quantity of a unit is a JSON
 * number if it is a safe integer, and otherwise a decimal string with at most 9 decimals.
 */
export interface PackedCells {
  /** The earliest hour of the cells; 0 if there are no cells. The hours in `c` are relative to it. */
  readonly h: number
  /** The strings to which the other fields refer by index, sorted by UTF-16 code units. */
  readonly s: readonly string[]
  /**
   * The kinds of usage. A kind is a list of indexes into `s`: feature, provider, model and event type, with -1 for
   * null. The index of the API key follows if the kind has one.
   */
  readonly k: readonly (readonly number[])[]
  /** The sets of units. A set is a list of indexes into `s`. */
  readonly u: readonly (readonly number[])[]
  /**
   * The cells. A cell is a list of numbers: hour, kind (index into `k`), user and team (0 for null), set of units
   * (index into `u`), events, micro-credits, then cost, price and paid price in pico-USD, and then the quantity of each
   * unit of the set.
   */
  readonly c: readonly (readonly PackedNumber[])[]
}

const NANO_PER_UNIT = 10n ** BigInt(UNIT_DECIMALS)
const NONE = -1
/** The maximum hour of a cell, in the year 2500. No event can have a later time. */
const MAX_HOUR = 4_650_000
const FIXED_NUMBERS = 10

export function packCells(cells: Iterable<Cell>): PackedCells {
  const all = [...cells]
  const s = [...new Set(all.flatMap(stringsOf))].sort(byUtf16)
  const places = new Map(s.map((text, place) => [text, place]))
  const placeOf = (text: string | null) => (text === null ? NONE : (places.get(text) ?? missing(text)))
  const rows = all.map((cell) => {
    const kind = namesOfKind(cell).map(placeOf)
    const units = [...cell.units_nano]
      .map(([unit, quantity]) => ({ place: placeOf(unit), quantity }))
      .sort((a, b) => a.place - b.place)
    return { cell, kind, units, set: units.map(({ place }) => place) }
  })
  const kinds = new Dictionary(rows.map(({ kind }) => kind))
  const sets = new Dictionary(rows.map(({ set }) => set))
  const h = all.reduce((earliest, { hour }) => Math.min(earliest, hour), all[0]?.hour ?? 0)
  const c = rows.map(
    ({ cell, kind, set, units }): Row => ({
      key: [cell.hour - h, kinds.placeOf(kind), cell.user ?? 0, cell.team ?? 0],
      rest: [
        sets.placeOf(set),
        cell.events,
        packInteger(cell.credits_micro),
        packInteger(cell.cost_pico),
        packInteger(cell.price_pico),
        packInteger(cell.paid_pico),
        ...units.map(({ quantity }) => packQuantity(quantity)),
      ],
    }),
  )
  c.sort((a, b) => byNumbers(a.key, b.key))
  return { h, s, k: kinds.lists, u: sets.lists, c: c.map(({ key, rest }) => [...key, ...rest]) }
}

interface Row {
  readonly key: readonly number[]
  readonly rest: readonly PackedNumber[]
}

/**
 * Unpacks cells. Throws `MalformedCells` for a value that cannot be read. With `strict`, also throws for a value that
 * `packCells` would not write.
 */
export function unpackCells(value: unknown, strict: 'strict' | 'trusted' = 'trusted'): Cell[] {
  const cells = [...unpackSome(value, EVERY)]
  if (strict === 'strict') assertCanonical(value, cells)
  return cells
}

/**
 * A filter for cells by hour, user and kind. `from_hour` is inclusive and `to_hour` is exclusive. If `users` is
 * undefined, all users match.
 */
export interface Wanted {
  readonly from_hour: number
  readonly to_hour: number
  readonly users: ReadonlySet<number> | undefined
  readonly admits?: ((kind: Kind) => boolean) | undefined
  /** Returns the hour that replaces the hour of a cell in the result, for example the first hour of the day. */
  readonly hourOf?: (hour: number) => number
}

const EVERY: Wanted = { from_hour: 0, to_hour: MAX_HOUR + 1, users: undefined }

/** Yields the cells that match the filter. Reads only a few fields of the other cells. */
export function* unpackSome(
  value: unknown,
  { from_hour, to_hour, users, admits, hourOf = same }: Wanted,
): Generator<Cell> {
  const packed = recordOf(value, 'cells')
  const h = integerOf(packed.h, 'h', 0, MAX_HOUR)
  const s = listOf(packed.s, 's').map((text, i) => nameOf(text, `s[${i}]`))
  const k = listOf(packed.k, 'k').map((kind, i) => kindOf(kind, s, `k[${i}]`))
  const u = listOf(packed.u, 'u').map((set, i) =>
    listOf(set, `u[${i}]`).map((place) => stringAt(s, place, `u[${i}]`)),
  )
  const kinds = admits && k.map(admits)
  const c = listOf(packed.c, 'c')
  for (let i = 0; i < c.length; i++) {
    const numbers = listOf(c[i], 'a cell')
    const [hour, kind, user] = numbers
    if (typeof hour === 'number' && (h + hour < from_hour || h + hour >= to_hour)) continue
    if (users && typeof user === 'number' && !users.has(user)) continue
    if (typeof kind === 'number' && kinds?.[kind] === false) continue
    yield cellOf(numbers, { h, k, u, hourOf }, i)
  }
}

const same = (hour: number) => hour

function packQuantity(nano: bigint): PackedNumber {
  const whole = Number(nano / NANO_PER_UNIT)
  if (nano % NANO_PER_UNIT === 0n && Number.isSafeInteger(whole)) return whole
  return formatDecimal(nano, UNIT_DECIMALS)
}

const DECIMAL = /^-?(?:0|[1-9]\d{0,29})(?:\.\d{1,9})?$/

function unpackQuantity(value: unknown, cell: number): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value) * NANO_PER_UNIT
  const nano =
    typeof value === 'string' && DECIMAL.test(value) ? parseDecimal(value, UNIT_DECIMALS) : undefined
  if (typeof nano !== 'bigint') throw new MalformedCells(`c[${cell}] has an invalid quantity`)
  return nano
}

/** A sorted list of distinct lists of numbers. Finds the index of each of them. */
class Dictionary {
  readonly lists: readonly (readonly number[])[]
  private readonly places: ReadonlyMap<string, number>

  constructor(lists: readonly (readonly number[])[]) {
    const unique = new Map(lists.map((list) => [list.join(), list]))
    this.lists = [...unique.values()].sort(byNumbers)
    this.places = new Map(this.lists.map((list, place) => [list.join(), place]))
  }

  placeOf(list: readonly number[]): number {
    return this.places.get(list.join()) ?? missing(list.join())
  }
}

function stringsOf(cell: Cell): string[] {
  const names = namesOfKind(cell)
  return [...names.filter((name) => name !== null), ...cell.units_nano.keys()]
}

function byUtf16(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function missing(what: string): never {
  throw new Error(`the dictionary does not contain ${what}`)
}

interface Dictionaries {
  readonly h: number
  readonly k: readonly Kind[]
  readonly u: readonly (readonly string[])[]
  readonly hourOf: (hour: number) => number
}

/** The dimensions of a cell besides hour, user and team. Many cells share the same kind. */
export type Kind = Pick<Cell, 'feature_id' | 'provider' | 'model' | 'event_type' | 'key'>

/**
 * Unpacks one cell. Throws `MalformedCells` if it is invalid. Builds error texts only then, because it runs for every
 * cell.
 */
function cellOf(numbers: readonly unknown[], { h, k, u, hourOf }: Dictionaries, i: number): Cell {
  const [hour, kind, user, team, set, events, credits, cost, price, paid] = numbers
  const units = isPlace(set, u.length) ? u[set] : undefined
  const dimensions = isPlace(kind, k.length) ? k[kind] : undefined
  if (!dimensions || !units) throw new MalformedCells(`c[${i}] has an unknown kind or set of units`)
  if (numbers.length !== FIXED_NUMBERS + units.length) {
    throw new MalformedCells(`c[${i}] has ${numbers.length} numbers, not ${FIXED_NUMBERS + units.length}`)
  }
  if (!isPlace(hour, MAX_HOUR + 1 - h)) throw new MalformedCells(`c[${i}] has an invalid hour`)
  if (!isPlace(user, MAX_SUBJECT) || !isPlace(team, MAX_SUBJECT)) {
    throw new MalformedCells(`c[${i}] has an invalid user or team`)
  }
  if (typeof events !== 'number' || !Number.isSafeInteger(events)) {
    throw new MalformedCells(`c[${i}] has an invalid number of events`)
  }
  const units_nano = new Map<string, bigint>()
  for (let n = 0; n < units.length; n++) {
    units_nano.set(units[n] ?? '', unpackQuantity(numbers[FIXED_NUMBERS + n], i))
  }
  return {
    hour: hourOf(h + hour),
    feature_id: dimensions.feature_id,
    provider: dimensions.provider,
    model: dimensions.model,
    event_type: dimensions.event_type,
    user: user || null,
    team: team || null,
    key: dimensions.key,
    events,
    credits_micro: unpackInteger(credits, 'a sum of credits'),
    cost_pico: unpackInteger(cost, 'a sum of cost'),
    price_pico: unpackInteger(price, 'a sum of prices'),
    paid_pico: unpackInteger(paid, 'a sum of paid prices'),
    units_nano,
  }
}

const MAX_SUBJECT = Number.MAX_SAFE_INTEGER

function kindOf(value: unknown, s: readonly string[], name: string): Kind {
  const [feature, provider, model, event_type, key, ...more] = listOf(value, name)
  if (more.length > 0) throw new MalformedCells(`${name} has too many numbers`)
  const optional = (place: unknown) => (place === NONE ? null : stringAt(s, place, name))
  return {
    feature_id: stringAt(s, feature, name),
    provider: optional(provider),
    model: optional(model),
    event_type: eventTypeOf(optional(event_type), name),
    key: key === undefined ? null : stringAt(s, key, name),
  }
}

const KNOWN_EVENT_TYPES: ReadonlyMap<string, EventType> = new Map(EVENT_TYPES.map((type) => [type, type]))

function eventTypeOf(text: string | null, name: string): EventType | null {
  if (text === null) return null
  const type = KNOWN_EVENT_TYPES.get(text)
  if (type === undefined) throw new MalformedCells(`${name} has an unknown event type`)
  return type
}

function stringAt(s: readonly string[], place: unknown, name: string): string {
  const text = s[integerOf(place, `a place in ${name}`, 0, s.length - 1)]
  if (text === undefined) throw new MalformedCells(`${name} refers to a string that does not exist`)
  return text
}

/**
 * Throws `MalformedCells` if `packCells` would write the cells in another form. It finds duplicate cells, cells with
 * only zeros, unsorted cells, unused strings and unknown fields.
 */
function assertCanonical(value: unknown, cells: Cell[]): void {
  const packed = recordOf(value, 'cells')
  const { h, s, k, u, c } = packed
  const written = JSON.stringify(packCells(Cells.of(cells)))
  if (Object.keys(packed).length !== 5 || JSON.stringify({ h, s, k, u, c }) !== written) {
    throw new MalformedCells('the cells are not in canonical form')
  }
}
