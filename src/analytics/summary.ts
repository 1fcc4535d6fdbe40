import { addSums, type Cell, type CellSums, type MutableSums, noSums } from '../usage/cells/cells.ts'
import { type Filters, type Group, isWindow, type Question, startOf } from './question.ts'

/** A value of a group: a subject number for users and teams, a time for windows, null for none. */
export type GroupValue = string | number | null

export interface SummaryRow {
  readonly values: readonly GroupValue[]
  readonly sums: CellSums
}

interface Row extends SummaryRow {
  readonly sums: MutableSums
}

/** More rows than one response may have. */
export class TooManyGroups extends Error {}

export const MAX_GROUPS = 10_000

/** Sums cells by group. Pure. Rows are sorted by their values, windows by time. */
export class Summary {
  readonly totals = noSums()
  private readonly byGroup = new Map<string, Row>()
  private readonly question: Question

  constructor(question: Question) {
    this.question = question
    // A question without groups has one row, with or without usage.
    if (question.group_by.length === 0) this.byGroup.set('[]', { values: [], sums: this.totals })
  }

  add(cell: Cell): void {
    if (!passes(cell, this.question.filters)) return
    addSums(this.totals, cell)
    if (this.question.group_by.length > 0) addSums(this.rowOf(cell).sums, cell)
  }

  /** Unsorted. */
  rows(): Iterable<SummaryRow> {
    return this.byGroup.values()
  }

  sorted(): SummaryRow[] {
    return [...this.byGroup.values()].sort((a, b) => compareValues(a.values, b.values))
  }

  private rowOf(cell: Cell): Row {
    const values = this.question.group_by.map((group) => groupValue(cell, group, this.question))
    const key = JSON.stringify(values)
    const known = this.byGroup.get(key)
    if (known) return known
    if (this.byGroup.size === MAX_GROUPS) throw new TooManyGroups()
    const row = { values, sums: noSums() }
    this.byGroup.set(key, row)
    return row
  }
}

function passes(cell: Cell, filters: Filters): boolean {
  return (
    admits(filters.feature, cell.feature_id) &&
    admits(filters.provider, cell.provider) &&
    admits(filters.model, cell.model) &&
    admits(filters.event_type, cell.event_type) &&
    admits(filters.user, cell.user) &&
    admits(filters.team, cell.team) &&
    admits(filters.key, cell.key)
  )
}

function admits<T>(values: ReadonlySet<T> | undefined, value: T | null): boolean {
  return values === undefined || (value !== null && values.has(value))
}

function groupValue(cell: Cell, group: Group, { zone }: Question): GroupValue {
  if (isWindow(group)) return startOf(group, cell.hour, zone)
  return group === 'feature' ? cell.feature_id : cell[group]
}

function compareValues(a: readonly GroupValue[], b: readonly GroupValue[]): number {
  for (const [index, value] of a.entries()) {
    const compared = compareValue(value, b[index] ?? null)
    if (compared !== 0) return compared
  }
  return 0
}

/** Rows without a value sort last. */
function compareValue(a: GroupValue, b: GroupValue): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a < b ? -1 : 1
}
