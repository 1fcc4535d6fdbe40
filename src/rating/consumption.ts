import type { PriceModifiers } from '../ledger/messages.ts'
import type { FieldError, Refusal } from '../ledger/refusal.ts'
import { findProvider, nearestProviders, type ProviderRef } from '../pricing/catalogue.ts'
import { extractUsage } from '../pricing/extract.ts'
import type { Usage } from '../pricing/usage.ts'
import { isUsageUnit } from '../pricing/usage.ts'

/** The fields of `consumptionFields`, as zod leaves them. */
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

/** What was consumed, whatever form it came in; not yet checked for consistency. */
export interface Consumption {
  readonly provider?: ProviderRef
  readonly model?: string
  readonly usage: Usage
  readonly custom?: Readonly<Record<string, number>>
  readonly modifiers?: PriceModifiers
  readonly warnings: readonly string[]
}

export type ConsumptionResult =
  | { readonly kind: 'read'; readonly consumption: Consumption }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** Which unit `duration_seconds` counts. */
export type DurationUnit = 'video_seconds' | 'audio_seconds'

/**
 * Brings the short form, canonical usage and a provider's raw response together. Explicit fields win over the
 * response; two explicit fields that say different things of one unit are refused, because one of them is wrong.
 */
export function readConsumption(input: ConsumptionInput, duration_unit: DurationUnit): ConsumptionResult {
  const provider = input.provider === undefined ? undefined : findProvider(input.provider)
  if (input.provider !== undefined && !provider) {
    return refused({
      code: 'unknown_provider',
      provider: input.provider,
      nearest: nearestProviders(input.provider),
    })
  }
  const explicit = explicitUsage(input, duration_unit)
  if ('path' in explicit) return refused(invalid([explicit]))
  const extracted = extract(input, provider)
  if (extracted.kind === 'refused') return extracted
  const model = input.model ?? extracted.model
  const custom = input.usage?.custom
  const modifiers = modifiersOf({
    ...input,
    service_tier: input.service_tier ?? extracted.service_tier,
    region: input.region ?? extracted.region,
  })
  return {
    kind: 'read',
    consumption: {
      ...(provider && { provider }),
      ...(model !== undefined && { model }),
      usage: { ...extracted.usage, ...explicit.usage },
      ...(typeof custom === 'object' && { custom }),
      ...(modifiers && { modifiers }),
      warnings: extracted.warnings,
    },
  }
}

/** A 400 whose detail says the first of its field errors. */
export function invalid(errors: readonly FieldError[]): Refusal {
  const [first] = errors
  const where = first && first.path !== '' ? `${first.path.slice(0, MAX_PATH_SHOWN).toWellFormed()}: ` : ''
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return {
    code: 'invalid_request',
    detail: first ? `The request is invalid: ${where}${first.message}${more}.` : 'The request is invalid.',
    errors,
  }
}

/** An unknown field has the name that the client gave it, and the details of a batch are stored with its key. */
const MAX_PATH_SHOWN = 200

type ExtractedInput =
  | {
      readonly kind: 'extracted'
      readonly usage: Usage
      readonly model?: string
      readonly service_tier?: string
      readonly region?: string
      readonly warnings: readonly string[]
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

function extract(input: ConsumptionInput, provider: ProviderRef | undefined): ExtractedInput {
  if (input.provider_response === undefined) {
    if (input.provider_api === undefined) return { kind: 'extracted', usage: {}, warnings: [] }
    return refused(
      invalid([{ path: '/provider_api', message: 'says how provider_response is read, which is missing' }]),
    )
  }
  if (!provider) return refused(invalid([{ path: '/provider', message: 'required with provider_response' }]))
  const result = extractUsage(provider, input.provider_api, input.provider_response)
  if (result.kind === 'error') {
    return refused(invalid([{ path: '/provider_response', message: result.message }]))
  }
  return {
    kind: 'extracted',
    usage: result.usage,
    ...(result.model !== undefined && { model: result.model }),
    ...(result.service_tier !== undefined && { service_tier: result.service_tier }),
    ...(result.region !== undefined && { region: result.region }),
    warnings: result.warnings ?? [],
  }
}

/** The units that the caller's own fields name. */
function explicitUsage(input: ConsumptionInput, duration_unit: DurationUnit): { usage: Usage } | FieldError {
  const usage: Record<string, number> = {}
  for (const [unit, quantity] of Object.entries(input.usage ?? {})) {
    if (isUsageUnit(unit) && typeof quantity === 'number') usage[unit] = quantity
  }
  const short = {
    input_tokens: ['input_tokens', input.input_tokens],
    output_tokens: ['output_tokens', input.output_tokens],
    image_count: ['output_images', input.image_count],
    duration_seconds: [duration_unit, input.duration_seconds],
  } as const
  for (const [field, [unit, quantity]] of Object.entries(short)) {
    if (quantity === undefined) continue
    const known = usage[unit]
    if (known !== undefined && known !== quantity) {
      return { path: `/${field}`, message: `says ${quantity} where usage.${unit} says ${known}` }
    }
    usage[unit] = quantity
  }
  return { usage }
}

function modifiersOf(input: ConsumptionInput): PriceModifiers | undefined {
  const modifiers = {
    ...(input.service_tier !== undefined && { service_tier: input.service_tier }),
    ...(input.region !== undefined && { region: input.region }),
    ...(input.image_size !== undefined && { image_size: input.image_size }),
    ...(input.quality !== undefined && { image_quality: input.quality }),
  }
  return Object.keys(modifiers).length === 0 ? undefined : modifiers
}

function refused(refusal: Refusal): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal }
}
