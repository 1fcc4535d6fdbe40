/** Writes models in the notation of the catalogue, which `src/pricing/catalogue/notation.ts` reads. */

/**
 * The prices in USD by canonical unit, in the notation of the catalogue: `3`, `3,>200000:6`, `0.04,hd:0.08`. `per` in
 * `src/pricing/units.ts` is the quantity that a price is for.
 */
export type Prices = Map<string, string>

export interface Period {
  /**
   * The conditions under which the prices apply, such as `2025-06-10` (from this day on, in UTC) or
   * `00:30:00-16:30:00`. The first period of a model has no conditions.
   */
  readonly when?: string
  readonly prices: Prices
}

export interface Model {
  readonly id: string
  readonly match: readonly string[]
  readonly context?: number
  readonly deprecated?: boolean
  /**
   * The source of the model: `m` for the media source, `l` for the lists, and `o` for the overlay. Absent for the token
   * source.
   */
  readonly source?: 'm' | 'l' | 'o'
  readonly periods: readonly Period[]
}

/**
 * Returns a number as a plain decimal, rounded to twelve significant digits. This removes the rounding errors of binary
 * floats, and no price list has more digits.
 */
export function decimal(value: number): string {
  if (!Number.isFinite(value) || value < 0) throw new Error(`${value} is not a price`)
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

/**
 * Returns the line of a model in the catalogue: `id | match rules | context window and flags | prices ; from when,
 * other prices`.
 */
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
  if (/\s/.test(word))
    throw new Error(`the catalogue cannot contain ${JSON.stringify(word)}, because it has whitespace`)
  return word
}
