import type { BatchAnswer, EventAnswer } from '../answers.ts'
import type { Entry } from '../journal.ts'
import type { Answered, Refusal, Refused } from '../refusal.ts'
import type { Amendment, RerateItem, UnratedModel, UnratedSelection } from '../unrated.ts'
import type { Idempotency, PricedEvent } from '../vocabulary.ts'

/** One event of a request. A refused one travels too: if its key was used before, the answer is a replay. */
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

/** Events without a price, newest first; and how those among `amended` were rated in the end. */
export interface UnratedMessage {
  readonly before_entry: number | null
  readonly limit: number
  readonly amended: readonly number[]
  /** Only these events; without it all of them. */
  readonly selection?: UnratedSelection
  /** Answers also with the models of unrated events, at most this many. */
  readonly models_limit?: number
}

export interface UnratedAnswer {
  readonly events: readonly Entry[]
  readonly amendments: readonly (readonly [entry: number, Amendment])[]
  readonly opened_at_ms: number
  readonly models?: readonly UnratedModel[]
}

export type UnratedResult = { readonly kind: 'done'; readonly answer: UnratedAnswer } | Refused
