import type { AuthenticatedKey } from '../../api-keys/record.ts'
import type { Refusal } from '../../ledger/model/refusal.ts'
import type { PricedEvent } from '../../ledger/model/vocabulary.ts'
import { findModel, findProvider } from '../../pricing/catalogue/catalogue.ts'
import type { PriceBook } from '../../pricing/cost/price-book.ts'
import type { Usage } from '../../pricing/usage.ts'
import { type EventInput, priceEvent } from '../../rating/event.ts'
import type { MeteredApi, MeteredEndpoint } from '../dialect.ts'
import type { CallRequest } from './call-request.ts'
import type { InputEstimate } from './estimate.ts'
import type { MeterHeaders } from './headers.ts'

/** The data that prices the usage of a call: the customer's prices, the subjects, the endpoint and the request. */
export interface Pricing {
  readonly key: AuthenticatedKey
  readonly book: PriceBook
  readonly meter: MeterHeaders
  readonly provider: string
  readonly endpoint: MeteredEndpoint
  readonly call: CallRequest
}

export type CallPrices =
  | { readonly kind: 'priced'; readonly most: PricedEvent; readonly least?: PricedEvent }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * The assumed output of a call without a limit. It is smaller if the context window of the model has fewer tokens
 * left. The catalogue does not contain the output limits of models.
 */
const MODEL_OUTPUT_TOKENS = 32_768

/** Prices the largest expected usage of a call. Also prices the smallest usage if the hold may be smaller. */
export function pricesOfCall(pricing: Pricing, input: InputEstimate, cached: Cached): CallPrices {
  const { call, meter, provider } = pricing
  const speech = call.spoken === undefined ? undefined : priceSpeech(pricing)
  if (speech) return { kind: 'priced', most: speech.event }
  const room = call.max_output ?? modelOutput(provider, call.model, input.held)
  const largest = priced(pricing, usageOf(pricing, input.held, room * call.answers, cached))
  if (largest.kind === 'refused') return largest
  const most = largest.event
  // A limit set by the caller is held completely, unless the caller allows a smaller hold.
  if (call.max_output !== undefined && !meter.clip) return { kind: 'priced', most }
  const smallest = priced(pricing, usageOf(pricing, input.held, Math.min(room, 1), cached))
  return smallest.kind === 'refused' ? smallest : { kind: 'priced', most, least: smallest.event }
}

/** The cache write that the body requests, by its lifetime. A cache write costs more than a cache read. */
export type Cached = 'none' | '5m' | '1h'

function usageOf({ call }: Pricing, input_tokens: number, output_tokens: number, cached: Cached): Usage {
  const beside = { ...call.beside, ...(output_tokens === 1 && { output_image_tokens: undefined }) }
  return {
    ...withoutUndefined(beside),
    ...(input_tokens > 0 && { input_tokens }),
    ...(output_tokens > 0 && { output_tokens }),
    ...(call.modality && output_tokens > 0 && { [`output_${call.modality}_tokens`]: output_tokens }),
    ...(cached !== 'none' && { cache_write_tokens: input_tokens }),
    ...(cached === '1h' && { cache_write_1h_tokens: input_tokens }),
  }
}

function withoutUndefined(usage: Readonly<Record<string, number | undefined>>): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([, quantity]) => quantity !== undefined))
}

/** Tokens per second of speech, and spoken characters per second. */
const SPEECH = { tokens_a_second: 20, characters_a_second: 12 }

/**
 * Prices speech, because providers report no usage for it. The price of its characters is exact. If the model has no
 * price for characters, the tokens are estimated.
 */
export function priceSpeech(
  pricing: Pricing,
): { readonly event: PricedEvent; readonly exact: boolean } | undefined {
  const characters = [...(pricing.call.spoken ?? '')].length
  const by_character = priceEstimated(pricing, { input_characters: characters })
  if (by_character?.charge.kind === 'priced' && !by_character.warnings)
    return { event: by_character, exact: true }
  const output_tokens = Math.ceil((characters / SPEECH.characters_a_second) * SPEECH.tokens_a_second)
  const event = priceEstimated(pricing, { input_tokens: Math.ceil(characters / 4), output_tokens })
  return event && { event, exact: false }
}

