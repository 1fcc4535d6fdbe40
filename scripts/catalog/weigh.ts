import { matches, readMatch } from '../../src/pricing/catalogue/match.ts'
import type { Model, Prices } from './notation.ts'

/**
 * A decision between two sources that disagree. The first source has history, match rules and media. The lists are
 * newer but have none of these. A list therefore adds models and units that the first source does not have. It
 * replaces a price only if a rule in this file says so. The new price applies from the day of the list on, so that
 * earlier events keep their price.
 */
interface Decision {
  readonly provider: string
  /** A pattern of the names of models. Without a pattern, the rule applies to all models of the provider. */
  readonly models?: RegExp
  readonly winner: 'first' | 'list'
  readonly why: string
}

const DECISIONS: readonly Decision[] = [
  {
    provider: 'openrouter',
    winner: 'list',
    why: 'prices of routes change daily, and this list is OpenRouter’s own of that day',
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
    why: 'the list has the price of peak hours only; the first source and the overlay have both',
  },
  {
    provider: 'zai',
    models: /^glm-5\.3-flash$/,
    winner: 'list',
    why: 'the first source has the launch promotion, half of the price that is listed now (Codeep v2.25.0, docs.venice.ai)',
  },
  {
    provider: 'openai',
    models: /^gpt-6-luna$/,
    winner: 'first',
    why: 'the list has the model’s endpoint for decisions, which writes nothing',
  },
  {
    provider: 'azure',
    models: /^o4-mini$/,
    winner: 'first',
    why: 'Azure’s page rounds 0.275 to 0.28, as the first source has it',
  },
]

export interface Difference {
  readonly provider: string
  readonly model: string
  readonly unit: string
  readonly first: string
  readonly list: string
  /**
   * The decision of a rule; undefined if there is no rule. The price of the first source then stays, and a person
   * should check it.
   */
  readonly decision: Decision | undefined
}

export interface Weighed {
  readonly models: Model[]
  readonly added: number
  readonly agreeing: number
  readonly differences: Difference[]
}

/**
 * Adds the models and units of a list to the models of the first source. `resold` are the models of the providers
 * whose prices this provider uses. A listed model with the same cost as a resold one is left out, so that it follows
 * the price history of that provider.
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
  let added = 0
  let agreeing = 0
  for (const listedModel of listed) {
    const index = exact.get(listedModel.id.toLowerCase())
    const known = models[index ?? -1]
    if (index === undefined || known === undefined) {
      if (coveredAtSamePrice([...models, ...resold], listedModel, listDate)) continue
      added += 1
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
  return { models, added, agreeing, differences }
}

function decisionFor(provider: string, model: string): Decision | undefined {
  return DECISIONS.find(
    (one) => one.provider === provider && (one.models === undefined || one.models.test(model)),
  )
}

/** Reports whether a name that the first source does not list gets the same price there by a rule. */
function coveredAtSamePrice(models: readonly Model[], listed: Model, day: string): boolean {
  const name = listed.id.toLowerCase()
  const known = models.find((model) => matches(readMatch(['=', ...model.match].join(' '), model.id), name))
  const prices = listed.periods[0]?.prices ?? new Map<string, string>()
  return known !== undefined && disagreements(known, prices, day).length === 0
}

/**
 * Returns the unconditional prices on a day. They are the prices of the last period that has begun by then and has no
 * other condition.
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
 * Reports whether two base prices are equal. Other parts are not compared, because sources write thresholds in
 * several ways, and only the first source marks inclusive thresholds.
 */
function samePrice(a: string, b: string): boolean {
  const [first, second] = [a, b].map((price) => Number(price.split(',', 1)[0]))
  return first === second
}

/**
 * Adds units that the first source never had, and new prices that a rule took from the list. They apply from the day
 * of the list on.
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
  // Periods of hours or of later days stay after the new period, so they still apply.
  const later = model.periods.findIndex(
    ({ when }) => when !== undefined && (when > listDate || !/^\d{4}-\d\d-\d\d$/.test(when)),
  )
  const at = later === -1 ? model.periods.length : later
  const period = { when: listDate, prices: new Map([...ours, ...news]) }
  return { ...model, periods: model.periods.toSpliced(at, 0, period) }
}

/**
 * Returns messages about rules that also match the exact name of another model with other prices. Such a rule would
 * also apply its prices to later names of that kind.
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
