import type { AuthenticatedKey } from '../../api-keys/record.ts'
import type { Refusal } from '../../ledger/model/refusal.ts'
import type { PricedEvent } from '../../ledger/model/vocabulary.ts'
import { findModel, findProvider } from '../../pricing/catalogue/catalogue.ts'
import type { PriceBook } from '../../pricing/cost/price-book.ts'
import type { UsagePart } from '../../pricing/extract/iterations.ts'
import { DEFAULT_IMAGE_MODEL, searchesAlways } from '../../pricing/extract/tools.ts'
import type { Usage } from '../../pricing/usage.ts'
import { type EventInput, type PriceResult, priceEvent } from '../../rating/event.ts'
import type { MeteredApi, MeteredEndpoint } from '../dialect.ts'
import { modelOf } from '../stream/reading.ts'
import { type CallRequest, withAssumedModel } from './call-request.ts'
import type { InputEstimate } from './estimate.ts'
import type { MeterHeaders } from './headers.ts'
import { maxOutputAt } from './limits.ts'

/**
 * The data that is needed to price a call: the customer's prices, the user and the team, the provider, the endpoint and
 * the request.
 */
export interface Pricing {
  readonly key: AuthenticatedKey
  readonly book: PriceBook
  readonly meter: MeterHeaders
  readonly provider: string
  readonly endpoint: MeteredEndpoint
  readonly call: CallRequest
  /** The model that the response names; absent if it names none, and before the response. */
  readonly named?: string | undefined
  /** Whether no price and no rule of the burn table applies to the requested model; absent before the response. */
  readonly unrated?: boolean
}

export type CallPrices =
  | { readonly kind: 'priced'; readonly most: PricedEvent; readonly least?: PricedEvent }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * The assumed number of output tokens of a call without an output limit. If the context window of the model has fewer
 * tokens left, the smaller number is assumed. The catalogue does not contain the output limits of models.
 */
const MODEL_OUTPUT_TOKENS = 32_768

/**
 * Returns the price of the largest expected usage of a call. If a smaller hold is sufficient for the call, also returns
 * the price of the smallest usage.
 */
export function pricesOfCall(pricing: Pricing, input: InputEstimate, cached: Cached): CallPrices {
  const { call, meter, provider } = pricing
  const speech = call.spoken === undefined ? undefined : priceSpeech(pricing)
  if (speech) return { kind: 'priced', most: speech.event }
  const max_output = maxOutputAt(provider, call)
  const room = max_output ?? modelOutput(provider, call.model, input.held)
  const largest = pricedWithTools(
    pricing,
    call.tool_usage,
    usageOf(pricing, input.held, room * call.answers, cached),
  )
  if (largest.kind === 'refused') return largest
  const most = largest.event
  // A known number of output tokens needs a hold for all of them, unless the header `X-Meter-Clip` allows a smaller hold
  // and the API has a limit that can be lowered.
  const can_clip = meter.clip && call.limits.length > 0
  if (max_output !== undefined && !can_clip) return { kind: 'priced', most }
  const smallest = pricedWithTools(
    pricing,
    call.tool_usage,
    usageOf(pricing, input.held, Math.min(room, 1) * call.answers, cached),
  )
  return smallest.kind === 'refused' ? smallest : { kind: 'priced', most, least: smallest.event }
}

/**
 * The lifetime of the cache write that the body requests. The whole input is priced as a cache write, which costs more
 * than a cache read.
 */
export type Cached = 'none' | '5m' | '1h'

function usageOf(pricing: Pricing, input_tokens: number, output_tokens: number, cached: Cached): Usage {
  const { beside, modality, searches } = pricing.call
  return {
    ...searchesOf(pricing),
    ...searches,
    ...beside,
    ...(input_tokens > 0 && { input_tokens }),
    ...(output_tokens > 0 && { output_tokens }),
    ...(modality && output_tokens > 0 && { [`output_${modality}_tokens`]: output_tokens }),
    ...(cached !== 'none' && { cache_write_tokens: input_tokens }),
    ...(cached === '1h' && { cache_write_1h_tokens: input_tokens }),
  }
}

