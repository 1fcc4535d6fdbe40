import type { BurnTableDefinition } from '../../../pricing/burn-table/definition.ts'
import type { MicroCredits } from '../../../pricing/money.ts'
import type { Usage } from '../../../pricing/usage.ts'
import type { LotPart } from '../lots.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency, ProviderCharge } from '../vocabulary.ts'

/** A definition that may leave the credits per USD to the deployment. */
export type NewDefinition = Omit<BurnTableDefinition, 'credits_per_usd'> & {
  readonly credits_per_usd?: string | undefined
}

/** The fields that an edit changes; undefined keeps a field. */
export type ChangedFields = {
  readonly [F in keyof BurnTableDefinition]?: BurnTableDefinition[F] | undefined
}

/** The given times: undefined if a time was not given, null for no end. */
export interface Times {
  readonly effective_from_ms?: number | undefined
  readonly effective_to_ms?: number | null | undefined
}

export type BurnTableChange =
  | ({ readonly kind: 'create'; readonly id: string; readonly definition: NewDefinition } & Times)
  /** The changed fields, each complete. */
  | ({ readonly kind: 'edit'; readonly id: string; readonly fields: ChangedFields } & Times)

export interface SaveBurnTableMessage {
  readonly change: BurnTableChange
  readonly idempotency?: Idempotency
}

export interface DeactivateBurnTableMessage {
  readonly id: string
}

/** A version of a table. Without id and times it is the deployment's default. */
export interface BurnTableAnswer {
  readonly id: string | null
  readonly version: number
  readonly definition: BurnTableDefinition
  readonly effective_from_ms: number | null
  readonly effective_to_ms: number | null
  /** The time when the table was created. */
  readonly created_at_ms: number | null
  /** The time when the version was saved. */
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
  /** The entry of a recorded event; null for a calculation. */
  readonly entry: number | null
}

export interface ExplainAnswer {
  /** Is null for a version that the ledger does not have. */
  readonly table: BurnTableAnswer | null
  /** The credits of the event that were given back. */
  readonly given_back: MicroCredits
  readonly voided: boolean
  /** Lots that a late rating took from. */
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
  /** Picks the table. */
  readonly at_ms: number
}

export interface QuoteMessage {
  readonly items: readonly QuoteItem[]
}

/** Charges may be more than any wallet holds: integers in text, of micro-credits and pico-USD. */
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
