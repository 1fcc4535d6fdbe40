import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { readIngest } from '../events/ingest.ts'
import { MAX_BATCH } from '../events/schema.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { ingest } from '../ledger/client/client.ts'
import type { BatchItemAnswer } from '../ledger/model/answers.ts'
import type { Refusal } from '../ledger/model/refusal.ts'
import { countOutcomes, type IgnoredReason, type Outcome, type RejectedReason } from './counts.ts'
import type { Endpoint } from './endpoints.ts'

/**
 * An item of a drop-in request. An item that is billed has the fields of an event of `POST /v1/events/ingest`. Any
 * other item has the reason why it is not billed.
 */
export type Item =
  | { readonly kind: 'event'; readonly event: EventFields }
  | { readonly kind: 'rejected'; readonly reason: RejectedReason; readonly detail: string }
  | { readonly kind: 'ignored'; readonly reason: IgnoredReason }

/**
 * The fields of an event. The idempotency key ensures that an event is billed only once if the client retries. The
 * other fields are validated later, with the schema of events.
 */
export type EventFields = Readonly<Record<string, unknown>> & { readonly idempotency_key: string }

export type ItemResult =
  | Extract<BatchItemAnswer, { status: 'accepted' | 'duplicate' }>
  | { readonly status: 'rejected'; readonly code: RejectedReason; readonly detail: string }
  | { readonly status: 'ignored'; readonly code: IgnoredReason }

export interface Ingested {
  readonly kind: 'ingested'
  /** The results, in the order of the items. */
  readonly results: readonly ItemResult[]
}

/**
 * Bills the items that are events, in the same way as `POST /v1/events/ingest`, and counts the outcomes. If a whole
 * batch of events is refused, for example because of a rate limit, returns the refusal. The client can then repeat the
 * request: events that were already billed are then duplicates.
 */
export async function ingestItems(
  c: Context<AppEnv>,
  endpoint: Endpoint,
  items: readonly Item[],
): Promise<Ingested | { readonly kind: 'refused'; readonly refusal: Refusal }> {
  const now_ms = Date.now()
  const events = items.flatMap((item) => (item.kind === 'event' ? [item.event] : []))
  const answers: BatchItemAnswer[] = []
  for (let start = 0; start < events.length; start += MAX_BATCH) {
    const answered = await ingestBatch(c, events.slice(start, start + MAX_BATCH), now_ms)
    if ('refusal' in answered) {
      const failed: Outcome = `rejected:${answered.refusal.code}`
      countOutcomes(c, endpoint, [...answers.map(outcomeOf), failed], now_ms)
      return { kind: 'refused', refusal: answered.refusal }
    }
    answers.push(...answered.results)
  }
  const results = items.map((item): ItemResult => {
    if (item.kind === 'ignored') return { status: 'ignored', code: item.reason }
    if (item.kind === 'rejected') return { status: 'rejected', code: item.reason, detail: item.detail }
    const answer = answers.shift()
    if (!answer) throw new Error('an ingested event has no result')
    return answer
  })
  countOutcomes(c, endpoint, results.map(outcomeOf), now_ms)
  c.set('rejected_events', byCode(results))
  return { kind: 'ingested', results }
}

type Answered = { readonly results: readonly BatchItemAnswer[] } | { readonly refusal: Refusal }

async function ingestBatch(
  c: Context<AppEnv>,
  events: readonly EventFields[],
  now_ms: number,
): Promise<Answered> {
  const ledger = ledgerOf(c)
  const read = readIngest({
    caller: callerOf(c),
    ledger,
    body: { events },
    header_key: undefined,
    now_ms,
    book: c.get('prices'),
  })
  if (read.kind === 'refused') return { refusal: read.refusal }
  const result = await ingest(c.env, ledger, read.message)
  if (result.kind === 'refused') return { refusal: result.refusal }
  if (result.shape === 'single')
    throw new Error('the ledger returned the result of a single event for a batch')
  return { results: result.answer.results }
}

function outcomeOf(result: ItemResult): Outcome {
  if (result.status === 'rejected') return `rejected:${result.code}`
  if (result.status === 'ignored') return `ignored:${result.code}`
  return result.status
}

function byCode(results: readonly ItemResult[]): ReadonlyMap<string, number> {
  const codes = new Map<string, number>()
  for (const result of results) {
    if (result.status === 'rejected') codes.set(result.code, (codes.get(result.code) ?? 0) + 1)
  }
  return codes
}

/** Counts a request whose body cannot be read. */
export function countUnreadable(c: Context<AppEnv>, endpoint: Endpoint): void {
  countOutcomes(c, endpoint, ['rejected:unreadable'], Date.now())
}

/** Returns an idempotency key for the ids of another system. The ids can have any length and any characters. */
export function keyOf(endpoint: Endpoint, ...ids: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(ids)).digest('base64url')
  return `${endpoint}:${digest}`
}

/**
 * Returns an error text about the rejected items. For each of up to 5 reasons, the text has the number of items and the
 * detail of the first item. The text has at most 2,000 characters. It is empty if no item was rejected.
 */
export function describeRejected(results: readonly ItemResult[], what: string): string {
  const kinds = new Map<string, { count: number; detail: string }>()
  for (const result of results) {
    if (result.status !== 'rejected') continue
    const kind = kinds.get(result.code)
    if (kind) kind.count += 1
    else kinds.set(result.code, { count: 1, detail: result.detail })
  }
  return [...kinds]
    .slice(0, MAX_DESCRIBED)
    .map(([code, { count, detail }]) => `${count} ${what}${count === 1 ? '' : 's'}: ${code}: ${detail}`)
    .join(' ')
    .slice(0, MAX_DESCRIPTION)
}

const MAX_DESCRIBED = 5
const MAX_DESCRIPTION = 2_000
