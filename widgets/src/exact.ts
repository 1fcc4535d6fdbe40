/**
 * JSON and numbers without loss. An amount of the API can have more digits than a JavaScript number holds, so numbers are
 * read as the text that the API wrote, and formatted digit by digit.
 */

/** A JSON value whose numbers are their text. */
export type Json = string | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json | undefined
}

/** A string, or a number outside of strings. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Parses JSON; a number becomes a string with its text. Throws for a text that is not JSON. */
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
 * Formats a decimal number for a locale: its digits, its separators and its groups of digits, and never fewer
 * decimals than the text has. Returns any other text unchanged.
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
  // The pattern of any number of this sign, into which the digits are put.
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

/** Whether a decimal number is zero. */
export function isZero(text: string): boolean {
  return /^-?0*(?:\.0*)?$/.test(text)
}
