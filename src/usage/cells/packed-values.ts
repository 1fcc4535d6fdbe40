/**
 * This file validates the values of packed usage when they are read, because a message can come from another program
 * and a row can be damaged.
 */

/** The error for a value that is not valid packed usage. Its message states the reason. */
export class MalformedCells extends Error {}

/** Parses the JSON of packed usage. Throws `MalformedCells` for a text that is not JSON. */
export function parsePacked(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MalformedCells(`${name} is not JSON`)
  }
}

/** Packs a whole number exactly: as a number if it is a safe integer, and otherwise as a string of digits. */
export function packInteger(value: bigint): PackedNumber {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

const LARGE_INTEGER = /^-?[1-9]\d{15,39}$/

/**
 * Unpacks a whole number in a form that `packInteger` writes. Throws `MalformedCells` if the value is not a safe
 * integer and not a string of 16 to 40 digits.
 */
export function unpackInteger(value: unknown, name: string): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && LARGE_INTEGER.test(value)) return BigInt(value)
  throw new MalformedCells(`${name} is not a whole number`)
}

/** Returns whether a value is a whole number from 0 (inclusive) to `end` (exclusive). */
export function isPlace(value: unknown, end: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < end
}

const MAX_NAME_LENGTH = 510
// Excludes control characters (Cc), because they separate names in keys, and lone surrogates (Cs), because UTF-8 cannot
// encode them.
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

export function nameOf(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new MalformedCells(`${name} is not a string`)
  if (value === '' || value.length > MAX_NAME_LENGTH || UNPRINTABLE.test(value)) {
    throw new MalformedCells(`${name} is not a valid name`)
  }
  return value
}

export function integerOf(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new MalformedCells(`${name} is not a whole number from ${least} to ${most}`)
  }
  return value
}

export function listOf(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new MalformedCells(`${name} is not a list`)
  return value
}

export function recordOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedCells(`${name} is not an object`)
  }
  return { ...value }
}

export type PackedNumber = number | string
