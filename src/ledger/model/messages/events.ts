import type { BatchAnswer, EventAnswer } from '../answers.ts'
import type { Entry } from '../journal.ts'
import { jsonTextOf } from '../json.ts'
import type { Answered, Refusal, Refused } from '../refusal.ts'
import type { Amendment, RerateItem, UnratedModel, UnratedSelection, UnratedSummary } from '../unrated.ts'
import type { Idempotency, PricedEvent } from '../vocabulary.ts'

/**
 * An event of a request, or the refusal of the event. The Worker also sends a refused event, because its idempotency
 * key might have been used before. In that case, the result is a replay.
 */
export interface IngestItem {
  readonly idempotency?: Idempotency
  readonly event: PricedEvent | null
  readonly refusal: Refusal | null
}

export type IngestMessage =
  | { readonly shape: 'single'; readonly item: IngestItem }
  | {
      readonly shape: 'batch'
      readonly batch_id: string
      readonly idempotency?: Idempotency
      readonly items: readonly IngestItem[]
    }

/**
 * The minimum total length of a batch's metadata, in characters, at which the metadata is sent separately from the
 * message.
 */
const DETACHED_LENGTH = 64 * 1024

/**
 * Moves the metadata of a batch into `texts` if the metadata is long, and replaces each value with its position in
 * `texts`. Inside the JSON of the message, the metadata would be in memory several times, escaped and unescaped, in the
 * Worker and in the object.
 */
export function detachTexts(message: IngestMessage): {
  readonly message: IngestMessage
  readonly texts: readonly string[]
} {
  if (message.shape === 'single') return { message, texts: [] }
  const length = message.items.reduce((sum, { event }) => sum + (event?.metadata?.length ?? 0), 0)
  if (length < DETACHED_LENGTH) return { message, texts: [] }
  const texts: string[] = []
  const items = message.items.map((item): IngestItem => {
    if (item.event?.metadata === undefined) return item
    const place = jsonTextOf(String(texts.push(item.event.metadata) - 1))
    return { ...item, event: { ...item.event, metadata: place } }
  })
  return { message: { ...message, items }, texts }
}

/** Restores the metadata that `detachTexts` moved out of the message. */
export function attachTexts(message: IngestMessage, texts: readonly string[]): IngestMessage {
  if (message.shape === 'single' || texts.length === 0) return message
  const items = message.items.map((item): IngestItem => {
    const text = item.event?.metadata === undefined ? undefined : texts[Number(item.event.metadata)]
    return item.event && text !== undefined
      ? { ...item, event: { ...item.event, metadata: jsonTextOf(text) } }
      : item
  })
  return { ...message, items }
}

export type IngestResult =
  | ({ readonly shape: 'single' } & Answered<EventAnswer>)
  | ({ readonly shape: 'batch' } & Answered<BatchAnswer>)
  | Refused

export interface RerateMessage {
  readonly items: readonly RerateItem[]
}

export type RerateResult =
  | { readonly kind: 'done'; readonly answer: { readonly rated: number; readonly unpaid: number } }
  | Refused

/**
 * A request for events without a price, newest first, and for the final ratings of the entries in `amended`. The memory
 * of the events also limits a page.
 */
export interface UnratedMessage {
  readonly before_entry: number | null
  readonly limit: number
  readonly amended: readonly number[]
  /** The events to rate; absent for all events without a price. */
  readonly selection?: UnratedSelection
  /** The maximum number of models of unrated events to return; absent to return no models. */
  readonly models_limit?: number
  /** Whether to omit the metadata, which rating does not need. */
  readonly without_metadata?: boolean
}

export interface UnratedAnswer {
  readonly events: readonly Entry[]
  /** The `before_entry` of the next read; null only if no event is left. */
  readonly next_before_entry: number | null
  readonly amendments: readonly (readonly [entry: number, Amendment])[]
  readonly opened_at_ms: number
  readonly models?: readonly UnratedModel[]
}

export type UnratedResult = { readonly kind: 'done'; readonly answer: UnratedAnswer } | Refused

/**
 * A request for summaries of the unrated events of each model. It begins after the model `after`, in the order of
 * providers and models.
 */
export interface UnratedSummariesMessage {
  readonly after: UnratedModel | null
  readonly limit: number
}

export type UnratedSummariesResult =
  | { readonly kind: 'done'; readonly answer: readonly UnratedSummary[] }
  | Refused
