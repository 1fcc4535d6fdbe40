import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { operatorsOf } from '../api-keys/authentication/operator.ts'
import { configOf } from '../config.ts'
import { dashboardRequestOf } from '../dashboard/access.ts'
import { findSession } from '../dashboard/sessions.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { problem, refusalResponse } from '../http/output/problem.ts'
import { createRouter, route } from '../http/route.ts'
import { invalidField } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { logError } from '../logging/log.ts'
import { readFlushedNotifications, readNotifications } from '../notifications/store.ts'
import { eventsOf, NOTIFICATIONS_A_READ, NotificationStream, POLL_MS, type StreamSource } from './stream.ts'

const SEQUENCE = /^\d{1,15}$/

const streamRoute = route({
  method: 'get',
  path: '/',
  summary: 'Stream notifications as server-sent events',
  description:
    'Each event contains one notification: `event` is its type, `id` is its sequence number, and `data` is the notification as JSON. Send the header `Last-Event-ID` or the parameter `after` to resume without missing notifications. If both are absent, the stream begins with the next new notification. After 15 seconds without an event, the server sends a comment. The stream ends after some minutes. It also ends within 90 seconds after the API key stops working. Reconnect when the stream ends.',
  ...scoped('webhooks:read'),
  request: {
    query: z.strictObject({
      after: z
        .string()
        .regex(SEQUENCE, 'must be the sequence of a notification')
        .transform(Number)
        .optional()
        .openapi({
          type: 'integer',
          minimum: 0,
          description:
            'The sequence number after which the stream begins. The header `Last-Event-ID` takes precedence.',
        }),
    }),
  },
  answers: {
    200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
  },
  problems: ['overloaded', 'rate_limited'],
})

/**
 * The maximum number of open streams of one customer in one isolate. `MAX_OPEN` is the maximum of all customers
 * together.
 */
const MAX_OF_CUSTOMER = 100
const MAX_OPEN = 1_000
/** The value of `Retry-After` if too many streams are open. Streams can end at any time. */
const RETRY_S = 10

const open = new Map<string, number>()
let open_in_all = 0

export const streamRoutes = createRouter()

streamRoutes.openapi(streamRoute, async (c) => {
  const last_id = c.req.header('Last-Event-ID')
  if (last_id !== undefined && !SEQUENCE.test(last_id)) {
    const { refusal } = invalidField('/Last-Event-ID', 'must be the sequence of a notification')
    return refusalResponse(c, refusal)
  }
  const { customer_id } = c.get('key')
  if (open_in_all >= MAX_OPEN || (open.get(customer_id) ?? 0) >= MAX_OF_CUSTOMER) {
    return problem(c, {
      code: 'rate_limited',
      detail:
        'Too many streams are open, for this customer or in total. Close unused streams, or retry later.',
      headers: { 'Retry-After': String(RETRY_S) },
    })
  }
  const asked = last_id === undefined ? c.req.valid('query').after : Number(last_id)
  const first = await readNotifications(c.env, ledgerOf(c), {
    caller: callerOf(c),
    after_sequence: asked ?? Number.MAX_SAFE_INTEGER,
    limit: NOTIFICATIONS_A_READ,
  })
  if (first.kind === 'refused') return refusalResponse(c, first.refusal)
  const after_sequence = first.notifications.at(-1)?.sequence ?? asked ?? first.last_sequence
  const stream = new NotificationStream(sourceOf(c), {
    after_sequence,
    lasts_ms: configOf(c.env).stream_seconds * 1000,
  })
  // Sends an id without an event. A client that is disconnected before the first event then resumes from this id.
  const begin = `retry: ${RETRY_MS}\nid: ${asked ?? first.last_sequence}\n\n`
  return streamed(stream, customer_id, begin + eventsOf(first.notifications))
})

/** The time in ms that a client waits before it reconnects. */
const RETRY_MS = 1_000

