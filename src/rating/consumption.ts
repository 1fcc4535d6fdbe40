import { type FieldError, invalid, type Refusal } from '../ledger/model/refusal.ts'
import type { EventType, PriceModifiers } from '../ledger/model/vocabulary.ts'
import { findProvider, nearestProviders, type ProviderRef } from '../pricing/catalogue/catalogue.ts'
import type { CostPart } from '../pricing/cost/cost.ts'
import { coveredBy, type PriceBook } from '../pricing/cost/price-book.ts'
import { type Extracted, extractUsage } from '../pricing/extract/extract.ts'
import { sumOf } from '../pricing/extract/iterations.ts'
import { mediaUsage } from '../pricing/extract/media.ts'
import type { ReadQuantity } from '../pricing/extract/rules.ts'
import { clampUsage, isUsageUnit, type Usage, type UsageUnit } from '../pricing/usage.ts'
import { responseNames } from './schema.ts'

/** The parsed fields of the schema `consumptionFields`. */
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

/** The consumption of a request, regardless of the form in which it was sent. The usage can still be inconsistent. */
export interface Consumption {
  readonly provider: ProviderRef | undefined
  readonly model: string | undefined
  readonly usage: Usage
  readonly custom: Readonly<Record<string, number>> | undefined
  readonly modifiers: PriceModifiers | undefined
  /**
   * The calls of a response that lists its calls, or whose tools called other models; undefined for other requests.
   * `usage` is the sum of their usage. Explicit fields that contain usage replace the calls of the response, except for
   * the calls of tools.
   */
  readonly parts: readonly CostPart[] | undefined
  /** True if the request contains a provider's response. The usage can then be empty. */
  readonly reported: boolean
  /** The quantities that were read, each with its path in the response. */
  readonly read: readonly ReadQuantity[]
  /** The cost in USD that the response reports for the call; undefined if it reports none. */
  readonly reported_cost_usd: string | undefined
  readonly warnings: readonly string[]
}

export type ConsumptionResult =
  | { readonly kind: 'read'; readonly consumption: Consumption }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** The values besides the input that determine the unit of `duration_seconds`. */
export interface ConsumptionContext {
  readonly event_type?: EventType
  /** The time of the consumption, in epoch milliseconds. */
  readonly at_ms: number
  /**
   * The prices of the customer and the operator. For the same model, they can have a price for seconds of audio
   * although the catalogue has a price for seconds of video, or the opposite.
   */
  readonly book: PriceBook
  /** The usage of other models that the provider's tools called, in addition to the usage of the request. */
  readonly tool_usage?: readonly CostPart[] | undefined
}

/**
 * Combines the short fields, the canonical usage and the provider's response of a request. Explicit fields take
 * precedence over the response. Returns a refusal if the provider is unknown, if a response is sent without a provider,
 * cannot be read or contains an invalid name, if `provider_api` is unknown or is sent without a response, or if two
 * explicit fields have different values for the same unit, because one of them must be wrong.
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
  // If explicit fields contain usage, they replace the calls of the response, and the whole usage is priced as one
  // call.
  const parts = Object.keys(explicit.usage).length > 0 ? undefined : extracted.parts
  const own = extracted === NOT_REPORTED ? explicit.usage : { ...extracted.usage, ...explicit.usage }
  return {
    kind: 'read',
    consumption: {
      provider,
      model,
      ...withTools(own, parts, extracted.tool_usage ?? context.tool_usage),
      custom: typeof custom === 'object' ? custom : undefined,
      modifiers,
      reported: input.provider_response !== undefined,
      read: extracted.read,
      reported_cost_usd: extracted.reported_cost_usd,
      warnings: extracted.warnings,
    },
  }
}

/** Adds the calls of tools to the usage and to the calls of a request. */
function withTools(
  usage: Usage,
  parts: readonly CostPart[] | undefined,
  tools: readonly CostPart[] = [],
): Pick<Consumption, 'usage' | 'parts'> {
  if (tools.length === 0) return { usage, parts }
  const own = parts ?? [{ usage: clampUsage(usage).usage }]
  return { usage: sumOf([{ usage }, ...tools]), parts: [...own, ...tools] }
}

type ExtractedUsage = Omit<Extracted, 'warnings'> & { readonly warnings: readonly string[] }
type ExtractedInput = ExtractedUsage | { readonly kind: 'refused'; readonly refusal: Refusal }

/** The result for a request without a provider's response. */
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
 * Returns the usage of `image_count` and `duration_seconds` in canonical units. If the event type does not determine
 * the unit of the duration, the prices of the model determine it.
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

/** The name of the short field for a unit, if it differs from the name of the unit. */
const SHORT_FORMS: Readonly<Record<string, string>> = {
  output_images: 'image_count',
  video_seconds: 'duration_seconds',
  audio_seconds: 'duration_seconds',
}

/**
 * Returns the usage in the explicit fields of the request: canonical usage, short fields, and `media`. Returns an error
 * if two fields contradict each other.
 */
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

/**
 * Returns a function that returns the source of a unit: a field of the request, paths in the provider's response, one
 * request, or the parts of the unit.
 */
export function readFrom(
  input: ConsumptionInput,
  { read, usage }: Pick<Consumption, 'read' | 'usage'>,
): (unit: UsageUnit) => string {
  const fields = new Map<string, string>()
  for (const { unit, path } of read) {
    const place = `provider_response.${path}`
    const known = fields.get(unit)
    fields.set(unit, known === undefined ? place : `${known} + ${place}`)
  }
  const media = input.image_count === undefined ? [] : [['output_images', 'image_count'] as const]
  const seconds = (['video_seconds', 'audio_seconds'] as const).flatMap((unit) =>
    input.duration_seconds !== undefined && usage[unit] === input.duration_seconds
      ? [[unit, 'duration_seconds'] as const]
      : [],
  )
  for (const [unit, field] of [...media, ...seconds]) fields.set(unit, field)
  if (input.input_tokens !== undefined) fields.set('input_tokens', 'input_tokens')
  if (input.output_tokens !== undefined) fields.set('output_tokens', 'output_tokens')
  for (const unit of Object.keys(input.usage ?? {})) if (isUsageUnit(unit)) fields.set(unit, `usage.${unit}`)
  return (unit) => fields.get(unit) ?? (unit === 'requests' ? 'one request' : 'the sum of its parts')
}

function refused(refusal: Refusal): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal }
}