/** Returns the search of a model that searches the web for every chat completion; empty for other models. */
export function searchesOf({ provider, endpoint, call }: Pricing): Usage {
  return endpoint.api === 'chat' && searchesAlways(findProvider(provider), call.model)
    ? { web_searches: 1 }
    : {}
}

/**
 * Prices an estimated usage and the estimated usage of tools. If the model of a tool has no price, uses the price of
 * the default image model, which is the most expensive one. If the provider has no price for this model either, prices
 * only the usage of the call's own model.
 */
function pricedWithTools(
  pricing: Pricing,
  tools: readonly UsagePart[],
  usage: Usage,
  model = pricing.call.model,
): PriceResult {
  if (tools.length === 0) return priced(pricing, usage, { model })
  const defaults = tools.map((part) => ({ ...part, model: DEFAULT_IMAGE_MODEL }))
  for (const parts of [tools, defaults]) {
    const result = priced(pricing, usage, { model }, parts)
    if (result.kind === 'refused' || result.event.charge.kind !== 'unpriced') return result
  }
  return priced(pricing, usage, { model })
}

/** The number of tokens and the number of characters per second of speech. */
const SPEECH = { tokens_a_second: 20, characters_a_second: 12 }

/**
 * Prices speech from the text, because a response that contains only audio reports no usage. If the model has a price
 * for characters, the result is exact. Otherwise, the number of tokens is estimated.
 */
export function priceSpeech(
  pricing: Pricing,
): { readonly event: PricedEvent; readonly exact: boolean } | undefined {
  const characters = charactersIn(pricing.call.spoken ?? '')
  const by_character = priceEstimated(pricing, { input_characters: characters })
  if (by_character?.charge.kind === 'priced' && !by_character.warnings)
    return { event: by_character, exact: true }
  const output_tokens = Math.ceil((characters / SPEECH.characters_a_second) * SPEECH.tokens_a_second)
  const event = priceEstimated(pricing, { input_tokens: Math.ceil(characters / 4), output_tokens })
  return event && { event, exact: false }
}

/** Counts the characters of a text without a copy of them: a text of 16 MB would take all memory of an isolate. */
function charactersIn(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; count++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return count
}

/** The usual number of bytes per second of audio. A hold never covers less than the duration at this rate. */
const USUAL_BYTES_A_SECOND = 16_000
const TRANSCRIPTION = { input_tokens_a_second: 10, output_tokens_a_second: 4 }

/** Prices an audio upload by its size, because its duration is unknown until it was relayed. */
export function pricesOfTranscription(asked: Pricing): CallPrices {
  const pricing = { ...asked, call: withAssumedModel(asked.call, asked.provider) }
  const { model, upload } = pricing.call
  const { most_audio_bytes: bytes, lowest_rate: rate } = upload ?? { most_audio_bytes: 0, lowest_rate: 1 }
  const most = priceSeconds(pricing, bytes / rate)
  const least = priceSeconds(pricing, bytes / Math.max(rate, USUAL_BYTES_A_SECOND))
  if (most && least) return { kind: 'priced', least, most }
  return {
    kind: 'refused',
    refusal: { code: 'unpriced_model', provider: pricing.provider, model, nearest: [] },
  }
}

/**
 * Prices a transcription by its duration in seconds, rounded up, or by its estimated tokens if the model has no price
 * for seconds.
 */
export function priceSeconds(pricing: Pricing, duration: number): PricedEvent | undefined {
  // The measured duration is a sum of frames. A deviation of less than a millisecond does not add a second.
  const seconds = Math.max(1, Math.ceil(Number(duration.toFixed(3))))
  const by_second = priceEstimated(pricing, { audio_seconds: seconds })
  if (by_second?.charge.kind === 'priced' && !by_second.warnings) return by_second
  const input_tokens = seconds * TRANSCRIPTION.input_tokens_a_second
  return priceEstimated(pricing, {
    input_tokens,
    input_audio_tokens: input_tokens,
    output_tokens: seconds * TRANSCRIPTION.output_tokens_a_second,
  })
}

/**
 * Prices a transcription whose reported unit has no price: reported seconds by their tokens, and reported tokens by
 * their seconds. Returns undefined if the model has no price for these either.
 */
