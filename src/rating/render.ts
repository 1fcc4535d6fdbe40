import {
  creditsExact,
  type ExactNumber,
  exactNumber,
  microUsdJson,
  quantityJson,
  usageJson,
  usdJson,
} from '../http/output/json.ts'
import { detailOf } from '../ledger/model/refusal.ts'
import { marginOf } from '../pricing/burn-table/table.ts'
import type { SuggestionResult } from '../pricing/catalogue/suggestion.ts'
import { formatDecimal, type PicoUsd, picoUsd, roundToMicro } from '../pricing/money.ts'
import type { BulkResult, Calculation } from './calculate.ts'
import { addSums, noSums, type Simulation, type SimulationSums } from './simulate.ts'

export function renderCalculation({
  usage,
  cost,
  quote,
  suggestion,
  explanation,
  warnings: about,
}: Calculation): object {
  const price = picoUsd(BigInt(quote.price_pico))
  const warnings = [...about, ...quote.warnings]
  return {
    provider_cost_usd: usdJson(cost.cost),
    credits: creditsExact(BigInt(quote.credits_micro)),
    customer_price_usd: usdJson(price),
    margin_percent: marginJson(price, cost.cost),
    ...renderSuggestion(suggestion),
    usage: usageJson(usage),
    breakdown: cost.breakdown().map((line) => ({
      unit: line.unit,
      ...(line.model !== undefined && { model: line.model }),
      quantity: quantityJson(line.quantity),
      price_usd: exactNumber(line.price_usd),
      cost_usd: exactNumber(line.cost_usd),
      ...(line.without_own_price && {
        without_own_price: line.without_own_price.map(({ unit, quantity }) => ({
          unit,
          quantity: quantityJson(quantity),
        })),
      }),
    })),
    pricing_source: quote.pricing_source,
    burn_table_version: quote.burn_table_version,
    price_version: cost.price_version,
    ...(explanation && { explanation }),
    ...(warnings.length > 0 && { warnings }),
  }
}

/** Renders the best suggestion as `optimization`, or the reason why there is none as `optimization_note`. */
function renderSuggestion(result: SuggestionResult): object {
  if (result.kind === 'none') return { optimization: null, optimization_note: result.reason }
  const { best } = result
  return { optimization: { ...best, provider_cost_usd: exactNumber(best.provider_cost_usd) } }
}

/** Renders the results of a bulk calculation. The totals exclude refused calculations. */
export function renderBulk(results: readonly BulkResult[]): object {
  let cost = 0n
  let credits = 0n
  let price = 0n
  for (const result of results) {
    if (result.kind === 'refused') continue
    cost += result.cost.cost
    credits += BigInt(result.quote.credits_micro)
    price += BigInt(result.quote.price_pico)
  }
  return {
    results: results.map((result, index) =>
      result.kind === 'refused'
        ? { index, error: { code: result.refusal.code, detail: detailOf(result.refusal) } }
        : { index, ...renderCalculation(result) },
    ),
    totals: {
      provider_cost_usd: usdSumJson(cost),
      credits: creditsExact(credits),
      customer_price_usd: usdSumJson(price),
    },
  }
}

/** Returns the margin as a percentage of the price, with at most 4 decimals; null if the price is 0. */
export function marginJson(price: PicoUsd, cost: PicoUsd): object | number | null {
  const margin = marginOf(price, cost)
  return margin === null ? null : exactNumber(formatDecimal(margin, 4))
}

/**
 * The maximum number of features, and the maximum number of models, that a simulation lists. It shows only the sum of
 * the others.
 */
const MAX_PARTS = 100

export function renderSimulation({ totals, unrated_events, by_feature, by_model }: Simulation): object {
  const features = mostExpensive([...by_feature].map(([feature_id, sums]) => ({ feature_id, sums })))
  const models = mostExpensive(by_model)
  return {
    ...renderSums(totals),
    unrated_events,
    by_feature: features.first.map(({ feature_id, sums }) => ({ feature_id, ...renderSums(sums) })),
    other_features: features.others && renderSums(features.others),
    by_model: models.first.map(({ provider, model, sums }) => ({
      provider: provider ?? null,
      model: model ?? null,
      ...renderSums(sums),
    })),
    other_models: models.others && renderSums(models.others),
  }
}

/**
 * Returns the features or models that burn the most simulated credits, highest first. `others` is the sum of the other
 * features or models; null if there are none.
 */
function mostExpensive<P extends { readonly sums: SimulationSums }>(
  parts: readonly P[],
): { readonly first: readonly P[]; readonly others: SimulationSums | null } {
  const sorted = parts.toSorted((a, b) => Number(b.sums.simulated_micro - a.sums.simulated_micro))
  const rest = sorted.slice(MAX_PARTS)
  if (rest.length === 0) return { first: sorted, others: null }
  const others = noSums()
  for (const { sums } of rest) addSums(others, sums)
  return { first: sorted.slice(0, MAX_PARTS), others }
}

function renderSums(sums: SimulationSums): object {
  const { events, recorded_micro, simulated_micro, cost } = sums
  const [recorded_price, price] = [roundToMicro(sums.recorded_price), roundToMicro(sums.price)]
  return {
    events,
    credits_recorded: creditsExact(recorded_micro),
    credits_simulated: creditsExact(simulated_micro),
    difference: creditsExact(simulated_micro - recorded_micro),
    provider_cost_usd: usdSumJson(cost),
    customer_price_recorded_usd: microUsdJson(recorded_price),
    customer_price_usd: microUsdJson(price),
    customer_price_difference_usd: microUsdJson(price - recorded_price),
    margin_percent: marginJson(picoUsd(sums.price), picoUsd(cost)),
  }
}

/** Renders a sum of pico-USD. All sums of USD are rounded half-even to 6 decimals. */
function usdSumJson(pico: bigint): ExactNumber {
  return microUsdJson(roundToMicro(pico))
}
