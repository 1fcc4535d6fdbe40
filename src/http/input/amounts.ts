import { z } from '@hono/zod-openapi'
import {
  CREDIT_DECIMALS,
  formatDecimal,
  MAX_MICRO_CREDITS,
  type MicroCredits,
  microCredits,
  parseDecimal,
  picoUsd,
  USD_DECIMALS,
  type UsdParts,
  usdToParts,
} from '../../pricing/money.ts'
import { InexactNumber } from './exact-json.ts'

const MAX_MICRO = BigInt(MAX_MICRO_CREDITS)
const MAX_PICO_USD = 8_000_000_000n * 10n ** BigInt(USD_DECIMALS)

/**
 * Returns the schema for an amount of credits above 0 and up to 8e9 with at most 6 decimal places. The input is a JSON
 * number or a decimal string.
 */
export function creditsAmount() {
  return credits({ exclusiveMinimum: 0 }, (amount) => {
    if (amount <= 0n) return 'must be above 0'
    return amount > MAX_MICRO ? 'must be at most 8000000000' : undefined
  })
}

/** Returns the schema for an amount of credits from 0 to 8e9 with at most 6 decimal places. */
export function creditsLimit() {
  return credits({ minimum: 0 }, (amount) => {
    if (amount < 0n) return 'must not be negative'
    return amount > MAX_MICRO ? 'must be at most 8000000000' : undefined
  })
}

/** Returns the schema for an amount of credits from -8e9 to 8e9, except 0, with at most 6 decimal places. */
export function signedCreditsAmount() {
  return credits({ minimum: -MAX_AMOUNT, not: { const: 0 } }, (amount) => {
    if (amount === 0n) return 'must not be 0'
    const fits = amount <= MAX_MICRO && amount >= -MAX_MICRO
    return fits ? undefined : 'must be from -8000000000 to 8000000000'
  })
}

/**
 * Returns the schema for an amount from 0 to 8e9 USD with at most 12 decimal places. The input is a JSON number or a
 * decimal string.
 */
export function usdAmount() {
  return decimalInput(USD_DECIMALS, { minimum: 0 }).transform((input, ctx): UsdParts => {
    const amount = readDecimal(input, USD_DECIMALS)
    if (typeof amount === 'string') return refuse(ctx, amount)
    if (amount < 0n) return refuse(ctx, 'must not be negative')
    if (amount > MAX_PICO_USD) return refuse(ctx, 'must be at most 8000000000')
    return usdToParts(picoUsd(amount))
  })
}

/** The minimum and the maximum charge in USD that Stripe accepts, in cents. */
const MIN_CENTS = 50n
const MAX_CENTS = 99_999_999n

/** Returns the schema for a charge from 0.50 to 999999.99 USD, in whole cents. The output is the number of cents. */
export function chargeableUsd() {
  return cents({ minimum: 0.5, maximum: 999_999.99 }, (amount) => {
    if (amount < MIN_CENTS) return 'must be at least 0.50, the minimum charge of Stripe'
    return amount > MAX_CENTS ? 'must be at most 999999.99, the maximum charge of Stripe' : undefined
  })
}

/** Returns the schema for a limit from 0 to 8e9 USD, in whole cents. The output is the number of cents. */
export function usdCentsLimit() {
  return cents({ minimum: 0 }, (amount) => {
    if (amount < 0n) return 'must not be negative'
    return amount > MAX_LIMIT_CENTS ? 'must be at most 8000000000' : undefined
  })
}

const MAX_LIMIT_CENTS = 800_000_000_000n
const CENT_DECIMALS = 2

function cents(bounds: Bounds, problem: (amount: bigint) => string | undefined) {
  return decimalInput(CENT_DECIMALS, bounds).transform((input, ctx): number => {
    const amount = readDecimal(input, CENT_DECIMALS)
    if (typeof amount === 'string') return refuse(ctx, amount)
    const message = problem(amount)
    return message === undefined ? Number(amount) : refuse(ctx, message)
  })
}

/**
 * Returns the schema for an amount of credits. The output is in micro-credits. `problem` checks the amount and returns
 * an error text if it is invalid.
 */
function credits(bounds: Bounds, problem: (amount: bigint) => string | undefined) {
  return decimalInput(CREDIT_DECIMALS, bounds).transform((input, ctx): MicroCredits => {
    const amount = readDecimal(input, CREDIT_DECIMALS)
    if (typeof amount === 'string') return refuse(ctx, amount)
    const message = problem(amount)
    return message === undefined ? microCredits(amount) : refuse(ctx, message)
  })
}

/**
 * Returns the schema for a decimal number from 0 to `maximum` with at most `decimals` decimal places. The output is a
 * decimal string without an exponent.
 */
export function decimalText(decimals: number, maximum: number) {
  return decimalInput(decimals, { minimum: 0, maximum }).transform((input, ctx): string => {
    const amount = readDecimal(input, decimals)
    if (typeof amount === 'string') return refuse(ctx, amount)
    if (amount < 0n) return refuse(ctx, 'must not be negative')
    if (amount > BigInt(maximum) * 10n ** BigInt(decimals)) return refuse(ctx, `must be at most ${maximum}`)
    return formatDecimal(amount, decimals)
  })
}

const NOT_AN_AMOUNT = 'must be a number, or a string with a plain decimal'

/** A decimal number in the form in which a client can send it. */
export type DecimalInput = number | string | InexactNumber

/** The bounds of an amount, as keywords of JSON Schema for the OpenAPI document. */
interface Bounds {
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly not?: { readonly const: number }
}

const MAX_AMOUNT = 8_000_000_000

/**
 * Returns the schema for a decimal that is a number or a string. The schema only describes `decimals` and `bounds` in
 * the OpenAPI document. The caller must check them.
 */
export function decimalInput(decimals: number, bounds: Bounds) {
  const sign = (bounds.minimum ?? 0) < 0 ? '-?' : ''
  const string = { type: 'string', pattern: `^${sign}[0-9]{1,30}(\\.[0-9]{1,${decimals}}0*)?$` }
  const input = z.union([z.number(), z.string(), z.instanceof(InexactNumber)], {
    error: (issue) => (issue.input === undefined ? 'required' : NOT_AN_AMOUNT),
  })
  return input.openapi({
    type: ['number', 'string'],
    'x-amount': [{ type: 'number', maximum: MAX_AMOUNT, ...bounds }, string],
  })
}

/**
 * Returns the amount in units of the last decimal place. Returns an error text if the input is invalid. A number can
 * have an exponent, but a string with an exponent is invalid.
 */
function readDecimal(input: DecimalInput, decimals: number): bigint | string {
  if (typeof input === 'string' && !/^-?\d/.test(input)) return NOT_AN_AMOUNT
  if (typeof input === 'string' && /e/i.test(input)) return NOT_AN_AMOUNT
  const amount = parseDecimal(input instanceof InexactNumber ? input.source : input, decimals)
  if (amount === 'not_a_decimal') return NOT_AN_AMOUNT
  if (amount === 'too_many_decimals') return `must have at most ${decimals} decimals`
  return amount
}

function refuse(ctx: z.RefinementCtx, message: string): never {
  ctx.addIssue({ code: 'custom', message })
  return z.NEVER
}
