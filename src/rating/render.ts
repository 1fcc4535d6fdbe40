import { creditsExact, exactNumber, usdJson } from '../http/json.ts'
import { detailOf } from '../ledger/refusal.ts'
import { marginOf } from '../pricing/burn-table.ts'
import { formatDecimal, type PicoUsd, picoUsd } from '../pricing/money.ts'
import type { BulkResult } from './bulk.ts'
import type { Calculation } from './calculate.ts'
import { quantityJson, usageJson } from './usage-json.ts'

export function renderCalculation({ usage, cost, quote, warnings: about }: Calculation): object {
  const price = picoUsd(BigInt(quote.price_pico))
  const warnings = [...about, ...quote.warnings]
  return {
    provider_cost_usd: usdJson(cost.cost),
    credits: creditsExact(BigInt(quote.credits_micro)),
    customer_price_usd: usdJson(price),
    margin_percent: marginJson(price, cost.cost),
    optimization: null,
    usage: usageJson(usage),
    breakdown: cost.breakdown.map((line) => ({
      unit: line.unit,
      quantity: quantityJson(line.quantity),
      price_usd: exactNumber(line.price_usd),
      cost_usd: exactNumber(line.cost_usd),
    })),
    pricing_source: quote.pricing_source,
    burn_table_version: quote.burn_table_version,
    price_version: cost.price_version,
    ...(warnings.length > 0 && { warnings }),
  }
}

/** The sums are of what was calculated; each is exact, since nothing in it is rounded again. */
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
      provider_cost_usd: usdJson(picoUsd(cost)),
      credits: creditsExact(credits),
      customer_price_usd: usdJson(picoUsd(price)),
    },
  }
}

/** Of the price; null when that is 0. */
export function marginJson(price: PicoUsd, cost: PicoUsd): object | number | null {
  const margin = marginOf(price, cost)
  return margin === null ? null : exactNumber(formatDecimal(margin, 4))
}
