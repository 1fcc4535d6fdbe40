import { DAY_MS } from '../../time/durations.ts'
import { type CostResult, providerCost } from '../cost/cost.ts'
import type { PicoUsd } from '../money.ts'
import type { Usage } from '../usage.ts'
import { allModels, type ProviderRef } from './catalogue.ts'

/**
 * Returns a ceiling for the cost of a model without a price: the cost of the same usage at the prices of the provider's
 * most expensive model. This is the model with the highest cost of 1,000 input and 1,000 output tokens, except for
 * deprecated models. A burn table with `on_unpriced: ceiling` charges for this cost until the price is known. Returns
 * undefined if no model of the provider has a price for tokens, or if the most expensive model has no price for the
 * usage.
 */
export function ceilingCost(provider: ProviderRef, usage: Usage, at_ms: number): PicoUsd | undefined {
  const model = dearestModel(provider, at_ms)
  const result = model === undefined ? undefined : providerCost({ provider, model, usage, at_ms })
  return result?.kind === 'priced' ? result.cost : undefined
}

const REFERENCE: Usage = { input_tokens: 1000, output_tokens: 1000 }

/**
 * A cache of the id of the most expensive model, by provider and day. The search is slow, because a provider can have
 * about a thousand models. It is repeated every day, because prices can change at the start of a day.
 */
const dearest = new Map<string, string | undefined>()
const MAX_REMEMBERED = 1000

function dearestModel(provider: ProviderRef, at_ms: number): string | undefined {
  const key = `${provider.id} ${Math.floor(at_ms / DAY_MS)}`
  if (dearest.has(key)) return dearest.get(key)
  let model: string | undefined
  let highest = -1n
  for (const { id, deprecated } of allModels(provider)) {
    if (deprecated) continue
    const result: CostResult = providerCost({ provider, model: id, usage: REFERENCE, at_ms })
    if (result.kind !== 'priced' || result.cost <= highest) continue
    highest = result.cost
    model = id
  }
  if (dearest.size >= MAX_REMEMBERED) dearest.clear()
  dearest.set(key, model)
  return model
}
