/** Writes the catalogue's notation, which `src/pricing/catalogue/notation.ts` reads. */

/**
 * The price per `per` units, by canonical unit, in the notation of the catalogue: `3`, `3,>200000:6`, `0.04,hd:0.08`.
 */
export type Prices = Map<string, string>

export interface Period {
  /**
   * The conditions of `period.ts`: `2025-06-10` (from that UTC day on), `00:30:00-16:30:00`. The first period has
   * none.
   */
  readonly when?: string
  readonly prices: Prices
}

export interface Model {
  readonly id: string
  readonly match: readonly string[]
  readonly context?: number
  readonly deprecated?: boolean
  /** The source of the model, if it is not the token source: `m` media prices, `l` lists, `o` overlay. */
  readonly source?: 'm' | 'l' | 'o'
  readonly periods: readonly Period[]
}

/**
 * Writes a JavaScript number as a plain decimal without rounding errors of binary floats. It has twelve significant
 * digits, which is more than any price list has. A double keeps fifteen.
 */
export function decimal(value: number): string {
  if (!Number.isFinite(value) || value < 0) throw new Error(`not a price: ${value}`)
  const [mantissa = '0', exponent = '0'] = value.toExponential(11).split('e')
  const digits = mantissa.replace('.', '').replace(/0+$/, '') || '0'
  const point = Number(exponent) + 1
  if (digits === '0') return '0'
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`
  if (digits.length <= point) return digits.padEnd(point, '0')
  return `${digits.slice(0, point)}.${digits.slice(point)}`
}

export function writePrices(prices: Prices): string {
  return [...prices].map(([unit, price]) => `${unit}=${price}`).join(' ')
}

/** Writes one model per line: `id | match rules | context window and flags | prices ; from when, other prices`. */
export function writeModel(model: Model): string {
  const id = plainWord(model.id)
  const own = `=${id.toLowerCase()}`
  // A model always matches its own name, even if the source has no such rule.
  const rules = [...new Set([own, ...model.match])]
  const match = rules.map((rule) => (rule === own ? '=' : plainWord(rule))).join(' ')
  const about = [
    model.context === undefined ? '' : String(model.context),
    model.deprecated ? 'deprecated' : '',
    model.source ?? '',
  ]
  const periods = model.periods.map(({ when, prices }) =>
    `${when === undefined ? '' : `@${when} `}${writePrices(prices)}`.trim(),
  )
  return [id, match, about.filter((part) => part !== '').join(' '), periods.join(' ; ')].join(' | ')
}

function plainWord(word: string): string {
  if (/\s/.test(word)) throw new Error(`cannot be written in the catalogue: ${JSON.stringify(word)}`)
  return word
}
