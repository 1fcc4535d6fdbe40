import { z } from '@hono/zod-openapi'
import { MODES } from '../../db/schema.ts'
import { placeCursor, placePageQuery } from '../../http/input/pagination.ts'
import { timeJson } from '../../http/input/times.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { serviceUnavailable } from '../../http/output/problem.ts'
import { createRouter, json, OPERATOR_SECURITY, route } from '../../http/route.ts'
import { MAX_UNRATED_COUNTED } from '../../ledger/model/unrated.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { listUnratedModels, type UnratedOfLedger, type UnratedPlace } from '../../rating/late/unrated.ts'

const place = z
  .tuple([z.string(), z.string(), z.string()])
  .or(z.tuple([z.string()]))
  .transform(
    ([ledger_id, provider, model]): UnratedPlace => ({
      ledger_id,
      after: provider === undefined || model === undefined ? null : { provider, model },
    }),
  )

function cursorOf({ ledger_id, after }: UnratedPlace): string {
  return placeCursor(after ? [ledger_id, after.provider, after.model] : [ledger_id])
}

const BEGINNING: UnratedPlace = { ledger_id: '', after: null }

const unratedQuery = z.strictObject(placePageQuery(place))

const ledgerFields = { customer_id: z.string(), mode: z.enum(MODES) }

const unratedSchema = z
  .object({
    data: z.array(
      z.object({
        ...ledgerFields,
        provider: z.string().nullable().openapi({
          description:
            'The provider; null if the events contain no provider. Events without a provider or model cannot have a price and are never rated.',
        }),
        model: z.string().nullable(),
        events: z.int().openapi({ description: `The number of events, at most ${MAX_UNRATED_COUNTED}.` }),
        more_events: z
          .boolean()
          .openapi({ description: 'Whether there might be more events than were counted.' }),
        oldest_at: z.iso.datetime().openapi({ description: 'The arrival time of the oldest event.' }),
        waits_for: z.enum(['price', 'credits']).openapi({
          description:
            '`price`: the oldest event has no price yet. `credits`: the oldest event has a price but could not be charged, usually because its wallet has too few credits.',
        }),
      }),
    ),
    next_cursor: z.string().nullable(),
    unavailable: z.array(z.object(ledgerFields)).openapi({
      description:
        'The ledgers that did not respond. The page does not contain their models. Repeat the request later.',
    }),
  })
  .openapi('UnratedModels')

const unratedRoute = route({
  method: 'get',
  path: '/',
  summary: 'List the models whose events are not rated yet, by customer',
  description: [
    'Each row is a model of one ledger. Set its price with `POST /v1/admin/provider-costs`. Then rate the events with',
    '`POST /v1/admin/rerate`. Events appear within seconds, after the next flush of their ledger.',
  ].join(' '),
  security: OPERATOR_SECURITY,
  request: { query: unratedQuery },
  answers: { 200: json('A page of models.', unratedSchema) },
})

export const unratedRoutes = createRouter()

unratedRoutes.openapi(unratedRoute, async (c) => {
  const { cursor = BEGINNING, limit } = c.req.valid('query')
  try {
    const { rows, unavailable, next } = await listUnratedModels(c.env, cursor, limit)
    return jsonResponse(c, {
      data: rows.map(rowJson),
      next_cursor: next && cursorOf(next),
      unavailable: unavailable.map(ledgerJson),
    })
  } catch (error) {
    return serviceUnavailable(c, 'unrated_not_listed', error)
  }
})

function rowJson({ ledger, provider, model, events, oldest_at_ms, is_unpaid }: UnratedOfLedger): object {
  return {
    ...ledgerJson(ledger),
    provider: provider === '' ? null : provider,
    model: model === '' ? null : model,
    events,
    more_events: events === MAX_UNRATED_COUNTED,
    oldest_at: timeJson(oldest_at_ms),
    waits_for: is_unpaid ? 'credits' : 'price',
  }
}

function ledgerJson({ customer_id, mode }: LedgerName): object {
  return { customer_id, mode }
}
