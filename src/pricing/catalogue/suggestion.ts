import { type CostRequest, providerCost } from '../cost/cost.ts'
import { formatUsd, type PicoUsd } from '../money.ts'
import type { Usage, UsageUnit } from '../usage.ts'
import { allModels, findModel, isStandardTier, type ModelRef } from './catalogue.ts'
import { comparableModel, modelLine } from './model-line.ts'
import { modifierNames } from './prices.ts'

/**
 * A cheaper alternative to a request, computed only from the catalogue. Price lists have no data about quality, so
 * every suggestion states its assumptions. A cheaper option for the same model takes precedence over another model.
 */
export interface Suggestion {
  readonly kind: 'batch' | 'flex' | 'cache' | 'model'
  readonly suggested_model: string
  readonly suggested_service_tier?: string
  /** The savings as a percentage of the provider cost, rounded down to a whole number. */
  readonly savings_percent: number
  readonly provider_cost_usd: string
  readonly assumptions: readonly string[]
}

export type SuggestionResult =
  | {
      readonly kind: 'suggestion'
      readonly best: Suggestion
      /**
       * The other suggestions. If the best suggestion is for the same model, suggestions of other models are computed
       * only when this property is read, because `calculate` never reads it.
       */
      readonly others: readonly Suggestion[]
    }
  | { readonly kind: 'none'; readonly reason: string }

/** The minimum savings of a suggestion, as a percentage of the provider cost. */
const LEAST_SAVING_PERCENT = 5

export function suggestSaving(request: CostRequest): SuggestionResult {
  const model = findModel(request.provider, request.model)
  const now = providerCost(request)
  if (model === undefined || now.kind !== 'priced') return none('the model has no price in the catalogue')
  if (now.cost === 0n) return none('the request costs nothing')
  const other_models = () => modelSuggestions(request, model, now.cost).filter(isWorthwhile)
  const [best, ...others] = [
    ...tierSuggestions(request, now.cost),
    ...cacheSuggestion(request, now.cost),
  ].filter(isWorthwhile)
  if (best !== undefined) {
    return {
      kind: 'suggestion',
      best,
      get others() {
        return [...others, ...other_models()]
      },
    }
  }
  const [model_instead, ...further] = other_models()
  return model_instead === undefined
    ? none('the catalogue has no cheaper alternative to this request')
    : { kind: 'suggestion', best: model_instead, others: further }
}

function isWorthwhile({ savings_percent }: Suggestion): boolean {
  return savings_percent >= LEAST_SAVING_PERCENT
}

function none(reason: string): SuggestionResult {
  return { kind: 'none', reason }
}

const TIERS = {
  batch: ['the result may take up to a day', 'the request goes through the batch API'],
  flex: ['the result may take longer or need a retry', 'the request uses the flex service tier'],
} as const

/**
 * Suggests cheaper service tiers for a request in the standard tier. Suggests nothing if the request names another
 * tier, because the caller probably needs this tier.
 */
function tierSuggestions(request: CostRequest, now: PicoUsd): Suggestion[] {
  if (request.service_tier !== undefined && !isStandardTier(request.service_tier)) return []
  const known = modifierNames(request.provider, request.model, request.at_ms)
  return (['batch', 'flex'] as const).flatMap((tier) => {
    if (!known.includes(tier)) return []
    const suggestion = priced({ ...request, service_tier: tier }, now, tier, TIERS[tier])
    return suggestion === undefined ? [] : [{ ...suggestion, suggested_service_tier: tier }]
  })
}

/** The approximate minimum number of input tokens that providers cache. */
const LEAST_CACHED_TOKENS = 1024

function cacheSuggestion(request: CostRequest, now: PicoUsd): Suggestion[] {
  const { input_tokens = 0, cache_read_tokens = 0, cache_write_tokens = 0 } = request.usage
  const repeated = Math.floor(input_tokens / 2)
  if (repeated < LEAST_CACHED_TOKENS || cache_read_tokens > 0 || cache_write_tokens > 0) return []
  const usage: Usage = { ...request.usage, cache_read_tokens: repeated }
  const suggestion = priced({ ...request, usage }, now, 'cache', [
    'half of the input repeats the beginning of an earlier request and is read from the cache',
    'the cost of writing to the cache in the first request is not included',
  ])
  return suggestion === undefined ? [] : [suggestion]
}

