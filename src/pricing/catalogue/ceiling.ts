import { DAY_MS } from '../../time/durations.ts'
import { type CostResult, providerCost } from '../cost/cost.ts'
import type { PicoUsd } from '../money.ts'
import type { Usage } from '../usage.ts'
import { allModels, type ProviderRef } from './catalogue.ts'

/**
 * Returns a ceiling for the cost of usage of an unpriced model: the cost at the provider's most expensive model. This
 * model has the highest cost of 1,000 input and 1,000 output tokens, and is not deprecated. Burn tables use the cost
 * to charge a ceiling and refund the difference. Returns undefined if the most expensive model has no price for the
 * usage.
 */
export function ceilingCost(provider: ProviderRef, usage: Usage, at_ms: number): PicoUsd | undefined {
  const model = dearestModel(provider, at_ms)
  const result = model === undefined ? undefined : providerCost({ provider, model, usage, at_ms })
  return result?.kind === 'priced' ? result.cost : undefined
}

const REFERENCE: Usage = { input_tokens: 1000, output_tokens: 1000 }

/**
 * A cache of the most expensive model by provider and day. Some providers have a thousand models, and prices change
 * by the day.
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
