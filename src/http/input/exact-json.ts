/**
 * A JSON number that a double cannot represent, such as 9007199254740993 or 1.00000000000000000009. The parser keeps
 * the text of such a number. Schemas of amounts read it exactly, and other schemas of numbers refuse it.
 */
export class InexactNumber {
  /** The text of the number in the request. */
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

/**
 * The pattern of a number with at least 16 digits, or with at least 15 digits and a decimal point. A double cannot
 * represent some of these numbers.
 */
const SUSPICIOUS = /[:,[\s]-?\d[\d.]{15}/

/**
 * Parses the JSON of a request. Keeps numbers exact, except in fields named `provider_response`, where it rounds
 * numbers to doubles. Throws a `SyntaxError` if the text is not JSON.
 */
export function parseJson(text: string): unknown {
  return parseExact(text, 'provider_response')
}

/**
 * Parses JSON and keeps numbers exact (`InexactNumber`), except in fields with the name `rounds`, where it rounds
 * numbers to doubles. Throws a `SyntaxError` if the text is not JSON.
 */
export function parseExact(text: string, rounds?: string): unknown {
  // The reviver function is used only for texts with long numbers, because it makes parsing several times slower.
  if (!SUSPICIOUS.test(text)) return JSON.parse(text)
  return JSON.parse(text, (key, value: unknown, context?: { readonly source?: string }) => {
    if (key === rounds && rounds !== undefined) return rounded(value)
    const source = typeof value === 'number' ? context?.source : undefined
    return source === undefined || isExact(source) ? value : new InexactNumber(source)
  })
}

/** Returns whether a parsed value contains a number that a double cannot represent. */
export function isInexact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value)
  if (value instanceof InexactNumber) return true
  return typeof value === 'object' && value !== null && Object.values(value).some(isInexact)
}

/**
 * Rounds the numbers of a provider response to doubles. A provider can send any number of digits, and its numbers are
 * never amounts of this service.
 */
function rounded(value: unknown): unknown {
  if (value instanceof InexactNumber) return Number(value.source)
  if (!isInexact(value) || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(rounded)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]))
}

/**
 * Returns whether a double represents a number exactly: the shortest decimal form of the double must equal `source`.
 * Infinity counts as exact, because every schema of a number refuses it.
 */
function isExact(source: string): boolean {
  const value = Number(source)
  return !Number.isFinite(value) || normalized(source) === normalized(String(value))
}

/**
 * Returns the absolute value of a decimal number in a canonical form: its significant digits, `e`, and the exponent of
 * the last digit; `0` for zero. Equal values have equal results.
 */
export function normalized(decimal: string): string {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(decimal) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