/** A model that could replace the model of the request. */
interface Candidate {
  readonly model: ModelRef
  /** True if both models have the same size, for example `mini`. */
  readonly same_size: boolean
}

/**
 * A cache of the candidates by model. It has at most one item per model of the catalogue. Without the cache, comparing
 * the names of a provider's models would take 250 us, compared with 30 us for the whole request.
 */
const candidates = new WeakMap<ModelRef, readonly Candidate[]>()

/**
 * Returns the models of the same provider that are comparable to the given model (`comparableModel`), regardless of
 * their price.
 */
function candidatesFor(model: ModelRef): readonly Candidate[] {
  const known = candidates.get(model)
  if (known !== undefined) return known
  const own = modelLine(model.id)
  const found = allModels(model.provider).flatMap((other): Candidate[] => {
    const line = modelLine(other.id)
    return other.id !== model.id && comparableModel(own, line)
      ? [{ model: other, same_size: line.size === own.size }]
      : []
  })
  candidates.set(model, found)
  return found
}

const OTHER_MODEL = [
  'the suggested model is good enough for this use; prices do not show quality',
  'the suggested model uses the same number of tokens for the request',
]

/**
 * Suggests the comparable model of the same size and the comparable model of another size that have the highest
 * `savings_percent`.
 */
function modelSuggestions(request: CostRequest, model: ModelRef, now: PicoUsd): Suggestion[] {
  let same: Suggestion | undefined
  let other: Suggestion | undefined
  for (const candidate of candidatesFor(model)) {
    if (!fits(request, candidate.model)) continue
    const suggestion = priced({ ...request, model: candidate.model.id }, now, 'model', OTHER_MODEL)
    if (suggestion === undefined) continue
    if (candidate.same_size) same = better(same, suggestion)
    else other = better(other, suggestion)
  }
  return [same, other].filter((suggestion) => suggestion !== undefined)
}

function better(best: Suggestion | undefined, other: Suggestion): Suggestion {
  if (best === undefined || other.savings_percent > best.savings_percent) return other
  const first = other.savings_percent === best.savings_percent && other.suggested_model < best.suggested_model
  return first ? other : best
}

const SPECIFIC: readonly UsageUnit[] = [
  'input_audio_tokens',
  'input_image_tokens',
  'input_video_tokens',
  'output_audio_tokens',
  'output_image_tokens',
  'output_video_tokens',
  'output_images',
  'video_seconds',
  'audio_seconds',
  'input_characters',
  'web_searches',
]

/**
 * Returns whether a model can replace the model of the request. The model must not be deprecated, and the request must
 * fit into its context window. If the request uses output tokens or units of `SPECIFIC`, the model must have prices for
 * them.
 */
function fits(request: CostRequest, other: ModelRef): boolean {
  const { usage, at_ms } = request
  const needed = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0)
  if (other.deprecated || other.context_window === undefined || other.context_window < needed) return false
  const { prices } = other.pricesAt(at_ms)
  if (usage.output_tokens !== undefined && !prices.has('output_tokens')) return false
  return SPECIFIC.every((unit) => (usage[unit] ?? 0) === 0 || prices.has(unit))
}

function priced(
  request: CostRequest,
  now: PicoUsd,
  kind: Suggestion['kind'],
  assumptions: readonly string[],
): Suggestion | undefined {
  const result = providerCost(request)
  if (result.kind !== 'priced' || result.cost >= now || result.cost === 0n) return undefined
  return {
    kind,
    suggested_model: request.model,
    savings_percent: Number(((now - result.cost) * 100n) / now),
    provider_cost_usd: formatUsd(result.cost),
    assumptions,
  }
}
