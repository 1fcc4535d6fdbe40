import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import {
  CREDIT_DECIMALS,
  formatDecimal,
  formatUsd,
  type MicroCredits,
  type PicoUsd,
  type UsdParts,
  usdFromParts,
} from '../../pricing/money.ts'

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

/** A number that `JSON.stringify` writes as the text it was made from. */
interface RawJson {
  readonly rawJSON: string
}

export type ExactNumber = number | RawJson

const PLAIN_DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const MICRO_PER_CREDIT = 10 ** CREDIT_DECIMALS

/**
 * A plain decimal (no exponent) as a JSON number. Throws on anything else, which would make the response invalid
 * JSON.
 */
export function exactNumber(decimal: string): ExactNumber {
  if (!PLAIN_DECIMAL.test(decimal)) throw new RangeError(`not a plain decimal: ${decimal}`)
  return JSON.rawJSON(decimal)
}

/** Credits, with at most 6 decimals. */
export function creditsJson(amount: MicroCredits): ExactNumber {
  // Whole credits are far below 2^53, where a double is exact and prints no exponent.
  if (amount % MICRO_PER_CREDIT === 0) return amount / MICRO_PER_CREDIT
  return exactNumber(formatDecimal(BigInt(amount), CREDIT_DECIMALS))
}

/** Credits from micro-credits, which may exceed what a wallet can hold. */
export function creditsExact(credits_micro: bigint): ExactNumber {
  return exactNumber(formatDecimal(credits_micro, CREDIT_DECIMALS))
}

/** USD from a whole number of 1e-6. */
export function microUsdJson(micro: bigint): ExactNumber {
  return exactNumber(formatDecimal(micro, 6))
}

/** USD, with at most 12 decimals. */
export function usdJson(amount: PicoUsd | UsdParts): ExactNumber {
  return exactNumber(formatUsd(typeof amount === 'bigint' ? amount : usdFromParts(amount)))
}

/** A JSON response whose body may contain exact numbers. */
export function jsonResponse(
  c: Context,
  body: unknown,
  status: ContentfulStatusCode = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/json', ...headers })
}
