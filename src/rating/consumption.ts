import { type FieldError, invalid, type Refusal } from '../ledger/model/refusal.ts'
import type { EventType, PriceModifiers } from '../ledger/model/vocabulary.ts'
import { findProvider, nearestProviders, type ProviderRef } from '../pricing/catalogue/catalogue.ts'
import type { CostPart } from '../pricing/cost/cost.ts'
import { coveredBy, type PriceBook } from '../pricing/cost/price-book.ts'
import { type Extracted, extractUsage } from '../pricing/extract/extract.ts'
import { mediaUsage } from '../pricing/extract/media.ts'
import type { ReadQuantity } from '../pricing/extract/rules.ts'
import { isUsageUnit, type Usage, type UsageUnit } from '../pricing/usage.ts'
import { responseNames } from './schema.ts'

/** The fields of `consumptionFields`, parsed by zod. */
export interface ConsumptionInput {
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly input_tokens?: number | undefined
  readonly output_tokens?: number | undefined
  readonly usage?: Readonly<Record<string, number | Readonly<Record<string, number>> | undefined>> | undefined
  readonly provider_response?: Readonly<Record<string, unknown>> | undefined
  readonly provider_api?: string | undefined
  readonly image_count?: number | undefined
  readonly image_size?: string | undefined
  readonly quality?: string | undefined
  readonly duration_seconds?: number | undefined
  readonly service_tier?: string | undefined
  readonly region?: string | undefined
}

/** The consumption, read from any input form. Its consistency is not checked yet. */
export interface Consumption {
  readonly provider: ProviderRef | undefined
  readonly model: string | undefined
  readonly usage: Usage
  readonly custom: Readonly<Record<string, number>> | undefined
  readonly modifiers: PriceModifiers | undefined
  /** The calls of a response that reports several; `usage` is the sum of their usage. */
  readonly parts: readonly CostPart[] | undefined
  /** True if a response was read. A response without usage costs nothing. */
  readonly reported: boolean
  /** The quantities that were read, each with its path in the response. */
  readonly read: readonly ReadQuantity[]
  /** The cost in USD that a gateway reports for the call. */
  readonly reported_cost_usd: string | undefined
  readonly warnings: readonly string[]
}

export type ConsumptionResult =
  | { readonly kind: 'read'; readonly consumption: Consumption }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** The context that determines the units of the short fields of an input. */
export interface ConsumptionContext {
  readonly event_type?: EventType
  /** The time of consumption. */
  readonly at_ms: number
  /**
   * The prices of the customer and the operator. They may have a price for seconds of audio where the catalogue has a
   * price for seconds of video, or the opposite.
   */
  readonly book: PriceBook
}

/**
 * Combines the short fields, canonical usage and a provider's raw response. Explicit fields take precedence over the
 * response. Two explicit fields with different values of one unit are rejected, because one of them is wrong.
 */
export function readConsumption(input: ConsumptionInput, context: ConsumptionContext): ConsumptionResult {
  const provider = input.provider === undefined ? undefined : findProvider(input.provider)
  if (input.provider !== undefined && !provider) {
    return refused({
      code: 'unknown_provider',
      provider: input.provider,
      nearest: nearestProviders(input.provider),
    })
  }
  const extracted = extract(input, provider)
  if (extracted.kind === 'refused') return extracted
  const model = input.model ?? extracted.model
  const explicit = explicitUsage(input, mediaOf(input, context, provider, model))
  if ('path' in explicit) return refused(invalid([explicit]))
  const custom = input.usage?.custom
  const modifiers = modifiersOf(input, extracted)
  // If explicit fields contain usage, the usage is priced as one call.
  const parts = Object.keys(explicit.usage).length > 0 ? undefined : extracted.parts
  return {
    kind: 'read',
    consumption: {
      provider,
      model,
      usage: extracted === NOT_REPORTED ? explicit.usage : { ...extracted.usage, ...explicit.usage },
      custom: typeof custom === 'object' ? custom : undefined,
      modifiers,
      parts,
      reported: input.provider_response !== undefined,
      read: extracted.read,
      reported_cost_usd: extracted.reported_cost_usd,
      warnings: extracted.warnings,
    },
  }
}

