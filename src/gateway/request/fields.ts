import { isPlainText } from '../../http/input/identifiers.ts'
import { isRecord } from '../../ledger/model/json.ts'

/**
 * Reads fields of a request body in every spelling that an API accepts. Google's JSON accepts names in camel case and
 * in snake case, numbers as strings, and a single value in place of a list.
 */

/**
 * Returns the values of a field in all spellings of its name. `name` is in camel case, or in snake case if the API has
 * no other spelling. A null is the same as no field.
 */
export function valuesOf(node: unknown, name: string): readonly unknown[] {
  if (!isRecord(node)) return []
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const values = snake === name ? [node[name]] : [node[name], node[snake]]
  return values.filter((value) => value !== undefined && value !== null)
}

/** Returns the values at a path of fields, in all spellings of their names. */
export function valuesAt(node: unknown, ...path: readonly string[]): readonly unknown[] {
  return path.reduce<readonly unknown[]>((nodes, name) => nodes.flatMap((one) => valuesOf(one, name)), [node])
}

/** Returns a value as a whole number from 0 to 1e9; undefined for other values. A string can contain the number. */
export function countOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d[\d.e+]{0,19}$/i.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 && number <= 1e9
    ? number
    : undefined
}

/** Returns the largest of the values that are counts; undefined if there is none. */
export function largestOf(values: readonly unknown[]): number | undefined {
  const counts = values.map(countOf).filter((count) => count !== undefined)
  return counts.length === 0 ? undefined : Math.max(...counts)
}

/**
 * Returns the first text with 1 to 64 characters, without control characters and lone surrogates; undefined if there is
 * none. Events contain such texts, so they must be small.
 */
export function textOf(values: readonly unknown[]): string | undefined {
  return values.find((value): value is string => isPlainText(value) && value.length <= 64)
}
