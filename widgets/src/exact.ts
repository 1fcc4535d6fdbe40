/**
 * Parses JSON and formats numbers without loss. Amounts of the API can have more digits than a JavaScript number, so
 * numbers are kept as text and formatted digit by digit.
 */

/** A JSON value in which each number is a string of its digits. */
export type Json = string | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json | undefined
}

/** Matches a JSON string or a number outside of strings. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Parses JSON and returns each number as a string of its digits. Throws if the text is not JSON. */
export function parseExact(text: string): Json {
  return JSON.parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"${token}"`)))
}

export function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !isList(value) ? value : {}
}

export function listOf(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : []
}

export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/
const CENTS = 2

/**
 * Formats a decimal number with the digits and separators of a locale. Keeps all decimals. Returns any other text
 * unchanged.
 */
export function formatNumber(text: string, locale: string | undefined, currency?: string): string {
  const [, sign, whole, decimals = ''] = DECIMAL.exec(text) ?? []
  if (whole === undefined) return text
  const fraction = currency === undefined ? decimals : decimals.padEnd(CENTS, '0')
  const digits = fraction === '' ? 0 : 1
  const pattern = formatter(locale, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    ...(currency !== undefined && { style: 'currency', currency }),
  })
  // Formats a sample number with the same sign, and replaces its digits.
  return pattern
    .formatToParts(sign === '-' ? -1.5 : 1.5)
    .map(({ type, value }) => {
      if (type === 'integer') return formatter(locale).format(BigInt(whole))
      return type === 'fraction' ? [...fraction].map((digit) => formatDigit(digit, locale)).join('') : value
    })
    .join('')
}

function formatDigit(digit: string, locale: string | undefined): string {
  return formatter(locale).format(Number(digit))
}

const formatters = new Map<string, Intl.NumberFormat>()

function formatter(locale: string | undefined, options: Intl.NumberFormatOptions = {}): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`
  const known = formatters.get(key)
  if (known) return known
  const made = new Intl.NumberFormat(locale, options)
  formatters.set(key, made)
  return made
}

/** Reports whether a decimal number is zero. */
export function isZero(text: string): boolean {
  return /^-?0*(?:\.0*)?$/.test(text)
}
