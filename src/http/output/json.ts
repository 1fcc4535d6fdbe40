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
 * `JSON.rawJSON` writes exact amounts to JSON (TC39 "JSON.parse source text access", in V8 since 11.4). TypeScript's
 * library does not declare it yet. Doubles are not suitable for amounts: 0.000000415 is printed as `4.15e-7`, and not
 * every amount with 16 digits can be represented.
 */
declare global {
  interface JSON {
    rawJSON(text: string): RawJson
  }
}

/** A number that `JSON.stringify` writes with exactly the text that it was created from. */
interface RawJson {
  readonly rawJSON: string
}

export type ExactNumber = number | RawJson

const PLAIN_DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const MICRO_PER_CREDIT = 10 ** CREDIT_DECIMALS

/**
 * Converts a decimal text without an exponent to an exact JSON number. Throws for any other text, because the response
 * would then be invalid JSON.
 */
export function exactNumber(decimal: string): ExactNumber {
  if (!PLAIN_DECIMAL.test(decimal)) throw new RangeError(`not a plain decimal: ${decimal}`)
  return JSON.rawJSON(decimal)
}

/** Converts an amount of credits to an exact JSON number with at most 6 decimal places. */
export function creditsJson(amount: MicroCredits): ExactNumber {
  // A number of whole credits is far below 2^53. In this range, a double is exact and is printed without an exponent.
  if (amount % MICRO_PER_CREDIT === 0) return amount / MICRO_PER_CREDIT
  return JSON.rawJSON(formatCredits(amount))
}

/**
 * Converts micro-credits to an exact JSON number of credits. Also accepts sums that are larger than the largest
 * possible balance.
 */
export function creditsExact(credits_micro: bigint): ExactNumber {
  return exactNumber(formatDecimal(credits_micro, CREDIT_DECIMALS))
}

/** Converts an amount in units of 1e-6 USD to an exact JSON number of USD. */
export function microUsdJson(micro: bigint): ExactNumber {
  return exactNumber(formatDecimal(micro, 6))
}

/** Converts an amount in cents to an exact JSON number of USD. */
export function centsJson(cents: number): ExactNumber {
  return exactNumber(formatDecimal(BigInt(cents), 2))
}

/** Converts an amount of USD to an exact JSON number with at most 12 decimal places. */
export function usdJson(amount: PicoUsd | UsdParts): ExactNumber {
  return JSON.rawJSON(typeof amount === 'bigint' ? formatUsd(amount) : formatUsdParts(amount))
}

/**
 * Converts the quantities of a usage to JSON numbers without an exponent. JavaScript would print a value below 1e-6
 * with an exponent. Only quantities of seconds can be that small.
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

  /**
   * Returns a placeholder, which `stringifyJson` replaces with the text. The text itself cannot be returned, because
   * `JSON.rawJSON` accepts no objects.
   */
  toJSON(): RawJson {
    if (!texts) throw new Error('only stringifyJson can write JSON text')
    texts.push(this.text)
    return JSON.rawJSON(PLACEHOLDER)
  }
}

/**
 * A JSON string with a line break, in an escaped form that `JSON.stringify` never writes. If the output of
 * `JSON.stringify` contains this text, it is always a placeholder.
 */
const PLACEHOLDER = '"\\u000A"'

/**
 * The texts that replace the placeholders of the current call of `stringifyJson`, in order; undefined outside of a
 * call.
 */
let texts: string[] | undefined

/** Wraps stored JSON text, such as metadata, so that `stringifyJson` writes it unchanged. */
export function jsonOf(text: JsonText): JsonOutput {
  return new JsonOutput(text)
}

const NO_METADATA = jsonTextOf('{}')

export function metadataJson(metadata: JsonText | undefined): JsonOutput {
  return jsonOf(metadata ?? NO_METADATA)
}

/** Converts a body to JSON text. The body can contain exact numbers (`ExactNumber`) and stored JSON text (`jsonOf`). */
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

/** Returns a JSON response. The body can contain exact numbers (`ExactNumber`) and stored JSON text (`jsonOf`). */
export function jsonResponse(
  c: Context,
  body: unknown,
  status: ContentfulStatusCode = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.body(stringifyJson(body), status, { 'Content-Type': 'application/json', ...headers })
}
