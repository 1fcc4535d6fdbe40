import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import {
  EXPORT_DESCRIPTION,
  exportResponse,
  listAnswer,
  pageResponse,
  wantsAllRows,
} from '../http/output/export.ts'
import { jsonResponse } from '../http/output/json.ts'
import { answerResult, noSuch, refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { ingest } from '../ledger/client/client.ts'
import type { BatchAnswer } from '../ledger/model/answers.ts'
import type { Entry } from '../ledger/model/journal.ts'
import type { Refusal } from '../ledger/model/refusal.ts'
import { findProvider, nearestModels } from '../pricing/catalogue/catalogue.ts'
import { recordedProvider } from '../pricing/catalogue/provider-name.ts'
import { withAmendments } from '../projection/read/amendments.ts'
import { type EntriesPage, findEntry } from '../projection/read/list-entries.ts'
import { currentPrices } from '../rating/current-prices.ts'
import { eventSchema } from '../rating/event.ts'
import { explainRecorded } from '../rating/explain/recorded.ts'
import { eventExplanationSchema } from '../rating/explain/schema.ts'
import { readIngest } from './ingest.ts'
import { exportEvents, listEvents } from './list.ts'
import { renderBatchAnswer, renderEvent, renderEventAnswer } from './render.ts'
import {
  batchSchema,
  eventPath,
  eventRecordSchema,
  eventsPageSchema,
  eventsQuery,
  ingestResultSchema,
  ingestSchema,
} from './schema.ts'

const ingestRoute = route({
  method: 'post',
  path: '/ingest',
  summary: 'Ingest one event or a batch of up to 1,000 events and burn their credits',
  ...scoped('events:write', currentPrices),
  request: { body: jsonRequest(ingestSchema) },
  answers: { 200: json('The credits burned and the new balance.', ingestResultSchema) },
  problems: [
    'insufficient_credits',
    'limit_reached',
    'feature_not_allowed',
    'customer_mismatch',
    'idempotency_mismatch',
    'unknown_provider',
    'unpriced_model',
    'quota_exceeded',
    'overloaded',
  ],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List recorded events, newest arrival first',
  description: `\`from\` (inclusive) and \`to\` (exclusive) filter by event time. ${EXPORT_DESCRIPTION} With \`unrated=true\`, the response is always one page.`,
  ...scoped('credits:read'),
  request: { query: eventsQuery },
  answers: { 200: listAnswer('A page of events, or an export.', eventsPageSchema) },
  problems: ['overloaded'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get a recorded event',
  ...scoped('credits:read'),
  request: { params: eventPath },
  answers: { 200: json('The event.', eventRecordSchema) },
  problems: ['overloaded', 'not_found'],
})

const explainRoute = route({
  method: 'get',
  path: '/{id}/explain',
  summary: 'Explain how an event was priced and charged',
  description:
    'The explanation contains the values that were recorded with the event, so that its amount can be recalculated by hand. The provider response is not stored. To see which fields of a provider response are read, use `POST /v1/rating/calculate` with `explain`. If the event was priced with an earlier catalogue, the explanation names that catalogue and has no unit prices.',
  ...scoped('credits:read', currentPrices),
  request: { params: eventPath },
  answers: { 200: json('The explanation.', eventExplanationSchema) },
  problems: ['overloaded', 'not_found'],
})

export const eventsRoutes = createRouter()

// Adds the two possible bodies of the ingest route to the OpenAPI document. `ingest.ts` validates them.
eventsRoutes.openAPIRegistry.register('Event', eventSchema)
eventsRoutes.openAPIRegistry.register('EventBatch', batchSchema)

eventsRoutes.openapi(ingestRoute, async (c) => {
  const read = readIngest({
    caller: callerOf(c),
    ledger: ledgerOf(c),
    body: c.req.valid('json'),
    header_key: c.get('idempotency_key'),
    now_ms: Date.now(),
    book: c.get('prices'),
  })
  if (read.kind === 'refused') return refusalResponse(c, read.refusal)
  const result = await ingest(c.env, ledgerOf(c), read.message)
  if (result.kind === 'refused') return refusalResponse(c, withNearest(result.refusal))
  if (result.shape === 'single') {
    c.set('accepted_events', 1)
    return answerResult(c, result, renderEventAnswer)
  }
  if (result.kind === 'done') {
    c.set('rejected_events', rejectedByCode(result.answer))
    c.set('accepted_events', acceptedEvents(result.answer))
  }
  return answerResult(c, result, renderBatchAnswer)
})

eventsRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit, from, to, provider, ...event } = c.req.valid('query')
  const range = {
    ledger: ledgerOf(c),
    caller: callerOf(c),
    event: { ...event, provider: provider === undefined ? undefined : recordedProvider(provider) },
    from_ms: from,
    to_ms: to,
    before_entry: cursor ?? null,
  }
  // Unrated events cannot be exported, because the ledger object returns them only in pages.
  if (wantsAllRows(c) && event.unrated !== true) {
    const found = await exportEvents(c.env, range)
    return found.kind === 'refused'
      ? refusalResponse(c, found.refusal)
      : exportResponse(c, { ...eventRows(found), chunks: found.chunks })
  }
  const page = await listEvents(c.env, { ...range, limit })
  return page.kind === 'refused'
    ? refusalResponse(c, page.refusal)
    : pageResponse(c, eventRows(page), page.entries)
})

const EVENT_COLUMNS = Object.keys(eventRecordSchema.shape)

function eventRows({ ids, next_before_entry }: Pick<EntriesPage, 'ids' | 'next_before_entry'>) {
  const render = (entry: Entry) => renderEvent(ids, entry)
  return { columns: EVENT_COLUMNS, next_before_entry, render }
}

eventsRoutes.openapi(getRoute, async (c) => {
  const { id } = c.req.valid('param')
  const from = { ledger: ledgerOf(c), caller: callerOf(c) }
  const found = await findEntry(c.env, from, 'evt', id)
  if (found.kind === 'refused') return refusalResponse(c, found.refusal)
  if (found.kind === 'none') return noSuch(c, 'event', id)
  const [entry = found.entry] = await withAmendments(c.env, from, [found.entry])
  return jsonResponse(c, renderEvent(found.ids, entry))
})

eventsRoutes.openapi(explainRoute, async (c) => {
  const { id } = c.req.valid('param')
  const from = { ledger: ledgerOf(c), caller: callerOf(c) }
  const found = await explainRecorded(c.env, from, id, c.get('prices'))
  if (found.kind === 'refused') return refusalResponse(c, found.refusal)
  return found.kind === 'none' ? noSuch(c, 'event', id) : jsonResponse(c, found.explanation)
})

/**
 * Counts the rejected events of a batch by error code. The metrics need these counts, because the response status is
 * 200 even if all events are rejected.
 */
function rejectedByCode({ results }: BatchAnswer): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const result of results) {
    if (result.status === 'rejected') counts.set(result.code, (counts.get(result.code) ?? 0) + 1)
  }
  return counts
}

function acceptedEvents({ results }: BatchAnswer): number {
  return results.reduce((count, { status }) => (status === 'accepted' ? count + 1 : count), 0)
}

/**
 * Adds the most similar model names of the catalogue to a refusal `unpriced_model`. Returns other refusals unchanged.
 */
function withNearest(refusal: Refusal): Refusal {
  if (refusal.code !== 'unpriced_model') return refusal
  const provider = findProvider(refusal.provider)
  return provider ? { ...refusal, nearest: nearestModels(provider, refusal.model) } : refusal
}
