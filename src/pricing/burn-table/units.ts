import { parseDecimal } from '../money.ts'
import { isUsageUnit, UNIT_NAMES } from '../units.ts'
import { inclusiveUsage, type Usage } from '../usage.ts'
import { QUANTITY_DECIMALS } from './definition.ts'

/** The usage of an event, in canonical units (`usage`) and in the customer's own units (`custom`). */
export interface Used {
  readonly usage: Usage
  readonly custom: Readonly<Record<string, number>>
}

export function usedBy(event: {
  readonly usage?: Usage | undefined
  readonly custom?: Readonly<Record<string, number>> | undefined
}): Used {
  return { usage: event.usage ? inclusiveUsage(event.usage) : NOTHING, custom: event.custom ?? NO_UNITS }
}

const NOTHING: Usage = {}
const NO_UNITS: Readonly<Record<string, number>> = {}

/**
 * Returns the quantity of a canonical or custom unit, in 1e-9 of the unit. The unit `requests` is 1 if the event does
 * not contain it.
 */
export function quantityOf(unit: string, { usage, custom }: Used): bigint {
  if (unit === 'requests') return exactQuantity(usage.requests ?? 1)
  if (isUsageUnit(unit)) return exactQuantity(usage[unit] ?? 0)
  return exactQuantity((Object.hasOwn(custom, unit) ? custom[unit] : undefined) ?? 0)
}

export const QUANTITY_SCALE = 10n ** BigInt(QUANTITY_DECIMALS)

function exactQuantity(quantity: number): bigint {
  if (Number.isSafeInteger(quantity)) return BigInt(quantity) * QUANTITY_SCALE
  const exact = parseDecimal(quantity, QUANTITY_DECIMALS)
  if (typeof exact === 'bigint') return exact
  // Providers can report seconds with more than 9 decimals. These are rounded to 9 decimals.
  const whole = Math.floor(quantity)
  return BigInt(whole) * QUANTITY_SCALE + BigInt(Math.round((quantity - whole) * Number(QUANTITY_SCALE)))
}

const UNIT_NAME = /^[a-z][a-z0-9_]{0,63}$/

/**
 * Returns an error if the name of a unit is malformed or is very similar to a canonical unit; undefined if the name is
 * valid. A customer can choose any other name for its own unit. Without this check, a misspelt canonical unit would be
 * accepted as the customer's own unit, and its rate would never apply.
 */
export function unitProblem(name: string): string | undefined {
  if (isUsageUnit(name)) return undefined
  if (!UNIT_NAME.test(name)) {
    return 'must be a canonical unit, or a lower-case letter followed by up to 63 lower-case letters, digits and underscores'
  }
  const meant = UNIT_NAMES.find((unit) => isSlip(name, unit))
  return meant === undefined ? undefined : `is too similar to a canonical unit. Did you mean ${meant}?`
}

/**
 * Returns whether a name is a likely misspelling of a unit. Either the words have another order or differ in singular
 * and plural, or the name has one wrong, missing or additional letter or two swapped neighbouring letters.
 */
function isSlip(name: string, unit: string): boolean {
  return wordsOf(name) === wordsOf(unit) || isOneEdit(name, unit)
}

function wordsOf(name: string): string {
  return name
    .split('_')
    .map((word) => word.replace(/s$/, '').replace(/e$/, ''))
    .filter((word) => word !== '')
    .sort()
    .join(' ')
}

function isOneEdit(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  const restA = a.slice(start)
  const restB = b.slice(start)
  return (
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    restA.slice(1) === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
  )
}
