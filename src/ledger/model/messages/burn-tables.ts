import type { BurnTableDefinition } from '../../../pricing/burn-table/definition.ts'
import type { MicroCredits } from '../../../pricing/money.ts'
import type { Usage } from '../../../pricing/usage.ts'
import type { LotPart } from '../lots.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency, ProviderCharge } from '../vocabulary.ts'

/** The definition of a new burn table. Without `credits_per_usd`, the deployment's default applies. */
export type NewDefinition = Omit<BurnTableDefinition, 'credits_per_usd'> & {
  readonly credits_per_usd?: string | undefined
}

/** The new values of the fields that an edit changes. An undefined field keeps its value. */
export type ChangedFields = {
  readonly [F in keyof BurnTableDefinition]?: BurnTableDefinition[F] | undefined
}

/**
 * The start and the end of a burn table in a request. A time is undefined if the request does not contain it.
 * `effective_to_ms` is null if the table has no end.
 */
export interface Times {
  readonly effective_from_ms?: number | undefined
  readonly effective_to_ms?: number | null | undefined
}

export type BurnTableChange =
  | ({ readonly kind: 'create'; readonly id: string; readonly definition: NewDefinition } & Times)
  /** An edit. `fields` contains the complete new value of each changed field. */
  | ({ readonly kind: 'edit'; readonly id: string; readonly fields: ChangedFields } & Times)

export interface SaveBurnTableMessage {
  readonly change: BurnTableChange
  readonly idempotency?: Idempotency
}

export interface DeactivateBurnTableMessage {
  readonly id: string
}

/** A version of a burn table. The deployment's default table has null as its id and its times. */
export interface BurnTableAnswer {
  readonly id: string | null
  readonly version: number
  readonly definition: BurnTableDefinition
  readonly effective_from_ms: number | null
  readonly effective_to_ms: number | null
  /** The time at which the table was created. */
  readonly created_at_ms: number | null
  /** The time at which the version was saved. */
  readonly updated_at_ms: number | null
  readonly deactivated_at_ms: number | null
}

export type BurnTableResult = Answered<BurnTableAnswer> | Refused

export type BurnTablesQuestion =
  | { readonly kind: 'list'; readonly before_version: number | null; readonly limit: number }
  | { readonly kind: 'one'; readonly id: string; readonly version: number | null }
  | { readonly kind: 'active' }

export interface BurnTablesMessage {
  readonly question: BurnTablesQuestion
}

export interface BurnTablesAnswer {
  readonly tables: readonly BurnTableAnswer[]
  readonly next_before_version: number | null
}

export type BurnTablesResult = { readonly kind: 'done'; readonly answer: BurnTablesAnswer } | Refused

export interface ExplainMessage {
  readonly burn_table_version: number
  /** The number of the entry of a recorded event; null for a calculation. */
  readonly entry: number | null
}

export interface ExplainAnswer {
  /** The version of the table; null if the ledger has no such version. */
  readonly table: BurnTableAnswer | null
  /** The credits of the event that voids, refunds and its late rating returned. */
  readonly given_back: MicroCredits
  readonly voided: boolean
  /** The parts of lots that a late rating of the event took. */
  readonly late_lots: readonly LotPart[]
}

export type ExplainResult = { readonly kind: 'done'; readonly answer: ExplainAnswer } | Refused

/** An item to price without moving credits. */
export interface QuoteItem {
  readonly feature_id?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly usage?: Usage | undefined
  readonly custom?: Readonly<Record<string, number>> | undefined
  readonly charge: ProviderCharge
  /** The time that determines which table rates the item. */
  readonly at_ms: number
}

export interface QuoteMessage {
  readonly items: readonly QuoteItem[]
}

/**
 * The result for one item. Charges are integers in text, in micro-credits and pico-USD, because they can exceed the
 * largest balance.
 */
export type Quote =
  | {
      readonly kind: 'charged'
      readonly credits_micro: string
      readonly price_pico: string
      readonly pricing_source: 'default_burn_table' | 'burn_table'
      readonly burn_table_version: number
      readonly warnings: readonly string[]
    }
  | { readonly kind: 'unpriced' }

export type QuoteResult = { readonly kind: 'done'; readonly quotes: readonly Quote[] } | Refused