function streamed(stream: NotificationStream, customer_id: string, begin: string): Response {
  const text = new TextEncoder()
  count(customer_id, 1)
  let is_counted = true
  const end = () => {
    stream.close()
    if (is_counted) count(customer_id, -1)
    is_counted = false
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(text.encode(begin)),
      async pull(controller) {
        try {
          const part = await stream.next()
          if (part !== null) {
            controller.enqueue(text.encode(part))
            return
          }
        } catch (error) {
          logError('stream_ended', error, { customer_id })
        }
        end()
        controller.close()
      },
      cancel: end,
    },
    { highWaterMark: 1 },
  )
  return new Response(body, {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
  })
}

function count(customer_id: string, change: 1 | -1): void {
  const streams = (open.get(customer_id) ?? 0) + change
  if (streams > 0) open.set(customer_id, streams)
  else open.delete(customer_id)
  open_in_all += change
}

/** The state that all streams of a ledger in this isolate share. */
interface Known {
  /** The newest sequence number that the last read found. */
  sequence: number
  /** The time when the last read began. */
  read_at_ms: number
  /** The time of the last `LISTEN` statement. It tells the ledger to flush notifications early. */
  listened_at_ms: number
}

/**
 * The shared state by ledger id. Because of it, all streams of a ledger in this isolate together usually read the
 * newest sequence number at most once per second.
 */
const ledgers = new Map<string, Known>()

const NEWEST = 'SELECT last_notification FROM ledgers WHERE ledger_id = ?'
const KEY = 'SELECT expires_at_ms, revoked_at_ms FROM api_keys WHERE key_id = ?1'

// Records that a stream is open, so that the ledger flushes notifications early. Writes 1 row every few minutes while a
// stream is open.
const LISTEN = `
  INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms, streamed_until_ms)
  VALUES (?1, 0, 0, 0, ?2)
  ON CONFLICT (ledger_id) DO UPDATE SET streamed_until_ms = ?2 WHERE coalesce(streamed_until_ms, 0) < ?3`
const LISTEN_MS = 360_000
const RENEW_MS = 120_000

interface KeyEnd {
  readonly expires_at_ms: number | null
  readonly revoked_at_ms: number | null
}

function knownOf(ledger_id: string): Known {
  const found = ledgers.get(ledger_id)
  if (found) return found
  if (ledgers.size >= MAX_OPEN) ledgers.clear()
  const known = { sequence: 0, read_at_ms: 0, listened_at_ms: 0 }
  ledgers.set(ledger_id, known)
  return known
}

function sourceOf(c: Context<AppEnv>): StreamSource {
  const { env } = c
  const ledger: LedgerName = ledgerOf(c)
  const { key_id } = c.get('key')
  const session = dashboardRequestOf(c)?.session
  const ledger_id = ledgerKey(ledger)
  const db = ledgerDb(env, ledger.customer_id)
  return {
    now: () => Date.now(),
    wait: (ms) => scheduler.wait(ms),
    read: (after_sequence, to_sequence, limit) =>
      readFlushedNotifications(env, ledger, { after_sequence, to_sequence, limit }),
    async newest() {
      const now_ms = Date.now()
      const known = knownOf(ledger_id)
      // If another stream has just read or is reading, uses the last known result. A request must not await a promise
      // of another request.
      if (now_ms - known.read_at_ms < POLL_MS) return known.sequence
      known.read_at_ms = now_ms
      if (now_ms - known.listened_at_ms >= RENEW_MS) {
        known.listened_at_ms = now_ms
        const until_ms = now_ms + LISTEN_MS
        await db
          .prepare(LISTEN)
          .bind(ledger_id, until_ms, until_ms - RENEW_MS)
          .run()
      }
      const row = await db.prepare(NEWEST).bind(ledger_id).first<number>('last_notification')
      known.sequence = row ?? 0
      return known.sequence
    },
    async isAllowed() {
      const now_ms = Date.now()
      // A session can end before it expires, for example because the user signs out or its API key stops working.
      if (session !== undefined) {
        return (await findSession(env, session, operatorsOf(env), now_ms)) !== undefined
      }
      const key = await env.DB.prepare(KEY).bind(key_id).first<KeyEnd>()
      const ends_at_ms = Math.min(key?.expires_at_ms ?? Infinity, key?.revoked_at_ms ?? Infinity)
      return key !== null && now_ms < ends_at_ms
    },
  }
}
