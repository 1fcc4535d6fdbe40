import { addSums, type Cell, type CellSums, type MutableSums, noSums } from '../usage/cells/cells.ts'
import type { Kind } from '../usage/cells/pack-cells.ts'
import { type Filters, type Group, isWindow, type Question, startOf, type Window } from './question.ts'

/** The value of a group: a subject number for users and teams, a time for windows, null if the usage has no value. */
export type GroupValue = string | number | null

export interface SummaryRow {
  readonly values: readonly GroupValue[]
  readonly sums: CellSums
}

interface Row extends SummaryRow {
  readonly sums: MutableSums
}

/** The error of a response that would have too many rows. */
export class TooManyGroups extends Error {}

export const MAX_GROUPS = 10_000

/** Sums cells by group, without I/O. Sorts rows by their values, and windows by time. */
export class Summary {
  private readonly byGroup = new Map<string, Row>()
  private readonly question: Question
  /** The start of the window of each hour, cached because many cells share an hour. */
  private readonly starts = new Map<number, number>()

  constructor(question: Question) {
    this.question = question
    // A question without groups has one row, with or without usage.
    if (question.group_by.length === 0) this.byGroup.set('', { values: [], sums: noSums() })
  }

  add(cell: Cell): void {
    if (passes(cell, this.question.filters)) addSums(this.rowOf(cell).sums, cell)
  }

  totals(): CellSums {
    const totals = noSums()
    for (const { sums } of this.byGroup.values()) addSums(totals, sums)
    return totals
  }

  /** Returns the rows, unsorted. */
  rows(): Iterable<SummaryRow> {
    return this.byGroup.values()
  }

  sorted(): SummaryRow[] {
    return [...this.byGroup.values()].sort((a, b) => compareValues(a.values, b.values))
  }

  private rowOf(cell: Cell): Row {
    const { group_by } = this.question
    let key = ''
    for (const group of group_by) key += (this.valueOf(cell, group) ?? '') + SEPARATOR
    const known = this.byGroup.get(key)
    if (known) return known
    if (this.byGroup.size === MAX_GROUPS) throw new TooManyGroups()
    const row = { values: group_by.map((group) => this.valueOf(cell, group)), sums: noSums() }
    this.byGroup.set(key, row)
    return row
  }

  private valueOf(cell: Cell, group: Group): GroupValue {
    if (isWindow(group)) return this.startOf(group, cell.hour)
    return group === 'feature' ? cell.feature_id : cell[group]
  }

  private startOf(window: Window, hour: number): number {
    const known = this.starts.get(hour)
    if (known !== undefined) return known
    const start_ms = startOf(window, hour, this.question.zone)
    this.starts.set(hour, start_ms)
    return start_ms
  }
}

/**
 * The separator of the values in a key. Names that customers choose contain no control characters and are not empty
 * (`customerText`).
 */
const SEPARATOR = '\u0000'

function passes(cell: Cell, filters: Filters): boolean {
  return admits(filters.user, cell.user) && admits(filters.team, cell.team) && admitsKind(filters, cell)
}

/** Reports whether the filters admit cells of a kind. The cells of other kinds are skipped when cells are read. */
export function admitsKind(
  filters: Filters,
  { feature_id, provider, model, event_type, key }: Kind,
): boolean {
  return (
    admits(filters.feature, feature_id) &&
    admits(filters.provider, provider) &&
    admits(filters.model, model) &&
    admits(filters.event_type, event_type) &&
    admits(filters.key, key)
  )
}

function admits<T>(values: ReadonlySet<T> | undefined, value: T | null): boolean {
  return values === undefined || (value !== null && values.has(value))
}

function compareValues(a: readonly GroupValue[], b: readonly GroupValue[]): number {
  for (const [index, value] of a.entries()) {
    const compared = compareValue(value, b[index] ?? null)
    if (compared !== 0) return compared
  }
  return 0
}

/** Compares two values of a group. Null sorts last. */
function compareValue(a: GroupValue, b: GroupValue): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a < b ? -1 : 1
}