export function priceOtherUnit(pricing: Pricing, { usage = {} }: PricedEvent): PricedEvent | undefined {
  const tokens = usage.input_audio_tokens ?? usage.input_tokens ?? 0
  const event = priceSeconds(pricing, usage.audio_seconds ?? tokens / TRANSCRIPTION.input_tokens_a_second)
  return event?.charge.kind === 'priced' ? event : undefined
}

function modelOutput(provider: string, model: string, input_tokens: number): number {
  const found = findProvider(provider)
  const window = found && findModel(found, model)?.context_window
  if (window === undefined) return MODEL_OUTPUT_TOKENS
  return Math.max(1, Math.min(MODEL_OUTPUT_TOKENS, window - input_tokens))
}

/** The `provider_api` of an event, by the API of the endpoint. It selects the usage reader. */
const PROVIDER_APIS: Partial<Readonly<Record<MeteredApi, string>>> = {
  chat: 'chat',
  responses: 'responses',
  messages: 'anthropic',
  generate: 'gemini',
}

/**
 * Prices the usage that a provider reported. Quantities in `usage` replace reported quantities of the same unit. If the
 * model in the response has no price, uses the price of the requested model.
 *
 * If both models have the same price, the event has the requested model, so that the rules of the burn table that
 * determined the hold also determine the charge. If both have no price and the requested model has no such rule, the
 * event has the reported model.
 */
export function priceReported(
  pricing: Pricing,
  reported: Readonly<Record<string, unknown>>,
  usage: Usage = {},
): PricedEvent | undefined {
  const provider_api = PROVIDER_APIS[pricing.endpoint.api]
  const response = { provider_response: reported, ...(provider_api !== undefined && { provider_api }) }
  const asked = pricing.call.model
  const as = (model: string) => priced(pricing, usage, { model, ...response })
  const event = pricedAs([modelOf(reported) ?? pricing.named ?? asked, asked], as)
  if (!event || event.model === asked || (event.charge.kind === 'unpriced' && pricing.unrated)) return event
  const own = as(asked)
  const isSame = own.kind === 'priced' && JSON.stringify(own.event.charge) === JSON.stringify(event.charge)
  return isSame ? own.event : event
}

/**
 * Prices an estimated usage, and the estimated usage of `tools`. If the requested model has no price, uses the price of
 * the model that the response names. Returns undefined if the event is refused, for example because it would cost too
 * much. An event without a price has a charge of the kind `unpriced`.
 */
export function priceEstimated(
  pricing: Pricing,
  usage: Usage,
  tools: readonly UsagePart[] = [],
): PricedEvent | undefined {
  const asked = pricing.call.model
  return pricedAs([asked, pricing.named ?? asked], (model) => pricedWithTools(pricing, tools, usage, model))
}

/** Returns the event of the first of two models, or of the other one if only that has a price. */
function pricedAs(
  [first, other]: readonly [string, string],
  price: (model: string) => PriceResult,
): PricedEvent | undefined {
  const as = (model: string) => {
    const result = price(model)
    return result.kind === 'priced' ? result.event : undefined
  }
  const event = as(first)
  if (event?.charge.kind !== 'unpriced' || other === first) return event
  const second = as(other)
  return second?.charge.kind === 'priced' ? second : event
}

function priced(
  { key, book, meter, provider, endpoint, call }: Pricing,
  usage: Usage,
  reported: Partial<EventInput> = {},
  tools?: readonly UsagePart[],
): PriceResult {
  const { user_id, team_id, feature_id, metadata } = meter
  const input: EventInput = {
    event_type: endpoint.event_type,
    feature_id,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    ...(metadata !== undefined && { metadata }),
    provider,
    model: call.model,
    ...(Object.keys(usage).length > 0 && { usage: { ...usage, custom: undefined } }),
    ...(call.image_size !== undefined && { image_size: call.image_size }),
    ...(call.quality !== undefined && { quality: call.quality }),
    // A response names the tier and the region that served the call.
    ...(reported.provider_response === undefined && {
      ...(call.service_tier !== undefined && { service_tier: call.service_tier }),
      ...(call.region !== undefined && { region: call.region }),
    }),
    ...reported,
  }
  return priceEvent(input, key.customer_id, Date.now(), book, tools)
}
