/** Returns the size of a text in UTF-8, in bytes. */
export function sizeOf(text: string): number {
  return Buffer.byteLength(text)
}

export const utf8 = new TextEncoder()

/**
 * Writes a text in UTF-8 to `bytes`, beginning at the index `at`, and returns the number of bytes written. From this
 * index on, `bytes` must have at least three bytes for each UTF-16 code unit of the text.
 */
export function writeUtf8(text: string, bytes: Uint8Array, at = 0): number {
  // For a short ASCII text, this loop is faster than the encoder. Most texts are short and ASCII.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return utf8.encodeInto(text, bytes.subarray(at)).written
    bytes[at + i] = unit
  }
  return text.length
}

const TWO_BYTE = /[^\0-\xff]/

/**
 * Returns the memory that the characters of a text use, in bytes. V8 stores two bytes for each character if any
 * character is above U+00FF, and otherwise one byte.
 */
export function memoryOf(text: string): number {
  return isTwoByte(text) ? 2 * text.length : text.length
}

/** Returns whether a text has a character above U+00FF. */
export function isTwoByte(text: string): boolean {
  return TWO_BYTE.test(text)
}

/** The maximum size of one portion, in bytes and in items. */
export interface PortionLimits {
  readonly bytes: number
  readonly items?: number
}

/**
 * Splits a list into portions without changing the order of the items. Each portion has as many items as the limits
 * allow. An item that is larger than `limits.bytes` is the only item of its portion.
 */
export function portionsOf<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  limits: PortionLimits,
): T[][] {
  const portions: T[][] = []
  let bytes = 0
  for (const item of items) {
    const size = bytesOf(item)
    const open = portions.at(-1)
    if (open && open.length < (limits.items ?? Infinity) && bytes + size <= limits.bytes) {
      open.push(item)
      bytes += size
    } else {
      portions.push([item])
      bytes = size
    }
  }
  return portions
}

/** The maximum size of a text in D1, both in a parameter and in a row. */
export const MAX_PARAMETER_BYTES = 2_000_000

/**
 * Joins JSON texts, in their order, into as few JSON arrays as possible. Each array fits into one SQL parameter. A
 * parameter contains many values, because D1 accepts at most 100 parameters for a statement. Returns no array for an
 * empty list. Throws if a single text does not fit into a parameter.
 */
export function jsonParameters(texts: readonly string[]): string[] {
  const portions = portionsOf(texts, sizeInParameter, { bytes: MAX_PARAMETER_BYTES - BRACKETS })
  return portions.map(jsonArray)
}

/**
 * Joins JSON texts into one JSON array. Joins the brackets together with the texts, because adding the brackets
 * afterwards would copy the whole result, which can have several megabytes.
 */
export function jsonArray(texts: readonly string[]): string {
  const pieces = ['[']
  for (const text of texts) {
    if (pieces.length > 1) pieces.push(',')
    pieces.push(text)
  }
  pieces.push(']')
  return pieces.join('')
}

/**
 * Maps each item with `of` and writes the values to JSON arrays, each of which fits into one SQL parameter. Each result
 * has one array (`list`) and the items that its values come from, in the same order. Throws if a single value does not
 * fit into a parameter.
 */
export function jsonLists<T>(
  items: readonly T[],
  of: (item: T) => unknown,
): { readonly list: string; readonly items: readonly T[] }[] {
  const texts = items.map((item) => ({ item, text: JSON.stringify(of(item)) }))
  const limits = { bytes: MAX_PARAMETER_BYTES - BRACKETS }
  return portionsOf(texts, ({ text }) => sizeInParameter(text), limits).map((portion) => ({
    list: `[${portion.map(({ text }) => text).join(',')}]`,
    items: portion.map(({ item }) => item),
  }))
}

function sizeInParameter(text: string): number {
  const size = sizeOf(text) + COMMA
  if (size + BRACKETS > MAX_PARAMETER_BYTES)
    throw new Error(
      `a text of ${size} bytes, including a comma, does not fit into a parameter of D1: the maximum is ${MAX_PARAMETER_BYTES} bytes, including two brackets`,
    )
  return size
}

const BRACKETS = 2
const COMMA = 1
