import type { Decimal } from './decimal.ts'

/** An answer of the API as `parseExactly` reads it: each number is a `Decimal`. */
export type Exact<T> = T extends number
  ? Decimal
  : T extends readonly (infer U)[]
    ? readonly Exact<U>[]
    : T extends object
      ? { readonly [K in keyof T]: Exact<T[K]> }
      : T

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Parses JSON and keeps each number as the text that it had. */
export function parseExactly(json: string): unknown {
  return JSON.parse(json.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`)))
}
