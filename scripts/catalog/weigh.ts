import { matches, readMatch } from '../../src/pricing/catalogue/match.ts'
import type { Model, Prices } from './notation.ts'

/**
 * A rule that decides which of two sources is right when their prices differ. The first source has price history, match
 * rules and media prices. The lists are newer, but have only current token prices. A list therefore adds models and
 * units that the first source does not have, but replaces a price only if a rule in this file says so. The new price
 * applies from the date of the list on, so that earlier events keep their price.
 */
interface Decision {
  readonly provider: string
  /**
   * The pattern that the id of a model must match. Without a pattern, the rule applies to all models of the provider.
   */
  readonly models?: RegExp
  readonly winner: 'first' | 'list'
  readonly why: string
}

const DECISIONS: readonly Decision[] = [
  {
    provider: 'openrouter',
    winner: 'list',
    why: 'OpenRouter’s prices change daily, and the list comes directly from OpenRouter',
  },
  {
    provider: 'mistral',
    models: /latest$/,
    winner: 'list',
    why: 'aliases move to newer models, and the list is newer',
  },
  {
    provider: 'cloudflare',
    winner: 'first',
    why: 'the list rounds Cloudflare’s prices, which are derived from neurons',
  },
  {
    provider: 'deepseek',
    models: /^deepseek-/,
    winner: 'first',
    why: 'the list has only the prices of peak hours; the first source and the overlay have all prices',
  },
  {
    provider: 'zai',
    models: /^glm-5\.3-flash$/,
    winner: 'list',
    why: 'the first source still has the launch promotion, which is half of the current list price (Codeep v2.25.0, docs.venice.ai)',
  },
  {
    provider: 'openai',
    models: /^gpt-6-luna$/,
    winner: 'first',
    why: 'the list has the prices of the model’s decision endpoint, which generates no text',
  },
  {
    provider: 'azure',
    models: /^o4-mini$/,
    winner: 'first',
    why: 'the first source has Azure’s published price, which rounds 0.275 to 0.28',
  },
]

export interface Difference {
  readonly provider: string
  readonly model: string
  readonly unit: string
  readonly first: string
  readonly list: string
  /**
   * The rule that decides the difference. If no rule exists, this is undefined, and the catalogue keeps the price of
   * the first source until a person has checked it.
   */
  readonly decision: Decision | undefined
}

export interface Weighed {
  readonly models: Model[]
  readonly agreeing: number
  readonly differences: Difference[]
}

/**
 * Adds the models and units of a list to the models of the first source. `resold` has the models of the makers whose
 * prices this provider uses. A listed model that the first source does not have is left out if a rule of another model
 * already gives it its price. It then follows the price history of that model.
 */
export function weigh(
  provider: string,
  first: readonly Model[],
  listed: readonly Model[],
  resold: readonly Model[],
  listDate: string,
): Weighed {
  const models = [...first]
  const exact = new Map<string, number>()
  first.forEach((model, index) => {
    for (const name of [model.id.toLowerCase(), ...readMatch(model.match.join(' '), model.id).exact])
      if (!exact.has(name)) exact.set(name, index)
  })
  const differences: Difference[] = []
  let agreeing = 0
  for (const listedModel of listed) {
    const index = exact.get(listedModel.id.toLowerCase())
    const known = models[index ?? -1]
    if (index === undefined || known === undefined) {
      if (coveredAtSamePrice([...models, ...resold], listedModel, listDate)) continue
      models.push(listedModel)
      continue
    }
    const theirs = listedModel.periods[0]?.prices ?? new Map<string, string>()
    const found = disagreements(known, theirs, listDate).map(({ unit, first, list }) => ({
      provider,
      model: listedModel.id,
      unit,
      first,
      list,
      decision: decisionFor(provider, listedModel.id),
    }))
    differences.push(...found)
    if (found.length === 0) agreeing += 1
    const taken = found.filter(({ decision }) => decision?.winner === 'list')
    models[index] = merged(known, theirs, taken, listDate)
  }
  return { models, agreeing, differences }
}

