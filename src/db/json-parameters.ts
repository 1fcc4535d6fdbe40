/** Returns the size of a text in UTF-8, in bytes. */
export function sizeOf(text: string): number {
  return Buffer.byteLength(text)
}

export const utf8 = new TextEncoder()

/**
 * Writes a text in UTF-8 to `bytes`, beginning at `at`. `bytes` must have three free bytes for each UTF-16 unit of
 * the text. Returns the number of bytes written.
 */
export function writeUtf8(text: string, bytes: Uint8Array, at = 0): number {
  // Most texts are short ASCII texts. For them, this loop is faster than a call of the encoder.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return utf8.encodeInto(text, bytes.subarray(at)).written
    bytes[at + i] = unit
  }
  return text.length
}

const TWO_BYTE = /[^\0-\xff]/

/**
 * Returns the memory that a text uses, in bytes. If any letter is above U+00FF, V8 stores two bytes for each letter.
 */
export function memoryOf(text: string): number {
  return isTwoByte(text) ? 2 * text.length : text.length
}

/** Returns whether a text has a letter above U+00FF. */
export function isTwoByte(text: string): boolean {
  return TWO_BYTE.test(text)
}

/** The limits of one portion. */
export interface PortionLimits {
  readonly bytes: number
  readonly items?: number
}

/**
 * Splits a list into portions and keeps its order. Each portion is as long as the limits allow. An item above the
 * limits becomes a separate portion.
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
 * Returns the texts as JSON arrays, in order and in as few arrays as possible. Each array fits into one parameter. A
 * list is bound as one parameter, because a statement accepts at most 100 parameters. Returns no array for an empty
 * list. Throws if a single text is too large.
 */
export function jsonParameters(texts: readonly string[]): string[] {
  const portions = portionsOf(texts, sizeInParameter, { bytes: MAX_PARAMETER_BYTES - BRACKETS })
  return portions.map(jsonArray)
}

/**
 * Returns a JSON array of JSON texts. Builds it in one copy: adding brackets to a joined text would copy megabytes
 * again.
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
 * Maps items by `of` and splits the values into JSON arrays, like `jsonParameters`. `items[index]` is the source of
 * the value at `index`.
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
      `a text of ${size} bytes does not fit into a parameter of D1: the maximum is ${MAX_PARAMETER_BYTES} bytes`,
    )
  return size
}

const BRACKETS = 2
const COMMA = 1
