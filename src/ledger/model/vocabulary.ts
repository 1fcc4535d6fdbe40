import type { Mode } from '../../db/schema.ts'
import type { UsdParts } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { JsonText } from './json.ts'

/** The name of a ledger. A customer has one ledger for live keys and one for test keys. */
export interface LedgerName {
  readonly customer_id: string
  readonly mode: Mode
}

/**
 * A type with writable fields, for building an object. Optional fields are assigned one by one, because conditional
 * spreads are slow.
 */
export type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The owner of a wallet. The ids of users and teams are the customer's own ids. */
export type WalletOwner =
  | { readonly kind: 'customer' }
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'team'; readonly id: string }

/**
 * An idempotency key and the fingerprint of its request. The fingerprint of a client's request is a hash of the
 * operation and the body. It distinguishes a repeated request from another request with the same key.
 */
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

/** The provider's charge for an event. `unpriced`: no price was found. `none`: the event has nothing to price. */
export type ProviderCharge =
  | { readonly kind: 'priced'; readonly cost: UsdParts; readonly price_version: string }
  | {
      readonly kind: 'unpriced'
      readonly price_version: string
      /** The cost at the provider's most expensive current model; null or absent if it is unknown or too large. */
      readonly ceiling_cost?: UsdParts | null
    }
  | { readonly kind: 'none'; readonly price_version: string }

/**
 * The maximum time by which an event's timestamp can be later than its arrival. A later timestamp is allowed because
 * clients' clocks can be fast.
 */
export const MAX_EVENT_AHEAD_MS = 5 * 60_000

/**
 * The values that determine the price together with provider, model and usage. They are stored, so that an event can
 * be priced again.
 */
export interface PriceModifiers {
  readonly service_tier?: string
  readonly region?: string
  readonly image_size?: string
  readonly image_quality?: string
  readonly search_context_size?: string
}

/** The fields that a priced event and the record of an event have in common. */
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
  /** The quantities in the customer's own units. Only burn tables price them. */
  readonly custom?: Readonly<Record<string, number>>
  readonly warnings?: readonly string[]
}

/** An event with its price and everything that determined the price. */
export interface RatedFields extends EventFields {
  /**
   * The id of the API key that sent the event. If the event settled a hold, the id of the API key that opened the hold.
   * Absent in records of earlier versions.
   */
  readonly key_id?: string
  readonly cost: UsdParts
  /** The `customer_price_usd` of the event: the value of its credits by the `credits_per_usd` of the burn table. */
  readonly price: UsdParts
  readonly burn_table_version: number
  readonly price_version: string
  readonly unrated?: true
}

/** An event that was validated and priced. The ledger converts its cost to credits and burns them. */
export interface PricedEvent extends EventFields {
  /** The hold that the event settles. */
  readonly hold?: WalletItemRef
  readonly charge: ProviderCharge
  readonly metadata?: JsonText
}

/** The parts of the id of a hold or a recurring grant. */
export interface WalletItemRef {
  readonly number: number
  readonly wallet: number
  readonly created_at_ms: number
}

export const LOT_KINDS = ['promo', 'paid'] as const

export type LotKind = (typeof LOT_KINDS)[number]
