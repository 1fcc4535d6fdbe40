import { type ModelInfo, type ModelPrice, type Provider, waitForUpdate } from '@pydantic/genai-prices'
import { USAGE_UNITS } from '../../src/pricing/units.ts'
import { decimal, type Model, type Period, type Prices } from './notation.ts'

/**
 * Returns token prices, match rules and extraction rules of 43 providers, from @pydantic/genai-prices. This package is
 * the token source, which is the first source of the catalogue. Its prices take precedence over the prices of the media
 * source.
 */
export async function tokenPriceProviders(): Promise<readonly Provider[]> {
  const providers = await waitForUpdate()
  if (providers === null) throw new Error('@pydantic/genai-prices has no bundled prices')
  return providers
}

export function convertModel(model: ModelInfo): Model {
  return {
    id: model.id,
    match: matchRules(model.match),
    ...(model.context_window === undefined ? {} : { context: model.context_window }),
    ...(model.deprecated === true ? { deprecated: true } : {}),
    periods: periodsOf(model),
  }
}

function periodsOf(model: ModelInfo): Period[] {
  if (!Array.isArray(model.prices)) return [{ prices: convertPrices(model.prices) }]
  return model.prices.map(({ constraint, prices }, index) => {
    if ((constraint === undefined) !== (index === 0))
      throw new Error(
        `${model.id}: the first price must have no condition, and each other price must have one`,
      )
    if (constraint === undefined) return { prices: convertPrices(prices) }
    if (constraint.type === 'start_date')
      return { when: constraint.start_date, prices: convertPrices(prices) }
    return {
      when: `${utcTime(constraint.start_time)}-${utcTime(constraint.end_time)}`,
      prices: convertPrices(prices),
    }
  })
}

function utcTime(time: string): string {
  const match = /^(\d{2}:\d{2}:\d{2})Z$/.exec(time)
  if (match?.[1] === undefined) throw new Error(`the time of day "${time}" is not in UTC`)
  return match[1]
}

/** The canonical unit of each price key in the package, and the number of units that the price is for. */
const PRICE_KEYS: Readonly<Record<string, readonly [unit: string, per: number]>> = Object.fromEntries(
  Object.entries(USAGE_UNITS).map(([unit, { family }]) => {
    const suffixes: Record<string, [RegExp, string, number]> = {
      tokens: [/_tokens$/, '_mtok', 1_000_000],
      audio_durations: [/_seconds$/, '_hours', 3600],
      characters: [/_characters$/, '_mchars', 1_000_000],
      document_pages: [/_pages$/, '_kpages', 1000],
      pixels: [/_pixels$/, '_gpixels', 1_000_000_000],
    }
    const [end, suffix, per] = suffixes[family] ?? [/$/, '_kcount', 1000]
    return [unit.replace(end, suffix), [unit, per]]
  }),
)

const FREE: Prices = new Map([
  ['input_tokens', '0'],
  ['output_tokens', '0'],
])

function convertPrices(prices: ModelPrice): Prices {
  const converted: Prices = new Map()
  for (const [key, price] of Object.entries(prices)) {
    if (price === undefined) continue
    const [unit, per] = PRICE_KEYS[key] ?? []
    if (unit === undefined || !(unit in USAGE_UNITS)) throw new Error(`the price key ${key} has no unit`)
    if (Object.entries(USAGE_UNITS).some(([name, { per: ours }]) => name === unit && ours !== per)) {
      throw new Error(`the price ${key} is for another quantity than the prices of ${unit}`)
    }
    converted.set(unit, typeof price === 'number' ? decimal(price) : tiered(price))
  }
  // The package has no prices for free models: models whose names end with ":free", and models that a subscription
  // includes.
  return converted.size > 0 ? converted : new Map(FREE)
}

/**
 * Converts a price with tiers to the notation of the catalogue. In the package, a tier applies above `start` tokens.
 * For a provider whose tier applies from 200,000 tokens on, the package has 199,999, which is written as `>=200000`
 * here.
 */
function tiered(price: {
  readonly base: number
  readonly tiers: readonly { start: number; price: number }[]
}): string {
  const tiers = price.tiers
    .toSorted((a, b) => a.start - b.start)
    .map(({ start, price }) => `${start % 1000 === 999 ? `>=${start + 1}` : `>${start}`}:${decimal(price)}`)
  return [decimal(price.base), ...tiers].join(',')
}

type Match = ModelInfo['match']

/**
 * Converts a match condition to rules in the notation of the catalogue. A name matches if one of the rules matches. A
 * rule with `&` matches if all its parts match. The rules are in lower case, except regular expressions.
 */
export function matchRules(match: Match): string[] {
  if ('or' in match) return match.or.flatMap(matchRules)
  if ('and' in match) {
    const parts = match.and.map(matchRules)
    if (parts.some((rules) => rules.length !== 1))
      throw new Error(`the match condition ${JSON.stringify(match)} cannot be converted`)
    return [parts.flat().join('&')]
  }
  if ('equals' in match) return [`=${match.equals.toLowerCase()}`]
  if ('starts_with' in match) return [`^${match.starts_with.toLowerCase()}`]
  if ('ends_with' in match) return [`$${match.ends_with.toLowerCase()}`]
  if ('contains' in match) return [`*${match.contains.toLowerCase()}`]
  return [`~${match.regex}`]
}
