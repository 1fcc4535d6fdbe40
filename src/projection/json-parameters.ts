import { sizeOf } from '../ledger/packing.ts'

/** D1 takes a text of at most 2,000,000 bytes, as a parameter and in a row. */
export const MAX_PARAMETER_BYTES = 2_000_000

/**
 * JSON arrays of these JSON texts, in order and in as few arrays as fit into one parameter each: lists travel to D1 as
 * one parameter, because a statement takes at most 100. None for no texts. Throws when a text alone is too large.
 */
export function jsonParameters(texts: readonly string[]): string[] {
  const parameters: string[] = []
  let open: string[] = []
  let bytes = BRACKETS
  for (const text of texts) {
    const size = sizeOf(text) + COMMA
    if (size + BRACKETS > MAX_PARAMETER_BYTES) throw new Error(`${size} bytes do not fit into a parameter`)
    if (bytes + size > MAX_PARAMETER_BYTES) {
      parameters.push(`[${open.join(',')}]`)
      open = []
      bytes = BRACKETS
    }
    open.push(text)
    bytes += size
  }
  if (open.length > 0) parameters.push(`[${open.join(',')}]`)
  return parameters
}

const BRACKETS = 2
const COMMA = 1
