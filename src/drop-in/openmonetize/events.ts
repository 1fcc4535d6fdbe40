import { fieldErrors } from '../../http/input/validation.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { invalidRequest, refusalResponse } from '../../http/output/problem.ts'
import { isRecord } from '../../ledger/model/json.ts'
import type { FieldError } from '../../ledger/model/refusal.ts'
import { isUsageUnit } from '../../pricing/usage.ts'
import { eventSchema } from '../../rating/event.ts'
import { countUnreadable, type EventFields, ingestItems, keyOf } from '../ingest.ts'
import { listAll } from './pages.ts'
import { type Asked, type Fields, pick, snakeCase, type Translation, text } from './translation.ts'

/** The translations of the routes for usage events. The field names of an event can be in snake_case or camelCase. */

const MAX_EVENTS = 1_000
const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/

const FIELDS = {
  user_id: 'user_id',
  team_id: 'team_id',
  feature_id: 'feature_id',
  provider: 'provider',
  model: 'model',
  input_tokens: 'input_tokens',
  output_tokens: 'output_tokens',
  provider_response: 'provider_response',
  image_count: 'image_count',
  count: 'image_count',
  resolution: 'image_size',
  image_size: 'image_size',
  quality: 'quality',
  duration_seconds: 'duration_seconds',
  timestamp: 'timestamp',
  metadata: 'metadata',
}

/** The event types of the original SDK that have another name in this API. */
const TYPES: Readonly<Record<string, string>> = {
  EMBEDDING_GENERATION: 'TOKEN_USAGE',
  AUDIO_TRANSCRIPTION: 'AUDIO_PROCESSING',
}

function eventOf(sent: Fields): EventFields {
  const event = snakeCase(sent)
  const type = text(event.event_type)
  const key = text(event.idempotency_key) ?? text(event.event_id) ?? ''
  return {
    ...pick(event, FIELDS),
    ...(type !== undefined && { event_type: TYPES[type] ?? type }),
    ...(type === 'IMAGE_GENERATION' &&
      event.image_count === undefined &&
      event.count === undefined && { image_count: 1 }),
    ...quantityOf(event),
    idempotency_key: PRINTABLE_ASCII.test(key) || key === '' ? key : keyOf('openmonetize', key),
  }
}

/**
 * Returns the event fields for a quantity. If its unit is a known unit of usage, the field is `usage`. Otherwise, the
 * quantity has a custom unit, such as `pages` or `api_calls`.
 */
function quantityOf({ unit_type, quantity }: Fields): object {
  const unit = text(unit_type)
    ?.toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+/, '')
  if (unit === undefined || quantity === undefined) return {}
  return isUsageUnit(unit) ? { usage: { [unit]: quantity } } : { unit, quantity }
}

async function ingest({ c, body }: Asked): Promise<Response> {
  const started_ms = Date.now()
  const sent = Array.isArray(body.events) ? body.events : [body]
  const events = sent.map((event: unknown) => (isRecord(event) ? eventOf(event) : { idempotency_key: '' }))
  const errors = [...errorsOf(events), ...sent.flatMap(ofAnother(c.get('key').customer_id))]
  if (sent.length === 0 || sent.length > MAX_EVENTS) {
    errors.push({ path: '/events', message: `must have 1 to ${MAX_EVENTS} events` })
  }
  if (errors.some(({ message }) => message === OF_ANOTHER)) {
    return refusalResponse(c, { code: 'customer_mismatch' })
  }
  if (errors.length > 0) {
    // As in the original service, one invalid event is enough to refuse the whole batch.
    countUnreadable(c, 'openmonetize')
    return invalidRequest(c, 'Invalid event batch format.', errors.slice(0, MAX_ERRORS))
  }
  const ingested = await ingestItems(
    c,
    'openmonetize',
    events.map((event) => ({ kind: 'event', event })),
  )
  if (ingested.kind === 'refused') return refusalResponse(c, ingested.refusal)
  const { results } = ingested
  const count = (wanted: string) => results.filter(({ status }) => status === wanted).length
  const [accepted, duplicates, rejected] = [count('accepted'), count('duplicate'), count('rejected')]
  if (accepted + rejected === 0) {
    return jsonResponse(c, {
      ...counts(0, 0, duplicates),
      batch_id: null,
      status: 'all_duplicates',
      message: 'All events were duplicates',
    })
  }
  const answer = {
    ...counts(accepted, rejected, duplicates),
    batch_id: c.get('request_id'),
    status: 'processing',
    processing_time_ms: Date.now() - started_ms,
    ...(rejected > 0 && {
      errors: results.flatMap((result, index) =>
        result.status === 'rejected' ? [refusedEvent(events[index], result)] : [],
      ),
    }),
  }
  return jsonResponse(c, answer, 202)
}

const MAX_ERRORS = 100
const OF_ANOTHER = 'must be the customer of the API key'

function errorsOf(events: readonly EventFields[]): FieldError[] {
  return events.flatMap((event, index) => {
    if (event.idempotency_key === '') return [{ path: `/events/${index}/event_id`, message: 'required' }]
    const parsed = eventSchema.safeParse(event)
    if (parsed.success) return []
    return fieldErrors(parsed.error.issues).map(({ path, message }) => ({
      path: `/events/${index}${path}`,
      message,
    }))
  })
}

function ofAnother(customer_id: string) {
  return (event: unknown, index: number): FieldError[] => {
    const named = isRecord(event) ? snakeCase(event).customer_id : undefined
    if (named === undefined || named === customer_id) return []
    return [{ path: `/events/${index}/customer_id`, message: OF_ANOTHER }]
  }
}

/** Returns the counts under the field names of the original service and under the field names of its SDK's types. */
function counts(accepted: number, rejected: number, duplicates: number): object {
  return {
    success: rejected === 0,
    processed: accepted + duplicates,
    failed: rejected,
    accepted,
    rejected,
    duplicates,
  }
}

function refusedEvent(
  event: EventFields | undefined,
  { code, detail }: { readonly code: string; readonly detail: string },
): object {
  const id = event?.idempotency_key
  return { event_id: id, eventId: id, code, error: detail }
}

export const eventTranslations: readonly Translation[] = [
  {
    method: 'post',
    path: '/v1/events/ingest',
    summary: 'Ingest up to 1,000 events',
    scope: 'events:write',
    status: 202,
    or: 200,
    run: ingest,
  },
  {
    method: 'get',
    path: '/v1/events',
    summary: 'List events',
    scope: 'credits:read',
    status: 200,
    query: ['limit', 'offset', 'customerId'],
    async run(asked) {
      const list = await listAll(asked, '/v1/events', {})
      if (list instanceof Response) return list
      return jsonResponse(asked.c, { ...list, data: list.data.map(recordOf) })
    },
  },
]

function recordOf(row: Fields): object {
  const usage = isRecord(row.usage) ? row.usage : {}
  const count = (value: unknown) => (value === undefined ? null : String(value))
  return {
    id: row.id,
    eventType: row.event_type,
    featureId: row.feature_id,
    userId: row.user_id,
    provider: row.provider,
    model: row.model,
    inputTokens: count(usage.input_tokens),
    outputTokens: count(usage.output_tokens),
    creditsBurned: String(row.credits_burned),
    costUsd: count(row.provider_cost_usd),
    timestamp: row.timestamp,
    metadata: row.metadata,
  }
}
