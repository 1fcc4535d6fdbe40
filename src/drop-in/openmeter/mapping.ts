import { z } from '@hono/zod-openapi'
import { customerId, customerText } from '../../http/input/identifiers.ts'
import { findProvider } from '../../pricing/catalogue/catalogue.ts'
import { customUnitInput } from '../../rating/schema.ts'
import type { EventFields, Item } from '../ingest.ts'

const MAX_MAPPINGS = 100
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/

const pointer = () =>
  z
    .string()
    .max(255)
    .regex(POINTER, 'must be a JSON Pointer, such as /tokens')
    .openapi({ description: "A JSON Pointer (RFC 6901) into the event's `data`.", example: '/tokens' })

const mappingSchema = z
  .strictObject({
    type: customerText().openapi({ description: 'The `type` of the CloudEvents.' }),
    feature_id: customerId(),
    unit: customUnitInput().optional(),
    quantity: pointer().optional(),
    provider: customerText()
      .optional()
      .openapi({ description: 'The name of a provider, or a JSON Pointer that begins with a slash.' }),
    model: pointer().optional(),
    input_tokens: pointer().optional(),
    output_tokens: pointer().optional(),
  })
  .superRefine((mapping, ctx) => {
    const { unit, quantity, provider, model, input_tokens, output_tokens } = mapping
    const wrong = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message })
    const of_model = provider ?? model ?? input_tokens ?? output_tokens
    if (unit !== undefined && of_model !== undefined) {
      wrong('unit', 'must not be combined with provider, model, input_tokens or output_tokens')
    } else if (unit !== undefined) {
      if (quantity === undefined) wrong('quantity', 'required with unit')
    } else if (of_model === undefined) wrong('unit', 'required unless provider, model and tokens are given')
    else {
      if (quantity !== undefined) wrong('quantity', 'requires unit')
      if (provider === undefined) wrong('provider', 'required unless unit is given')
      if (model === undefined) wrong('model', 'required unless unit is given')
      if (input_tokens === undefined && output_tokens === undefined)
        wrong('input_tokens', 'required unless output_tokens is given')
    }
    if (provider !== undefined && !provider.startsWith('/') && !findProvider(provider)) {
      wrong('provider', 'must be a provider of the catalogue or a JSON Pointer')
    }
  })
  .openapi('OpenMeterMapping')

export const mappingsSchema = z
  .strictObject({
    mappings: z
      .array(mappingSchema)
      .max(MAX_MAPPINGS, `must have at most ${MAX_MAPPINGS} mappings`)
      .superRefine((mappings, ctx) => {
        const types = new Set<string>()
        for (const [index, { type }] of mappings.entries()) {
          if (types.has(type))
            ctx.addIssue({ code: 'custom', path: [index, 'type'], message: 'must be unique in the list' })
          types.add(type)
        }
      }),
  })
  .openapi('OpenMeterMappings')

export type Mapping = z.infer<typeof mappingSchema>

/** An event in the format of another system, with an idempotency key for this API. */
export interface ForeignEvent {
  readonly type: string
  readonly user_id: string | undefined
  /** The time of the event, in the format of RFC 3339. */
  readonly time: string | undefined
  readonly data: unknown
  readonly key: string
}

/** Maps an event to an item. Uses the mapping of the event's type, and rejects an event without a mapping. */
export function itemOf(event: ForeignEvent, mappings: readonly Mapping[]): Item {
  const mapping = mappings.find(({ type }) => type === event.type)
  if (!mapping) {
    const detail = `Mapping for the type ${JSON.stringify(event.type.slice(0, 60))} not found. Add one with PUT /v1/drop-in/openmeter.`
    return { kind: 'rejected', reason: 'no_mapping', detail }
  }
  const consumed = mapping.unit === undefined ? tokensOf(mapping, event.data) : unitsOf(mapping, event.data)
  if ('wrong' in consumed) return { kind: 'rejected', reason: 'wrong_data', detail: consumed.wrong }
  const fields: EventFields = {
    ...consumed.fields,
    feature_id: mapping.feature_id,
    ...(event.user_id !== undefined && { user_id: event.user_id }),
    ...(event.time !== undefined && { timestamp: event.time }),
    idempotency_key: event.key,
  }
  return { kind: 'event', event: fields }
}

/** The consumption of an event, or the reason why the consumption cannot be read. */
type Consumed = { readonly fields: object } | { readonly wrong: string }

function unitsOf({ unit, quantity = '' }: Mapping, data: unknown): Consumed {
  const value = numberAt(data, quantity)
  if (value === undefined) return { wrong: `data has no number at ${quantity}.` }
  return { fields: { event_type: 'CUSTOM', unit, quantity: value } }
}

function tokensOf(mapping: Mapping, data: unknown): Consumed {
  const { provider = '', model = '' } = mapping
  const name = provider.startsWith('/') ? valueAt(data, provider) : provider
  if (typeof name !== 'string' || name === '') return { wrong: `data has no provider at ${provider}.` }
  const model_name = valueAt(data, model)
  if (typeof model_name !== 'string' || model_name === '') return { wrong: `data has no model at ${model}.` }
  const tokens: Record<string, number> = {}
  for (const unit of ['input_tokens', 'output_tokens'] as const) {
    const place = mapping[unit]
    if (place === undefined) continue
    const value = numberAt(data, place)
    if (value === undefined) return { wrong: `data has no number at ${place}.` }
    tokens[unit] = value
  }
  return { fields: { event_type: 'TOKEN_USAGE', provider: name, model: model_name, ...tokens } }
}

/**
 * Returns the number at a JSON Pointer; undefined if there is none. The value can also be a text that contains a
 * number, because many clients send numbers as texts.
 */
function numberAt(data: unknown, place: string): number | undefined {
  const value = valueAt(data, place)
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^\d{1,15}(\.\d{1,6})?$/.test(value) ? Number(value) : undefined
}

/** Returns the value at a JSON Pointer; undefined if the document has no such value. */
function valueAt(data: unknown, place: string): unknown {
  let value = data
  for (const part of place.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value
}
