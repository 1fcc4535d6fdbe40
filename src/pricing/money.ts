/**
 * Exact amounts. This module and its callers store money only as integers, never as fractions in a float.
 *
 * - Credits are integers of 1e-6 credit (micro-credits). The maximum is 8e9 credits, which is below 2^53
 *   micro-credits. A `number` and SQLite's INTEGER therefore represent every balance exactly.
 * - USD are integers of 1e-12 USD (pico-USD) in a `bigint`. They are stored as two safe integers, because an amount
 *   above $9,007 exceeds 2^53 pico-USD.
 */

declare const unit: unique symbol

/**
 * An amount of credits: a whole number of 1e-6 credits, `|n| <= MAX_MICRO_CREDITS`. It can be negative, for example in
 * a ledger entry for credits that leave a wallet.
 */
export type MicroCredits = number & { readonly [unit]: 'micro-credits' }

/** An amount of USD: a whole number of 1e-12 USD. */
export type PicoUsd = bigint & { readonly [unit]: 'pico-USD' }

/**
 * An amount of USD in its stored form: `micro` times 1e-6 USD plus `pico` times 1e-12 USD, with 0 <= pico < 1e6. SQL
 * sums of amounts add each part separately.
 */
export interface UsdParts {
  readonly micro: number
  readonly pico: number
}

/** The largest amount and the largest balance: 8e9 credits. */
export const MAX_MICRO_CREDITS = 8_000_000_000_000_000

export const CREDIT_DECIMALS = 6
export const USD_DECIMALS = 12

/** The largest amount of USD: 8e9 USD. */
export const MAX_USD = 8_000_000_000_000_000_000_000n as PicoUsd

export const ZERO_CREDITS = 0 as MicroCredits
export const ZERO_USD = 0n as PicoUsd

export const PICO_PER_MICRO = 1_000_000n

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * Converts an integer to micro-credits. Throws a RangeError if the value is not a whole number or is out of range,
 * which only a bug can cause.
 */
export function microCredits(value: number | bigint): MicroCredits {
  const amount = Number(value)
  if (!Number.isSafeInteger(amount) || Math.abs(amount) > MAX_MICRO_CREDITS) {
    throw new RangeError(`invalid amount of micro-credits: ${value}`)
  }
  return amount as MicroCredits
}

/** Returns the smaller of two amounts. `a` is a bigint, because it can exceed the largest balance. */
export function lesser(a: bigint, b: MicroCredits): MicroCredits {
  return a < BigInt(b) ? microCredits(a) : b
}

export function picoUsd(value: bigint): PicoUsd {
  return value as PicoUsd
}

export function usdToParts(usd: PicoUsd): UsdParts {
  if (usd < 0n) throw new RangeError('stored USD must not be negative')
  // For safe integers, arithmetic with numbers is exact and takes a tenth of the time of BigInt arithmetic.
  if (usd <= MAX_SAFE) {
    const amount = Number(usd)
    const pico = amount % 1_000_000
    return { micro: (amount - pico) / 1_000_000, pico }
  }
  const micro = Number(usd / PICO_PER_MICRO)
  if (!Number.isSafeInteger(micro)) throw new RangeError(`the amount is too large to store: ${usd} pico-USD`)
  return { micro, pico: Number(usd % PICO_PER_MICRO) }
}

export function usdFromParts(parts: UsdParts): PicoUsd {
  const all = parts.micro * 1_000_000 + parts.pico
  if (Number.isSafeInteger(all)) return picoUsd(BigInt(all))
  return picoUsd(BigInt(parts.micro) * PICO_PER_MICRO + BigInt(parts.pico))
}

/** Converts pico-USD to units of 1e-6 USD, rounded half-even, for sums in responses. */
export function roundToMicro(pico: bigint): bigint {
  return divideHalfEven(pico, PICO_PER_MICRO)
}

/**
 * Returns `numerator / denominator`, rounded to the nearest integer. A tie is rounded to the even integer (IEEE 754
 * roundTiesToEven, "banker's rounding"), so that sums of rounded amounts do not drift. `denominator` must be positive.
 */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = floorDivide(numerator, denominator)
  const rest = numerator - quotient * denominator
  if (rest === 0n) return quotient
  const twice = rest * 2n
  if (twice > denominator || (twice === denominator && quotient % 2n !== 0n)) return quotient + 1n
  return quotient
}

