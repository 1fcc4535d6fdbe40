import { z } from '@hono/zod-openapi'
import { customerText, subjectFields } from '../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { timeQuery } from '../http/input/times.ts'
import { isRecord } from '../ledger/model/json.ts'
import { EVENT_TYPES } from '../ledger/model/vocabulary.ts'

export const MAX_BATCH = 1000

/**
 * The envelope of a batch. Its events are validated one by one, so that an invalid event does not affect other
 * events.
 */
export const batchSchema = z
  .strictObject({
    events: z
      .array(z.unknown(), 'must be an array of events')
      .min(1, 'must have at least one event')
      .max(MAX_BATCH, `must have at most ${MAX_BATCH} events`),
  })
  .openapi('EventBatch')

/**
 * The body of the ingest route. This schema accepts any object. `ingest.ts` validates the events one by one, because a
 * batch can contain both valid and invalid events.
 */
export const ingestSchema = z
  // `z.record` is not used, because it copies the object without a field named `__proto__`. The strict schema of an
  // event would then not refuse this field.
  .custom<Readonly<Record<string, unknown>>>(isRecord, 'must be an object')
  .openapi({
    type: 'object',
    oneOf: [{ $ref: '#/components/schemas/Event' }, { $ref: '#/components/schemas/EventBatch' }],
  })

export const eventsQuery = z.strictObject({
  ...pageQuery,
  ...subjectFields,
  key_id: customerText().optional(),
  feature_id: customerText().optional(),
  provider: customerText().optional(),
  model: customerText().optional(),
  event_type: z.enum(EVENT_TYPES).optional(),
  from: timeQuery().optional().openapi({ description: 'The start of the range of event times, inclusive.' }),
  to: timeQuery().optional().openapi({ description: 'The end of the range of event times, exclusive.' }),
  unrated: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
})

export const eventPath = z.object({ id: z.string().max(64) })

const credits = z.number().openapi({ description: 'Credits, with at most 6 decimals.' })
const time = z.string().openapi({ format: 'date-time' })

const ratedFields = {
  credits_burned: credits,
  balance_after: credits,
  provider_cost_usd: z.number().openapi({ description: 'USD, with at most 12 decimals.' }),
  wallet_id: z.string(),
  burn_table_version: z.int(),
  price_version: z.string(),
  unrated: z.literal(true).optional().openapi({
    description:
      'Present if the event has no price yet. It burned no credits, or the credits of a ceiling if `on_unpriced` of the burn table is `ceiling`.',
  }),
  warnings: z.array(z.string()).optional(),
  timestamp: time,
}

const ingestedSchema = z.object({ id: z.string(), ...ratedFields }).openapi('Ingested')

const batchResultSchema = z
  .object({
    batch_id: z.string(),
    accepted: z.int(),
    duplicates: z.int(),
    rejected: z.int(),
    credits_burned: credits,
    balance_after: credits.nullable(),
    results: z.array(
      z.object({
        index: z.int(),
        id: z.string().nullable(),
        status: z.enum(['accepted', 'duplicate', 'rejected']),
        credits_burned: credits,
        balance_after: credits.nullable(),
        error: z.object({ code: z.string(), detail: z.string() }).optional(),
      }),
    ),
  })
  .openapi('BatchResult')

export const ingestResultSchema = z.union([ingestedSchema, batchResultSchema])

/**
 * The fields besides provider, model and usage that affect the price. A field is absent if neither the event nor its
 * provider response contained it.
 */
const modifierFields = {
  service_tier: z.string().optional(),
  region: z.string().optional(),
  image_size: z.string().optional(),
  image_quality: z.string().optional(),
}

export const eventRecordSchema = z
  .object({
    id: z.string(),
    event_type: z.enum(EVENT_TYPES),
    feature_id: z.string(),
    user_id: z.string().nullable(),
    team_id: z.string().nullable(),
    provider: z.string().nullable(),
    model: z.string().nullable(),
    usage: z.record(z.string(), z.unknown()),
    ...modifierFields,
    ...ratedFields,
    customer_price_usd: z.number(),
    transaction_id: z.string(),
    metadata: z.record(z.string(), z.unknown()),
    created_at: time,
    // The newest fields are last, so that exports keep the order of the columns that existed before them.
    key_id: z.string().nullable().openapi({
      description:
        'The id of the API key that sent the event or opened its hold. Null for events that were recorded before this field existed.',
    }),
    search_context_size: z.string().optional().openapi({
      description:
        'The search context size that the provider response reported. It affects the fee of a request. Absent if the response reported none.',
    }),
  })
  .openapi('EventRecord')

export const eventsPageSchema = pageSchema(eventRecordSchema)
