import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { OPERATOR_ACTOR } from '../../audit/record.ts'
import { configOf } from '../../config.ts'
import { PRICE_FEED_STATUSES } from '../../db/schema.ts'
import { auditorOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { timeJson } from '../../http/input/times.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { problem, serviceUnavailable } from '../../http/output/problem.ts'
import { answerOnce } from '../../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../../http/route.ts'
import { auditStatement } from '../../ledger/flush/audit-log.ts'
import { OPERATOR } from '../../rating/price-epochs.ts'
import { applyAndPublish } from '../../rating/price-feed/read.ts'
import {
  appliedVersion,
  findFeed,
  listFeeds,
  rejectFeed,
  type StoredFeed,
  sizeProblem,
} from '../../rating/price-feed/store.ts'
import { loadOverlays } from '../../rating/price-overrides/store.ts'

const time = z.string().openapi({ format: 'date-time' })

const feedSchema = z
  .object({
    feed_id: z.string(),
    status: z.enum(PRICE_FEED_STATUSES).openapi({
      description:
        'WAITING: the operator must apply or reject the feed. REFUSED: the feed cannot be applied. REPLACED: another feed with the same or a newer version was applied.',
    }),
    version: z.int().nullable().openapi({
      description: 'The version of the feed; null if the feed could not be read.',
    }),
    reasons: z.array(z.string()),
    prices_set: z.int(),
    prices_ended: z.int(),
    first_read_at: time,
    last_read_at: time,
  })
  .openapi('PriceFeed')

const feedsSchema = z
  .object({
    enabled: z.boolean(),
    url: z.string().nullable(),
    bound_percent: z.int().nullable(),
    applied_version: z.int(),
    data: z.array(feedSchema),
  })
  .openapi('PriceFeeds')

const decisionSchema = z
  .strictObject({ feed_id: z.string().regex(/^pf_[0-9a-hjkmnp-tv-z]{26}$/, 'must be a feed_id') })
  .openapi('PriceFeedDecision')

const getRoute = route({
  method: 'get',
  path: '/',
  summary: 'List the price feeds that were read, newest first, at most 100',
  answers: { 200: json('The feeds.', feedsSchema) },
})

const applyRoute = route({
  method: 'post',
  path: '/apply',
  summary: 'Apply a waiting price feed in spite of large price changes, missing prices or zero prices',
  description:
    'The prices take effect at the time of the request. Every rating uses the new prices within 90 s.',
  request: { body: jsonRequest(decisionSchema) },
  answers: { 200: json('The feed.', feedSchema) },
  problems: ['conflict', 'not_found', 'idempotency_mismatch'],
})

const rejectRoute = route({
  method: 'post',
  path: '/reject',
  summary: 'Reject a waiting price feed',
  request: { body: jsonRequest(decisionSchema) },
  answers: { 200: json('The feed.', feedSchema) },
  problems: ['conflict', 'not_found', 'idempotency_mismatch'],
})

export const priceFeedRoutes = createRouter()

priceFeedRoutes.openapi(getRoute, async (c) => {
  const { price_feed } = configOf(c.env)
  try {
    const [feeds, applied_version] = await Promise.all([listFeeds(c.env.DB), appliedVersion(c.env.DB)])
    return jsonResponse(c, {
      enabled: price_feed !== null,
      url: price_feed?.url ?? null,
      bound_percent: price_feed?.bound_percent ?? null,
      applied_version,
      data: feeds.map(feedJson),
    })
  } catch (error) {
    return serviceUnavailable(c, 'price_feeds_not_listed', error)
  }
})

priceFeedRoutes.openapi(applyRoute, (c) => decide(c, 'apply', c.req.valid('json').feed_id))
priceFeedRoutes.openapi(rejectRoute, (c) => decide(c, 'reject', c.req.valid('json').feed_id))

async function decide(c: Context<AppEnv>, decision: 'apply' | 'reject', feed_id: string): Promise<Response> {
  const operation = `POST /v1/admin/price-feed/${decision}`
  try {
    return await answerOnce(c, { owner: OPERATOR_ACTOR, operation }, async (keep) => {
      const feed = await findFeed(c.env.DB, { feed_id })
      if (feed === undefined)
        return problem(c, { code: 'not_found', detail: `Price feed ${feed_id} not found.` })
      const applied = await appliedVersion(c.env.DB)
      const is_waiting = feed.status === 'WAITING'
      const is_older = decision === 'apply' && (feed.version ?? 0) <= applied
      if (!is_waiting || is_older) {
        const detail = is_waiting
          ? `Price feed ${feed_id} has version ${feed.version}. Only a version after ${applied} can be applied.`
          : `Price feed ${feed_id} is ${feed.status}. Only a WAITING feed can be applied or rejected.`
        return problem(c, { code: 'conflict', detail })
      }
      if (decision === 'apply') {
        const overlays = await loadOverlays(c.env, OPERATOR)
        const detail = sizeProblem(feed.changes, overlays.length)
        if (detail !== undefined) return problem(c, { code: 'conflict', detail })
      }
      const now_ms = Date.now()
      const status = decision === 'apply' ? 'APPLIED' : 'REJECTED'
      const answer = { status: 200, body: feedJson({ ...feed, status }) } as const
      const record = {
        ...auditorOf(c, OPERATOR_ACTOR),
        action: decision === 'apply' ? 'admin.apply_price_feed' : 'admin.reject_price_feed',
        target: feed_id,
        before: { status: feed.status },
        after: { status, version: feed.version, prices_set: feed.changes.set.length },
      } as const
      const audited = auditStatement(c.env.DB, { customer_id: null, mode: null }, record, now_ms)
      const others = [audited, ...keep(answer)]
      if (decision === 'apply') await applyAndPublish(c.env, feed, true, now_ms, others)
      else await rejectFeed(c.env.DB, feed, others)
      return answer
    })
  } catch (error) {
    return serviceUnavailable(c, 'price_feed_not_decided', error)
  }
}

function feedJson({ feed_id, status, version, reasons, changes, ...times }: StoredFeed): object {
  return {
    feed_id,
    status,
    version,
    reasons,
    prices_set: changes.set.length,
    prices_ended: changes.end.length,
    first_read_at: timeJson(times.first_read_at_ms),
    last_read_at: timeJson(times.last_read_at_ms),
  }
}
