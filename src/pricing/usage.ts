import { formatDecimal } from './money.ts'
import {
  ancestors,
  isUsageUnit,
  overlap,
  partitions,
  UNIT_NAMES,
  USAGE_UNITS,
  type UsageUnit,
} from './units.ts'

export { isUsageUnit, USAGE_UNITS, type UsageUnit } from './units.ts'

/**
 * Usage in canonical units. The quantity of a unit includes the quantities of the units that it contains. For example,
 * `input_tokens` includes `cache_read_tokens`. Counts are integers from 0 to 1e13. Seconds can have decimals down to a
 * nanosecond. A missing total is computed from its parts. Any other missing unit is zero, except `requests`, which is
 * 1.
 */
export type Usage = { readonly [U in UsageUnit]?: number }

type MutableUsage = { [U in UsageUnit]?: number }

/** An invalid quantity or an inconsistency in a usage, and the unit that the caller must correct. */
export interface UsageProblem {
  readonly unit: UsageUnit
  readonly message: string
}

/** The maximum quantity of any unit. */
export const MAX_QUANTITY = 10_000_000_000_000

/** The maximum number of decimals of a quantity in seconds. */
export const SECONDS_DECIMALS = 9

/**
 * Checks a usage, for callers that can refuse it. Returns the valid quantities, with totals that include their parts,
 * and a list of the invalid quantities and the inconsistencies. A total that is smaller than its parts is an
 * inconsistency. A missing total is not: it is computed from its parts. `{cache_read_tokens: 100}` alone means 100
 * input tokens, all of them cached.
 */
export function checkUsage(usage: Usage): { usage: Usage; problems: UsageProblem[] } {
  const problems: UsageProblem[] = []
  const checked: MutableUsage = {}
  for (const unit of unitsOf(usage)) {
    const message = quantityProblem(unit, usage[unit])
    if (message === undefined) checked[unit] = usage[unit] ?? 0
    else problems.push({ unit, message })
  }
  raiseTotals(checked, (unit, given, needed, group) => {
    problems.push({ unit, message: tooSmall(unit, given, needed, group) })
  })
  for (const { unit, message } of overlapProblems(checked)) problems.push({ unit, message })
  return { usage: checked, problems }
}

/**
 * Returns a consistent version of any usage, for callers that must not refuse it. An invalid quantity is replaced by
 * the nearest valid quantity, or by zero if it is not a number. A total that is smaller than its parts is raised to
 * their sum, so that all reported consumption is billed. `warnings` describes every change of a reported quantity.
 */
export function clampUsage(usage: Usage): { usage: Usage; warnings: readonly string[] } {
  if (isConsistent(usage)) return { usage, warnings: NO_WARNINGS }
  const warnings: string[] = []
  const clamped: MutableUsage = {}
  for (const unit of unitsOf(usage)) {
    const message = quantityProblem(unit, usage[unit])
    const quantity = message === undefined ? (usage[unit] ?? 0) : nearestQuantity(unit, usage[unit])
    clamped[unit] = quantity
    if (message !== undefined) warnings.push(`${message}; it is counted as ${plain(quantity)}`)
  }
  raiseTotals(clamped, (unit, given, needed, group) => {
    warnings.push(`${tooSmall(unit, given, needed, group)}; it is counted as ${plain(needed)}`)
  })
  // Raises overlaps that are too small. A raised overlap can make an overlap inside it too small. Two rounds are
  // sufficient, because overlaps contain other overlaps at most one level deep.
  for (let round = 0; round < 2; round++) {
    for (const { unit, message, needed } of overlapProblems(clamped)) {
      clamped[unit] = needed
      warnings.push(`${message}; it is counted as ${plain(needed)}`)
    }
  }
  return { usage: clamped, warnings }
}

const NO_WARNINGS: readonly string[] = []

/**
 * Returns whether a usage is surely consistent: all quantities are valid, and no other unit contains any of its units.
 * Quantities of such units cannot contradict each other.
 */
function isConsistent(usage: Usage): boolean {
  for (const unit in usage) {
    if (!isUsageUnit(unit) || quantityProblem(unit, usage[unit]) !== undefined) return false
    if (ancestors(unit).length > 0) return false
  }
  return true
}

/**
 * Returns a usage in which no total is smaller than one of its parts. Adds missing totals and raises totals that are
 * too small, without warnings, so that the cost includes every reported part. Returns the same object if nothing must
 * change.
 */
