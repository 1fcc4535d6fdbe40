import type { HoldSize } from '../ledger/model/messages/holds.ts'
import { invalid, type Refusal } from '../ledger/model/refusal.ts'
import type { PricedEvent } from '../ledger/model/vocabulary.ts'
import { findProvider, nearestProviders, type ProviderRef } from '../pricing/catalogue/catalogue.ts'
import { providerName } from '../pricing/catalogue/provider-name.ts'
import type { CostResult } from '../pricing/cost/cost.ts'
import { costFrom, type PriceBook } from '../pricing/cost/price-book.ts'
import { MAX_USD, picoUsd, usdToParts } from '../pricing/money.ts'
import { checkUsage, type Usage } from '../pricing/usage.ts'
import type { OpenHoldInput } from './schema.ts'

export type SizeResult =
  | { readonly kind: 'sized'; readonly size: HoldSize }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const MILLION = 1_000_000

/**
 * Computes the amount that a hold reserves. For a model, this is the maximum cost of the expected usage. It includes
 * the output of `max_output_tokens`, if present. It includes the input at the highest possible price, because cache
 * reads and writes are unknown before the call. The token totals determine the context tier of the price. Refuses an
 * unknown provider, a model without a price, and usage that is invalid or too expensive.
 */
export function sizeHold(input: OpenHoldInput, at_ms: number, book: PriceBook): SizeResult {
  if (input.credits !== undefined) {
    return { kind: 'sized', size: { kind: 'credits', credits: input.credits } }
  }
  const { provider: name = '', model = '' } = input
  const provider = findProvider(name)
  if (!provider) return refused({ code: 'unknown_provider', provider: name, nearest: nearestProviders(name) })
  const { custom: _, ...units } = input.usage ?? {}
  const expected = checkUsage({ ...units, ...outputOf(input) })
  if (expected.problems.length > 0) {
    return refused(
      invalid(expected.problems.map(({ unit, message }) => ({ path: `/usage/${unit}`, message }))),
    )
  }
  const price = (usage: Usage): CostResult =>
    costFrom(book, { provider, model, usage, at_ms, service_tier: input.service_tier, region: input.region })
  const worst = mostExpensive(worstCases(expected.usage).map((usage) => ({ usage, result: price(usage) })))
  if (!worst) {
    const plain = price(expected.usage)
    const nearest = plain.kind === 'unpriced' ? plain.nearest : []
    return refused({ code: 'unpriced_model', provider: provider.name, model, nearest })
  }
  if (worst.result.cost > MAX_USD) {
    return refused(invalid([{ path: '/usage', message: 'must not cost more than 8000000000 USD' }]))
  }
  const more = { ...worst.usage, output_tokens: (worst.usage.output_tokens ?? 0) + MILLION }
  const output = price(more)
  const million = output.kind === 'priced' ? output.cost - worst.result.cost : 0n
  const event = (usage: Usage, cost: bigint, price_version: string): PricedEvent =>
    eventOf(input, provider, model, usage, cost, price_version, at_ms)
  const { price_version } = worst.result
  return {
    kind: 'sized',
    size: {
      kind: 'event',
      event: event(worst.usage, worst.result.cost, price_version),
      // If a million output tokens cost more than `MAX_USD`, no wallet can pay for them. The response then has no
      // `max_output_tokens`.
      ...(million <= MAX_USD && {
        million_output_tokens: event({ output_tokens: MILLION }, million, price_version),
      }),
    },
  }
}

/** Returns the expected output as usage; empty if the input has no `max_output_tokens`. */
function outputOf({ max_output_tokens }: OpenHoldInput): Usage {
  return max_output_tokens === undefined ? {} : { output_tokens: max_output_tokens }
}

/**
 * Returns the expected usage, and variants of it in which all text input is written to the cache. The variants differ
 * in the time to live of the cache.
 */
function worstCases(usage: Usage): Usage[] {
  const { input_tokens = 0, input_audio_tokens = 0, input_image_tokens = 0, input_video_tokens = 0 } = usage
  const written = Math.max(0, input_tokens - input_audio_tokens - input_image_tokens - input_video_tokens)
  if (written === 0) return [usage]
  const { cache_read_tokens: _read, cache_text_read_tokens: _text, ...fresh } = usage
  const cached = { ...fresh, cache_write_tokens: written }
  return [
    usage,
    { ...cached, cache_write_5m_tokens: written },
    { ...cached, cache_write_5m_tokens: 0, cache_write_1h_tokens: written },
  ]
}

interface Case {
  readonly usage: Usage
  readonly result: CostResult
}

function mostExpensive(
  cases: readonly Case[],
): { usage: Usage; result: CostResult & { kind: 'priced' } } | undefined {
  let worst: { usage: Usage; result: CostResult & { kind: 'priced' } } | undefined
  for (const { usage, result } of cases) {
    if (result.kind !== 'priced') continue
    if (!worst || result.cost > worst.result.cost) worst = { usage, result }
  }
  return worst
}

function eventOf(
  input: OpenHoldInput,
  provider: ProviderRef,
  model: string,
  usage: Usage,
  cost: bigint,
  price_version: string,
  timestamp_ms: number,
): PricedEvent {
  return {
    event_type: 'TOKEN_USAGE',
    feature_id: input.feature_id,
    ...(input.user_id !== undefined && { user_id: input.user_id }),
    ...(input.team_id !== undefined && { team_id: input.team_id }),
    provider: providerName(provider),
    model,
    usage,
    timestamp_ms,
    charge: { kind: 'priced', cost: usdToParts(picoUsd(cost)), price_version },
  }
}

function refused(refusal: Refusal): SizeResult {
  return { kind: 'refused', refusal }
}
