import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type JsonText, jsonTextOf } from '../../ledger/model/json.ts'
import {
  CREDIT_DECIMALS,
  formatCredits,
  formatDecimal,
  formatUsd,
  formatUsdParts,
  type MicroCredits,
  type PicoUsd,
  type UsdParts,
} from '../../pricing/money.ts'
import { SECONDS_DECIMALS } from '../../pricing/usage.ts'

/**
 * Exact amounts in JSON. A double prints 0.00000415 as `4.15e-6` and cannot represent every amount of 16 digits, so
 * amounts are written as decimal text through `JSON.rawJSON` (TC39 "JSON.parse source text access", in V8 since
 * 11.4). TypeScript's library does not declare it yet.
 */
declare global {
  interface JSON {
    rawJSON(text: string): RawJson
  }
}

/** A number that `JSON.stringify` writes as the text from which it was created. */
interface RawJson {
  readonly rawJSON: string
}

export type ExactNumber = number | RawJson

const PLAIN_DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const MICRO_PER_CREDIT = 10 ** CREDIT_DECIMALS

/**
 * Returns a plain decimal (without exponent) as a JSON number. Throws for any other text, because it would make the
 * response invalid JSON.
 */
export function exactNumber(decimal: string): ExactNumber {
  if (!PLAIN_DECIMAL.test(decimal)) throw new RangeError(`not a plain decimal: ${decimal}`)
  return JSON.rawJSON(decimal)
}

/** Returns credits as a JSON number with at most 6 decimals. */
export function creditsJson(amount: MicroCredits): ExactNumber {
  // Whole credits are far below 2^53. In this range, a double is exact and prints no exponent.
  if (amount % MICRO_PER_CREDIT === 0) return amount / MICRO_PER_CREDIT
  return JSON.rawJSON(formatCredits(amount))
}

/** Returns micro-credits as a JSON number of credits. The amount may exceed the largest balance. */
export function creditsExact(credits_micro: bigint): ExactNumber {
  return exactNumber(formatDecimal(credits_micro, CREDIT_DECIMALS))
}

/** Returns a whole number of 1e-6 USD as a JSON number of USD. */
export function microUsdJson(micro: bigint): ExactNumber {
  return exactNumber(formatDecimal(micro, 6))
}

/** Returns whole cents as a JSON number of USD. */
export function centsJson(cents: number): ExactNumber {
  return exactNumber(formatDecimal(BigInt(cents), 2))
}

/** Returns USD as a JSON number with at most 12 decimals. */
export function usdJson(amount: PicoUsd | UsdParts): ExactNumber {
  return JSON.rawJSON(typeof amount === 'bigint' ? formatUsd(amount) : formatUsdParts(amount))
}

/**
 * Renders quantities as plain decimals. JavaScript writes an exponent for values below 1e-6. Only seconds have such
 * values.
 */
export function usageJson(usage: Readonly<Record<string, number>>): Record<string, ExactNumber> {
  return Object.fromEntries(Object.entries(usage).map(([unit, quantity]) => [unit, quantityJson(quantity)]))
}

export function quantityJson(quantity: number): ExactNumber {
  if (quantity >= 1e-6 || quantity === 0) return quantity
  return exactNumber(formatDecimal(BigInt(Math.round(quantity * 10 ** SECONDS_DECIMALS)), SECONDS_DECIMALS))
}

/** JSON text that `stringifyJson` writes unchanged. */
class JsonOutput {
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** Writes a placeholder that `stringifyJson` replaces, because `JSON.rawJSON` accepts no objects. */
  toJSON(): RawJson {
    if (!texts) throw new Error('only stringifyJson can write JSON text')
    texts.push(this.text)
    return JSON.rawJSON(PLACEHOLDER)
  }
}

/**
 * A line break in a form that `JSON.stringify` does not write for any string. In its output, this text is always a
 * placeholder.
 */
const PLACEHOLDER = '"\\u000A"'

/** The texts of the placeholders that the current call of `stringifyJson` has written. */
let texts: string[] | undefined

/** Returns the customer's own JSON. `stringifyJson` writes it in its stored form. */
export function jsonOf(text: JsonText): JsonOutput {
  return new JsonOutput(text)
}

const NO_METADATA = jsonTextOf('{}')

export function metadataJson(metadata: JsonText | undefined): JsonOutput {
  return jsonOf(metadata ?? NO_METADATA)
}

/** Returns the JSON text of a body that may contain exact numbers and JSON text. */
export function stringifyJson(body: unknown): string {
  const outer = texts
  const written: string[] = []
  texts = written
  try {
    const json = JSON.stringify(body)
    if (written.length === 0) return json
    const pieces = json.split(PLACEHOLDER)
    return pieces.map((piece, index) => (index === 0 ? piece : `${written[index - 1]}${piece}`)).join('')
  } finally {
    texts = outer
  }
}

/** Returns a JSON response whose body may contain exact numbers and JSON text. */
export function jsonResponse(
  c: Context,
  body: unknown,
  status: ContentfulStatusCode = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.body(stringifyJson(body), status, { 'Content-Type': 'application/json', ...headers })
}
