import { addSums, type Cell, type CellSums, type MutableSums, noSums } from '../usage/cells/cells.ts'
import { type Group, isWindow, type Question, startOf, type Window } from './question.ts'

/**
 * The value of a row for one group: a subject number for a user or team, the start in epoch milliseconds for a time
 * window, and a name for other groups. It is null if the usage has no value for the group.
 */
export type GroupValue = string | number | null

export interface SummaryRow {
  readonly values: readonly GroupValue[]
  readonly sums: CellSums
}

interface Row extends SummaryRow {
  readonly sums: MutableSums
}

/** The error for a question whose result would have more than `MAX_GROUPS` rows. */
export class TooManyGroups extends Error {}

export const MAX_GROUPS = 10_000

/** Sums cells by group, without I/O. Returns one row for each combination of group values. */
export class Summary {
  private readonly byGroup = new Map<string, Row>()
  private readonly question: Question
  /**
   * The start of the time window that contains each hour, in epoch milliseconds. It is cached, because many cells share
   * an hour.
   */
  private readonly starts = new Map<number, number>()

  constructor(question: Question) {
    this.question = question
    // The result of a question without groups always has one row, even without usage.
    if (question.group_by.length === 0) this.byGroup.set('', { values: [], sums: noSums() })
  }

  add(cell: Cell): void {
    addSums(this.rowOf(cell).sums, cell)
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
 * The separator between the group values in the key of a row. An empty text means null. Both are unambiguous, because
 * `customerText` refuses control characters and empty names.
 */
const SEPARATOR = '\u0000'

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