type ExtractedUsage = Omit<Extracted, 'warnings'> & { readonly warnings: readonly string[] }
type ExtractedInput = ExtractedUsage | { readonly kind: 'refused'; readonly refusal: Refusal }

/** The usage of an input without a provider's response. */
const NOT_REPORTED: ExtractedUsage = { kind: 'extracted', usage: {}, read: [], warnings: [] }

function extract(input: ConsumptionInput, provider: ProviderRef | undefined): ExtractedInput {
  if (input.provider_response === undefined) {
    if (input.provider_api === undefined) return NOT_REPORTED
    return refused(invalid([{ path: '/provider_api', message: 'requires provider_response' }]))
  }
  if (!provider) return refused(invalid([{ path: '/provider', message: 'required with provider_response' }]))
  const result = extractUsage(provider, input.provider_api, input.provider_response, input.model)
  if (result.kind === 'error') {
    return refused(invalid([{ path: `/${result.field}`, message: result.message }]))
  }
  const model = result.model === '' ? undefined : result.model
  const names = responseNames.safeParse({ ...result, model: input.model ?? model })
  if (!names.success) {
    return refused(
      invalid(
        names.error.issues.map(({ path, message }) => ({
          path: '/provider_response',
          message: `its ${path.join('.')} ${message}`,
        })),
      ),
    )
  }
  const { model: _, ...others } = result
  return { ...others, ...(model !== undefined && { model }), warnings: result.warnings ?? [] }
}

/**
 * Returns the media usage in canonical units. If the event type does not determine the unit of seconds, the prices of
 * the model determine it.
 */
function mediaOf(
  { image_count, duration_seconds }: ConsumptionInput,
  { event_type, at_ms, book }: ConsumptionContext,
  provider: ProviderRef | undefined,
  model: string | undefined,
): Usage {
  const fields = { event_type, image_count, duration_seconds }
  if (duration_seconds === undefined || !provider || model === undefined) return mediaUsage(fields)
  return mediaUsage(fields, coveredBy(book, { provider, model, at_ms }))
}

/** The short fields whose names differ from their units, by unit. */
const SHORT_FORMS: Readonly<Record<string, string>> = {
  output_images: 'image_count',
  video_seconds: 'duration_seconds',
  audio_seconds: 'duration_seconds',
}

/** Returns the usage in the caller's explicit fields, canonical and short. */
function explicitUsage(input: ConsumptionInput, media: Usage): { usage: Usage } | FieldError {
  const usage: Record<string, number> = {}
  if (input.usage) {
    for (const unit in input.usage) {
      const quantity = input.usage[unit]
      if (isUsageUnit(unit) && typeof quantity === 'number') usage[unit] = quantity
    }
  }
  let conflict =
    add(usage, 'input_tokens', input.input_tokens) ?? add(usage, 'output_tokens', input.output_tokens)
  for (const unit in media) if (isUsageUnit(unit)) conflict ??= add(usage, unit, media[unit])
  return conflict ?? { usage }
}

function add(
  usage: Record<string, number>,
  unit: UsageUnit,
  quantity: number | undefined,
): FieldError | undefined {
  if (quantity === undefined) return undefined
  const known = usage[unit]
  if (known !== undefined && known !== quantity) {
    return { path: `/${SHORT_FORMS[unit] ?? unit}`, message: `is ${quantity}, but usage.${unit} is ${known}` }
  }
  usage[unit] = quantity
  return undefined
}

function modifiersOf(
  input: ConsumptionInput,
  extracted: Pick<Extracted, keyof PriceModifiers>,
): PriceModifiers | undefined {
  const service_tier = input.service_tier ?? extracted.service_tier
  const region = input.region ?? extracted.region
  const image_size = input.image_size ?? extracted.image_size
  const image_quality = input.quality ?? extracted.image_quality
  const { search_context_size } = extracted
  const first = service_tier ?? region ?? image_size ?? image_quality ?? search_context_size
  if (first === undefined) return undefined
  return {
    ...(service_tier !== undefined && { service_tier }),
    ...(region !== undefined && { region }),
    ...(image_size !== undefined && { image_size }),
    ...(image_quality !== undefined && { image_quality }),
    ...(search_context_size !== undefined && { search_context_size }),
  }
}

function refused(refusal: Refusal): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal }
}
