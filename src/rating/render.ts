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
import type { Simulation, SimulationSums } from './simulate.ts'

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

/** Renders the best suggestion, or the reason why none applies. */
function renderSuggestion(result: SuggestionResult): object {
  if (result.kind === 'none') return { optimization: null, optimization_note: result.reason }
  const { best } = result
  return { optimization: { ...best, provider_cost_usd: exactNumber(best.provider_cost_usd) } }
}

/** Renders bulk results; totals exclude refused items. */
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

/** Returns the margin in percent of the price; null if the price is 0. */
export function marginJson(price: PicoUsd, cost: PicoUsd): object | number | null {
  const margin = marginOf(price, cost)
  return margin === null ? null : exactNumber(formatDecimal(margin, 4))
}

const MAX_FEATURES = 100

/** Renders features by simulated cost, the most expensive first. */
export function renderSimulation({ totals, unrated_events, by_feature }: Simulation): object {
  const features = [...by_feature].sort(([, a], [, b]) => (a.simulated_micro < b.simulated_micro ? 1 : -1))
  return {
    ...renderSums(totals),
    unrated_events,
    by_feature: features
      .slice(0, MAX_FEATURES)
      .map(([feature_id, sums]) => ({ feature_id, ...renderSums(sums) })),
  }
}

function renderSums({ events, recorded_micro, simulated_micro, cost, price }: SimulationSums): object {
  return {
    events,
    credits_recorded: creditsExact(recorded_micro),
    credits_simulated: creditsExact(simulated_micro),
    difference: creditsExact(simulated_micro - recorded_micro),
    provider_cost_usd: usdSumJson(cost),
    customer_price_usd: usdSumJson(price),
    margin_percent: marginJson(picoUsd(price), picoUsd(cost)),
  }
}

/** Renders a sum of USD, half-even to 6 decimals, like all sums. */
function usdSumJson(pico: bigint): ExactNumber {
  return microUsdJson(roundToMicro(pico))
}