/** Returns the same result as `divideHalfEven`, for safe integers. `numerator` must not be negative. */
export function divideSafeHalfEven(numerator: number, denominator: number): number {
  const rest = numerator % denominator
  const quotient = (numerator - rest) / denominator
  const up = rest * 2 > denominator || (rest * 2 === denominator && quotient % 2 !== 0)
  return up ? quotient + 1 : quotient
}

export function floorDivide(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  // BigInt division truncates towards zero, so only a negative quotient can be too large.
  return numerator < 0n && numerator % denominator !== 0n ? quotient - 1n : quotient
}

export function ceilDivide(numerator: bigint, denominator: bigint): bigint {
  return -floorDivide(-numerator, denominator)
}

/** The reason why `parseDecimal` rejects an input: it is not a decimal, or it has too many decimals. */
export type DecimalError = 'not_a_decimal' | 'too_many_decimals'

const DECIMAL = /^(-?)(\d{1,30})(?:\.(\d{1,40}))?(?:e([+-]?\d{1,3}))?$/i

/**
 * Converts a JSON number or a decimal string exactly to an integer in units of 10^-`decimals`. Reads a number in its
 * shortest decimal form, so that 0.1 is exactly 0.1. Trailing zeros do not count as decimals.
 */
export function parseDecimal(input: number | string, decimals: number): bigint | DecimalError {
  const match = DECIMAL.exec(String(input))
  if (!match) return 'not_a_decimal'
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const shift = decimals - fraction.length + Number(exponent)
  const digits = BigInt(whole + fraction)
  if (digits === 0n) return 0n
  let value: bigint
  if (shift >= 0) {
    value = digits * 10n ** BigInt(shift)
  } else {
    const divisor = 10n ** BigInt(-shift)
    if (digits % divisor !== 0n) return 'too_many_decimals'
    value = digits / divisor
  }
  return sign === '-' ? -value : value
}

/**
 * Converts an integer in units of 10^-`decimals` to a plain decimal, without an exponent and without trailing zeros.
 * Zero is always `0`.
 */
export function formatDecimal(value: bigint, decimals: number): string {
  const negative = value < 0n
  const digits = (negative ? -value : value).toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/**
 * Converts a non-negative fraction exactly to text: to a plain decimal if it has at most `MOST_DECIMALS` decimals,
 * otherwise to `numerator/denominator` in lowest terms.
 */
export function exactText(numerator: bigint, denominator: bigint): string {
  let divisor = denominator
  for (let rest = numerator; rest !== 0n; ) [divisor, rest] = [rest, divisor % rest]
  const [top, bottom] = [numerator / divisor, denominator / divisor]
  for (let decimals = 0; decimals <= MOST_DECIMALS; decimals++) {
    const power = 10n ** BigInt(decimals)
    if (power % bottom === 0n) return formatDecimal(top * (power / bottom), decimals)
  }
  return `${top}/${bottom}`
}

const MOST_DECIMALS = 60

/**
 * Converts micro-credits to a plain decimal, like `formatDecimal`. Uses numbers in place of bigints for speed, because
 * the response to a batch contains two amounts for each event.
 */
export function formatCredits(amount: MicroCredits): string {
  const micro = Math.abs(amount) % MICRO
  const whole = (Math.abs(amount) - micro) / MICRO
  return `${amount < 0 ? '-' : ''}${whole}${fractionOf(sixDigits(micro))}`
}

/** Converts a stored amount of USD to a plain decimal, like `formatUsd`. */
export function formatUsdParts({ micro, pico }: UsdParts): string {
  const rest = micro % MICRO
  return `${(micro - rest) / MICRO}${fractionOf(sixDigits(rest) + sixDigits(pico))}`
}

const MICRO = 1_000_000

function sixDigits(value: number): string {
  return String(MICRO + value).slice(1)
}

/** Returns the decimal point and the decimals without trailing zeros; empty if all decimals are zeros. */
function fractionOf(digits: string): string {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === ZERO) end--
  return end === 0 ? '' : `.${digits.slice(0, end)}`
}

const ZERO = 48

export function formatUsd(amount: PicoUsd): string {
  return formatDecimal(amount, USD_DECIMALS)
}
