/**
 * Parses JSON without silently rounding numbers. A double cannot represent 9007199254740993 or
 * 1.00000000000000000009. Such a number becomes an `InexactNumber`. Schemas of amounts read it exactly, and other
 * schemas refuse it.
 */
export class InexactNumber {
  /** The number as sent. */
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

/** A number of 16 or more digits (including the decimal point), which a double may be unable to represent. */
const SUSPICIOUS = /[:,[\s]-?\d[\d.]{15}/

/**
 * Parses the JSON of a request. Rounds numbers only in `provider_response`. Throws a `SyntaxError` like `JSON.parse`.
 */
export function parseJson(text: string): unknown {
  return parseExact(text, 'provider_response')
}

/** Parses JSON and keeps every number exact, except in fields of the name `rounds`. */
export function parseExact(text: string, rounds?: string): unknown {
  // Uses the reviver only for texts with long numbers, because it makes parsing several times slower.
  if (!SUSPICIOUS.test(text)) return JSON.parse(text)
  return JSON.parse(text, (key, value: unknown, context?: { readonly source?: string }) => {
    if (key === rounds && rounds !== undefined) return rounded(value)
    const source = typeof value === 'number' ? context?.source : undefined
    return source === undefined || isExact(source) ? value : new InexactNumber(source)
  })
}

/** Reports whether a value contains a number that a double cannot represent. */
export function isInexact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value)
  if (value instanceof InexactNumber) return true
  return typeof value === 'object' && value !== null && Object.values(value).some(isInexact)
}

/**
 * Rounds the numbers of a provider response to doubles. They may have any number of digits, and none of them is an
 * amount of this service.
 */
function rounded(value: unknown): unknown {
  if (value instanceof InexactNumber) return Number(value.source)
  if (!isInexact(value) || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(rounded)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]))
}

/**
 * Reports whether the shortest decimal form of the double equals the number as sent. Infinity counts as exact,
 * because every schema refuses it.
 */
function isExact(source: string): boolean {
  const value = Number(source)
  return !Number.isFinite(value) || normalized(source) === normalized(String(value))
}

/**
 * Returns the significant digits of a decimal and the exponent of the last digit. The result is the same for equal
 * numbers of the same sign.
 */
export function normalized(decimal: string): string {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(decimal) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