/** Bytes per second of audio. The low number makes a hold large enough. The usual number is for an estimate. */
const AUDIO_BYTES_A_SECOND = { held: 2_000, likely: 16_000 }
const TRANSCRIPTION = { input_tokens_a_second: 10, output_tokens_a_second: 4 }

/** Prices an audio upload by its bytes, because its duration is unknown until the transcription. */
export function pricesOfTranscription(pricing: Pricing): CallPrices {
  const most = priceTranscription(pricing, AUDIO_BYTES_A_SECOND.held)
  const least = priceTranscription(pricing, AUDIO_BYTES_A_SECOND.likely)
  if (most && least) return { kind: 'priced', least, most }
  const { model } = pricing.call
  return {
    kind: 'refused',
    refusal: { code: 'unpriced_model', provider: pricing.provider, model, nearest: [] },
  }
}

/** Prices a transcription by its seconds, or by tokens if the model has no price for seconds. */
export function priceTranscription(
  pricing: Pricing,
  bytes_a_second = AUDIO_BYTES_A_SECOND.likely,
): PricedEvent | undefined {
  const seconds = Math.max(1, Math.ceil((pricing.call.audio_bytes ?? 0) / bytes_a_second))
  const by_second = priceEstimated(pricing, { audio_seconds: seconds })
  if (by_second?.charge.kind === 'priced' && !by_second.warnings) return by_second
  const input_tokens = seconds * TRANSCRIPTION.input_tokens_a_second
  return priceEstimated(pricing, {
    input_tokens,
    input_audio_tokens: input_tokens,
    output_tokens: seconds * TRANSCRIPTION.output_tokens_a_second,
  })
}

function modelOutput(provider: string, model: string, input_tokens: number): number {
  const found = findProvider(provider)
  const window = found && findModel(found, model)?.context_window
  if (window === undefined) return MODEL_OUTPUT_TOKENS
  return Math.max(1, Math.min(MODEL_OUTPUT_TOKENS, window - input_tokens))
}

/** The `provider_api` of an event, by endpoint. It selects the reader of the provider's usage. */
const PROVIDER_APIS: Partial<Readonly<Record<MeteredApi, string>>> = {
  chat: 'chat',
  responses: 'responses',
  messages: 'anthropic',
  generate: 'gemini',
}

/**
 * Prices the usage that a provider reported. The units in `usage` replace the reported units. If the provider names a
 * model without a price, the price of the requested model is used.
 */
export function priceReported(
  pricing: Pricing,
  reported: Readonly<Record<string, unknown>>,
  usage: Usage = {},
): PricedEvent | undefined {
  const provider_api = PROVIDER_APIS[pricing.endpoint.api]
  const as = (model: string) => {
    const response = { provider_response: reported, ...(provider_api !== undefined && { provider_api }) }
    const result = priced(pricing, usage, { model, ...response })
    return result.kind === 'priced' ? result.event : undefined
  }
  const asked = pricing.call.model
  const named = modelOf(reported) ?? asked
  const event = as(named)
  if (event?.charge.kind !== 'unpriced' || named === asked) return event
  const other = as(asked)
  return other?.charge.kind === 'priced' ? other : event
}

function modelOf(reported: Readonly<Record<string, unknown>>): string | undefined {
  const model = reported.model ?? reported.modelVersion
  return typeof model === 'string' && model !== '' && model.length <= 255 ? model : undefined
}

/**
 * Prices an estimate. Returns undefined if the estimate is refused. A call without a price was already refused at its
 * hold.
 */
export function priceEstimated(pricing: Pricing, usage: Usage): PricedEvent | undefined {
  const result = priced(pricing, usage)
  return result.kind === 'priced' ? result.event : undefined
}

function priced(
  { key, book, meter, provider, endpoint, call }: Pricing,
  usage: Usage,
  reported: Partial<EventInput> = {},
) {
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
    ...(call.service_tier !== undefined &&
      reported.provider_response === undefined && {
        service_tier: call.service_tier,
      }),
    ...reported,
  }
  return priceEvent(input, key.customer_id, Date.now(), book)
}
