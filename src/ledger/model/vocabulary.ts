import type { Mode } from '../../db/schema.ts'
import type { UsdParts } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { JsonText } from './json.ts'

/** The name of a ledger: a customer has one for live keys and one for test keys. */
export interface LedgerName {
  readonly customer_id: string
  readonly mode: Mode
}

/** An object while it is put together: optional fields are set one by one, because a conditional spread is slow. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The owner of a wallet, in the customer's own ids. */
export type WalletOwner =
  | { readonly kind: 'customer' }
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'team'; readonly id: string }

/** A key and the fingerprint of its request: SHA-256 of the operation and its body, to distinguish a repeat from a reuse. */
export interface Idempotency {
  readonly key: string
  readonly fingerprint: string
}

export const EVENT_TYPES = [
  'TOKEN_USAGE',
  'API_CALL',
  'FEATURE_ACCESS',
  'IMAGE_GENERATION',
  'VIDEO_GENERATION',
  'AUDIO_PROCESSING',
  'CUSTOM',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

const KNOWN_TYPES: ReadonlySet<unknown> = new Set(EVENT_TYPES)

export function isEventType(value: unknown): value is EventType {
  return KNOWN_TYPES.has(value)
}

/** The provider's charge for an event: a cost, no price found (`unpriced`), or nothing to price (`none`). */
export type ProviderCharge =
  | { readonly kind: 'priced'; readonly cost: UsdParts; readonly price_version: string }
  | {
      readonly kind: 'unpriced'
      readonly price_version: string
      /** The cost at the provider's most expensive current model; null or absent when unknown. */
      readonly ceiling_cost?: UsdParts | null
    }
  | { readonly kind: 'none'; readonly price_version: string }

/** The maximum time that an event may be ahead of its arrival, for clocks that run fast. */
export const MAX_EVENT_AHEAD_MS = 5 * 60_000

/** The values that select the price, beside provider, model and usage: kept, so that an event can be priced again. */
export interface PriceModifiers {
  readonly service_tier?: string
  readonly region?: string
  readonly image_size?: string
  readonly image_quality?: string
  readonly search_context_size?: string
}

/** The fields of an event, from its request to its record: the priced fields are the recorded ones. */
export interface EventFields {
  readonly timestamp_ms: number
  readonly event_type: EventType
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly provider?: string
  readonly model?: string
  readonly usage?: Usage
  readonly modifiers?: PriceModifiers
  /** The customer's own units, priced by burn tables only. */
  readonly custom?: Readonly<Record<string, number>>
  readonly warnings?: readonly string[]
}

/** An event with everything that determined its price. */
export interface RatedFields extends EventFields {
  /** The API key that sent it, or that opened the hold which it settled. Absent in records of earlier versions. */
  readonly key_id?: string
  readonly cost: UsdParts
  /** customer_price_usd: the credits at the table's credits per USD. */
  readonly price: UsdParts
  readonly burn_table_version: number
  readonly price_version: string
  readonly unrated?: true
}

/** An event that was validated and priced; the ledger turns its cost into credits and burns them. */
export interface PricedEvent extends EventFields {
  /** The hold that the event settles. */
  readonly hold?: WalletItemRef
  readonly charge: ProviderCharge
  readonly metadata?: JsonText
}

/** A hold or a recurring grant: the numbers in its id. */
export interface WalletItemRef {
  readonly number: number
  readonly wallet: number
  readonly created_at_ms: number
}

export const LOT_KINDS = ['promo', 'paid'] as const

export type LotKind = (typeof LOT_KINDS)[number]