export function inclusiveUsage(usage: Usage): Usage {
  for (const unit in usage) {
    if (!isUsageUnit(unit)) continue
    const quantity = usage[unit] ?? 0
    for (const ancestor of ancestors(unit)) if ((usage[ancestor] ?? 0) < quantity) return withTotals(usage)
  }
  return usage
}

/**
 * Returns a usage in which no total is smaller than the sum of its parts. `inclusiveUsage` only compares a total with
 * each part.
 */
export function withTotals(usage: Usage): Usage {
  const filled: MutableUsage = { ...usage }
  raiseTotals(filled, () => {})
  return filled
}

function unitsOf(usage: Usage): UsageUnit[] {
  return Object.keys(usage).filter((name): name is UsageUnit => isUsageUnit(name))
}

function quantityProblem(unit: UsageUnit, value: unknown): string | undefined {
  if (typeof value !== 'number' || Number.isNaN(value)) return `${unit} is not a number`
  if (value < 0) return `${unit} is negative`
  if (value > MAX_QUANTITY) return `${unit} is above ${MAX_QUANTITY}`
  if (!USAGE_UNITS[unit].decimals && !Number.isInteger(value)) return `${unit} is not a whole number`
  return undefined
}

function nearestQuantity(unit: UsageUnit, value: unknown): number {
  if (typeof value !== 'number' || Number.isNaN(value)) return 0
  const bounded = Math.min(Math.max(value, 0), MAX_QUANTITY)
  return USAGE_UNITS[unit].decimals ? bounded : Math.round(bounded)
}

type OnRaise = (unit: UsageUnit, given: number, needed: number, group: readonly UsageUnit[]) => void

/**
 * Raises each total that is too small to the sum of its largest partition, most specific totals first. Adds missing
 * totals. Calls `onRaise` once for each total that was given and is raised.
 */
function raiseTotals(usage: MutableUsage, onRaise: OnRaise): void {
  const affected = new Set<UsageUnit>()
  for (const unit of unitsOf(usage)) for (const total of ancestors(unit)) affected.add(total)
  if (affected.size === 0) return
  for (const unit of FINEST_FIRST) {
    if (!affected.has(unit)) continue
    const given = usage[unit]
    let needed = given ?? 0
    let largest: readonly UsageUnit[] | undefined
    for (const group of partitions(unit)) {
      let total = 0
      for (const child of group) total = sum(unit, total, usage[child] ?? 0)
      if (total <= needed) continue
      needed = total
      largest = group
    }
    if (largest === undefined) continue
    usage[unit] = needed
    if (given !== undefined) onRaise(unit, given, needed, largest)
  }
}

const FINEST_FIRST = UNIT_NAMES.filter((unit) => partitions(unit).length > 0).reverse()

/** Returns the sum of two quantities of a unit. Rounds seconds to nanoseconds, so that 0.1 + 0.2 is 0.3. */
function sum(unit: UsageUnit, a: number, b: number): number {
  if (!USAGE_UNITS[unit].decimals) return a + b
  return Math.round((a + b) * 10 ** SECONDS_DECIMALS) / 10 ** SECONDS_DECIMALS
}

function tooSmall(unit: UsageUnit, given: number, needed: number, group: readonly UsageUnit[]): string {
  return `${unit} is ${plain(given)}, less than its parts (${group.slice(0, 4).join(', ')}), which add up to ${plain(needed)}`
}

function plain(quantity: number): string {
  return formatDecimal(BigInt(Math.round(quantity * 1000)), 3)
}

interface OverlapProblem extends UsageProblem {
  readonly needed: number
}

/**
 * Finds reported overlaps that are too small. Ignores overlaps of zero. If 60 of 100 tokens are audio tokens and 60 are
 * cached tokens, at least 20 tokens are both.
 */
function overlapProblems(usage: Usage): OverlapProblem[] {
  const problems: OverlapProblem[] = []
  if (!unitsOf(usage).some((unit) => ancestors(unit).length > 2)) return problems
  for (const unit of ['input_tokens', 'cache_write_tokens', 'output_tokens'] as const) {
    const [modalities = [], kinds = []] = partitions(unit)
    for (const modality of modalities) {
      for (const kind of kinds) {
        const both = overlap(modality, kind)
        const reported = both === undefined ? undefined : usage[both]
        if (both === undefined || reported === undefined || reported === 0) continue
        const needed = (usage[modality] ?? 0) + (usage[kind] ?? 0) - (usage[unit] ?? 0)
        if (reported < needed) {
          problems.push({
            unit: both,
            needed,
            message: `${both} is ${plain(reported)}, but ${modality} and ${kind} overlap by at least ${plain(needed)}`,
          })
        }
      }
    }
  }
  return problems
}
