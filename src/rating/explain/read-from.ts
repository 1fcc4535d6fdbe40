import type { CostRequest } from '../../pricing/cost/cost.ts'
import type { PriceBook } from '../../pricing/cost/price-book.ts'
import { isUsageUnit, type UsageUnit } from '../../pricing/usage.ts'
import type { Consumption, ConsumptionInput } from '../consumption.ts'

/** The data that the explanation of a calculation needs in addition to its result. */
export interface CalculationToExplain {
  readonly book: PriceBook
  readonly request: CostRequest
  readonly read_from: (unit: UsageUnit) => string
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