function decisionFor(provider: string, model: string): Decision | undefined {
  return DECISIONS.find(
    (one) => one.provider === provider && (one.models === undefined || one.models.test(model)),
  )
}

/** Reports whether the first model whose rules match the id of a listed model has the same prices on a day. */
function coveredAtSamePrice(models: readonly Model[], listed: Model, day: string): boolean {
  const name = listed.id.toLowerCase()
  const known = models.find((model) => matches(readMatch(['=', ...model.match].join(' '), model.id), name))
  const prices = listed.periods[0]?.prices ?? new Map<string, string>()
  return known !== undefined && disagreements(known, prices, day).length === 0
}

/**
 * Returns the prices that apply on a day: the prices of the last period that has begun by this day. Periods with other
 * conditions, such as a time of day, are ignored.
 */
export function currentPrices(model: Model, day: string): Prices {
  const dated = model.periods.filter(
    ({ when }) => when === undefined || (/^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(when) && when <= day),
  )
  return dated.at(-1)?.prices ?? new Map()
}

function disagreements(
  model: Model,
  theirs: Prices,
  day: string,
): { readonly unit: string; readonly first: string; readonly list: string }[] {
  const ours = currentPrices(model, day)
  return [...theirs].flatMap(([unit, list]) => {
    const first = ours.get(unit)
    if (first === undefined || samePrice(first, list)) return []
    return [{ unit, first, list }]
  })
}

/**
 * Reports whether the base parts of two prices are equal. Prices above a threshold are not compared, because the
 * sources write thresholds in different ways.
 */
function samePrice(a: string, b: string): boolean {
  const [first, second] = [a, b].map((price) => Number(price.split(',', 1)[0]))
  return first === second
}

/**
 * Returns a model of the first source with the additions of a list: prices that a rule takes from the list, and units
 * that the first source never had. Adds such units only if the input prices are equal or a rule takes a price. The
 * additions apply from the date of the list on.
 */
function merged(model: Model, theirs: Prices, taken: readonly Difference[], listDate: string): Model {
  const ours = currentPrices(model, listDate)
  const sameInput = samePrice(ours.get('input_tokens') ?? '-1', theirs.get('input_tokens') ?? '-2')
  const missing = [...theirs].filter(([unit]) => !model.periods.some(({ prices }) => prices.has(unit)))
  const news = [
    ...(sameInput || taken.length > 0 ? missing : []),
    ...taken.map(({ unit, list }) => [unit, list] as const),
  ]
  if (news.length === 0) return model
  // Inserts the new period before periods with hours or with later dates, so that these still take precedence.
  const later = model.periods.findIndex(
    ({ when }) => when !== undefined && (when > listDate || !/^\d{4}-\d\d-\d\d$/.test(when)),
  )
  const at = later === -1 ? model.periods.length : later
  const period = { when: listDate, prices: new Map([...ours, ...news]) }
  return { ...model, periods: model.periods.toSpliced(at, 0, period) }
}

/**
 * Returns a message for each rule that also matches the exact name of a model with different prices. The rule would
 * give its prices to similar names of future models too.
 */
export function borrowedPrices(provider: string, models: readonly Model[], day: string): string[] {
  const rules = models.map((model) => readMatch(['=', ...model.match].join(' '), model.id))
  return models.flatMap((model, index) =>
    (rules[index]?.exact ?? []).flatMap((name) =>
      models
        .filter(
          (other, at) =>
            at !== index &&
            rules[at]?.patterns.some((fits) => fits(name)) === true &&
            !samePrices(currentPrices(model, day), currentPrices(other, day)),
        )
        .map((other) => `${provider}: a rule of ${other.id} also matches ${name}, which is ${model.id}`),
    ),
  )
}

function samePrices(a: Prices, b: Prices): boolean {
  return ['input_tokens', 'output_tokens'].every((unit) => samePrice(a.get(unit) ?? '0', b.get(unit) ?? '0'))
}
