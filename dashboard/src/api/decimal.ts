/**
 * A number of the API as the text of its digits. The dashboard shows these digits. It adds and compares amounts as
 * integers, never as floats.
 */
export type Decimal = string & { readonly __decimal: true }

/** The type of a response parsed by `parseExact`. Each number is a `Decimal`. */
export type Exact<T> = T extends number
  ? Decimal
  : T extends readonly (infer U)[]
    ? readonly Exact<U>[]
    : T extends object
      ? { readonly [K in keyof T]: Exact<T[K]> }
      : T

/** The number of decimal places in sums and comparisons. Amounts in USD have at most 12. */
const PLACES = 12

export const ZERO = decimal('0')

/** Returns a text as a `Decimal`. Throws if it is not a decimal number. */
export function decimal(text: string): Decimal {
  if (!isDecimal(text)) throw new Error(`"${text}" is not a decimal number`)
  return text
}

export function isDecimal(text: string): text is Decimal {
  return /^-?\d+(\.\d{1,12})?$/.test(text)
}

export function sum(amounts: readonly Decimal[]): Decimal {
  return fromScaled(amounts.reduce((total, amount) => total + scaled(amount), 0n))
}

export function subtract(from: Decimal, amount: Decimal): Decimal {
  return fromScaled(scaled(from) - scaled(amount))
}

/** Compares two amounts for `sort`. Returns -1, 0 or 1. */
export function compare(one: Decimal, other: Decimal): number {
  const difference = scaled(one) - scaled(other)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export function isZero(amount: Decimal): boolean {
  return scaled(amount) === 0n
}

/** Returns the ratio of `part` to `whole`, from 0 to 1. The ratio is rounded, so use it only for drawing. */
export function share(part: Decimal, whole: Decimal): number {
  const [of, all] = [scaled(part), scaled(whole)]
  if (all <= 0n || of <= 0n) return 0
  return of >= all ? 1 : Number((of * 100_000n) / all) / 100_000
}

/** Returns the largest amount, or 0 if no amount is above 0. */
export function largest(amounts: readonly Decimal[]): Decimal {
  return amounts.reduce((most, amount) => (compare(amount, most) > 0 ? amount : most), ZERO)
}

/** Returns an amount with all digits and with thousands separators. */
export function grouped(amount: Decimal): string {
  const [whole = '', fraction] = amount.split('.')
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? spaced : `${spaced}.${fraction}`
}

function scaled(amount: Decimal): bigint {
  const [whole = '', fraction = ''] = amount.replace('-', '').split('.')
  const digits = BigInt(whole + fraction.padEnd(PLACES, '0'))
  return amount.startsWith('-') ? -digits : digits
}

function fromScaled(value: bigint): Decimal {
  const digits = (value < 0n ? -value : value).toString().padStart(PLACES + 1, '0')
  const fraction = digits.slice(-PLACES).replace(/0+$/, '')
  const whole = digits.slice(0, -PLACES)
  return decimal(`${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`)
}
