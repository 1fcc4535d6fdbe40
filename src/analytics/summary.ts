import type { Cell } from '../projection/usage/cells.ts'
import { type Filters, type Group, type Question, startOf, WINDOWS } from './question.ts'

/** Exact sums of a group. USD in 1e-12, credits in 1e-6, units in 1e-9 of the unit. */
export interface Sums {
  events: number
  credits_micro: bigint
  cost_pico: bigint
  price_pico: bigint
  paid_pico: bigint
  readonly units_nano: Map<string, bigint>
}

/** In place of a value: a subject number for users and teams, a time for windows, null for none. */
export type GroupValue = string | number | null

export interface SummaryRow {
  readonly values: readonly GroupValue[]
  readonly sums: Sums
}

/** More rows than one answer has. */
export class TooManyGroups extends Error {}

export const MAX_GROUPS = 10_000

/** Adds up cells by group. Pure: rows come in the order of their values, windows by time. */
export class Summary {
  readonly totals = noSums()
  private readonly rows = new Map<string, SummaryRow>()
  private readonly question: Question

  constructor(question: Question) {
    this.question = question
    // A question without groups has one row, whether or not there was any usage.
    if (question.group_by.length === 0) this.rows.set('[]', { values: [], sums: this.totals })
  }

  add(cell: Cell): void {
    if (!passes(cell, this.question.filters)) return
    addCell(this.totals, cell)
    if (this.question.group_by.length > 0) addCell(this.rowOf(cell).sums, cell)
  }

  sorted(): SummaryRow[] {
    return [...this.rows.values()].sort((a, b) => compareValues(a.values, b.values))
  }

  private rowOf(cell: Cell): SummaryRow {
    const values = this.question.group_by.map((group) => groupValue(cell, group))
    const key = JSON.stringify(values)
    const known = this.rows.get(key)
    if (known) return known
    if (this.rows.size === MAX_GROUPS) throw new TooManyGroups()
    const row = { values, sums: noSums() }
    this.rows.set(key, row)
    return row
  }
}

export function noSums(): Sums {
  return {
    events: 0,
    credits_micro: 0n,
    cost_pico: 0n,
    price_pico: 0n,
    paid_pico: 0n,
    units_nano: new Map(),
  }
}

export function addCell(sums: Sums, cell: Cell): void {
  sums.events += cell.events
  sums.credits_micro += cell.credits_micro
  sums.cost_pico += cell.cost_pico
  sums.price_pico += cell.price_pico
  sums.paid_pico += cell.paid_pico
  for (const [unit, quantity] of cell.units_nano) {
    sums.units_nano.set(unit, (sums.units_nano.get(unit) ?? 0n) + quantity)
  }
}

function passes(cell: Cell, filters: Filters): boolean {
  return (
    admits(filters.feature, cell.feature_id) &&
    admits(filters.provider, cell.provider) &&
    admits(filters.model, cell.model) &&
    admits(filters.event_type, cell.event_type) &&
    admits(filters.user, cell.user) &&
    admits(filters.team, cell.team)
  )
}

function admits<T>(values: ReadonlySet<T> | undefined, value: T | null): boolean {
  return values === undefined || (value !== null && values.has(value))
}

function groupValue(cell: Cell, group: Group): GroupValue {
  if (isWindow(group)) return startOf(group, cell.hour)
  return group === 'feature' ? cell.feature_id : cell[group]
}

export function isWindow(group: Group): group is (typeof WINDOWS)[number] {
  return WINDOWS.some((window) => window === group)
}

function compareValues(a: readonly GroupValue[], b: readonly GroupValue[]): number {
  for (const [index, value] of a.entries()) {
    const compared = compareValue(value, b[index] ?? null)
    if (compared !== 0) return compared
  }
  return 0
}

/** Without a value comes last. */
function compareValue(a: GroupValue, b: GroupValue): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a < b ? -1 : 1
}
