import { CREDIT_DECIMALS, USD_DECIMALS } from '../../pricing/money.ts'
import { LIMIT_PERIODS } from '../../time/windows.ts'
import { type JsonText, jsonTextFrom } from './json.ts'
import type { WalletOwner } from './vocabulary.ts'

export const LIMIT_UNITS = ['credits', 'events', 'tokens', 'usd'] as const

export type LimitUnit = (typeof LIMIT_UNITS)[number]

/** The decimals of a unit. Its quantities are integers in its smallest decimal (micro-credits, pico-USD). */
export const UNIT_DECIMALS: Readonly<Record<LimitUnit, number>> = {
  credits: CREDIT_DECIMALS,
  events: 0,
  tokens: 0,
  usd: USD_DECIMALS,
}

/** The periods of an entitlement: fixed windows, or one rolling window that ends now. */
export const ENTITLEMENT_PERIODS = [...LIMIT_PERIODS, 'ROLLING'] as const
export type EntitlementPeriod = (typeof ENTITLEMENT_PERIODS)[number]

/** The length of a rolling window, as the customer gave it. */
export type RollingLength = { readonly hours: number } | { readonly days: number }

/**
 * The longest rolling window: a month. A window has a fixed number of parts, so each part of the longest is
 * half a day.
 */
export const MAX_ROLLING_DAYS = 31
export const MAX_ROLLING_HOURS = 24 * MAX_ROLLING_DAYS

/**
 * The subject whose use an entitlement covers. Users, teams and the customer have wallets too; API keys and
 * models have none.
 */
export type LimitOwner = WalletOwner | { readonly kind: 'key' | 'model'; readonly id: string }

export type Level = LimitOwner['kind']

/** The `feature_id` of an entitlement for every feature: one of an API key or a model. No feature has this name. */
export const ALL_FEATURES = ''

/** Whether a feature without any row may be used. */
export type DefaultEntitlement = 'allow' | 'deny'

/**
 * A feature and its user, and the model that is used. The API key is passed beside it, because an event does
 * not name its own key.
 */
export interface Subject {
  readonly feature_id: string
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
  readonly model?: string | undefined
}

/** The used quantity of each unit. */
export type Quantities = Readonly<Record<LimitUnit, bigint>>

/** A limit's count. Reservations of open holds count in every window until they end; uses count in their own window. */
export interface LimitCounter {
  /** The start of the latest window with a count; of a rolling limit, of its latest part with a count. */
  readonly window_start_ms: number
  readonly used: bigint
  /** The earlier parts of a rolling limit, see `PackedParts`. */
  readonly earlier?: PackedParts
  /** Is absent when no open hold reserves anything. */
  readonly reserved?: bigint
}

/**
 * Parts of a rolling window as plain JSON, oldest first. Each part has two items: how many minutes it begins before the
 * latest part, and its quantity. The list is flat, because a counter has up to 60 parts and is written with each commit
 * that changes it.
 */
export type PackedParts = readonly (number | string)[]

/** The part of a counter that a hold reserves, plain JSON: a quantity above 2^53 is text. */
export type ReservedQuantity = readonly [counter: number, quantity: number | string]

/** A counted quantity and its counter, plain JSON: a quantity above 2^53 is text. Stored with each use that can be given back. */
export type Counted = readonly [counter: number, window_start_ms: number, quantity: number | string]

/** Writes a quantity as plain JSON: above 2^53 as text. */
export function quantityJson(quantity: bigint): number | string {
  const number = Number(quantity)
  return Number.isSafeInteger(number) ? number : quantity.toString()
}

/** The field of an entry with its counted quantities; absent when nothing was counted. */
export interface Counts {
  readonly counted?: readonly Counted[]
}

/** The reason why a feature is off: its row disables it, or it has no row and the default is to deny. */
export type OffReason = 'feature_disabled' | 'feature_not_enabled'

/**
 * The quantity of a unit that a wallet has used in the current period, for each burn table rule that needs it. Part of
 * the wallet's state: they are written together with its balance, and cost no row.
 */
export type PeriodCounters = Readonly<Record<string, PeriodCounter>>

export interface PeriodCounter {
  readonly resets_at_ms: number
  /** A plain decimal: sums of many quantities exceed the exact range of a double. */
  readonly quantity: string
}

/** Returns the counters without those of past periods. */
export function currentCounters(counters: PeriodCounters, at_ms: number): PeriodCounters {
  const all = Object.entries(counters)
  const current = all.filter(([, { resets_at_ms }]) => resets_at_ms > at_ms)
  return current.length === all.length ? counters : Object.fromEntries(current)
}

export const LIMIT_TYPES = ['HARD', 'SOFT', 'NONE'] as const

export type LimitType = (typeof LIMIT_TYPES)[number]

/** The feature of an entitlement, and the subject whose use counts. Never changes. */
export interface EntitlementPlace {
  /** A feature, or `ALL_FEATURES`. */
  readonly feature_id: string
  /** A user, a team, an API key, a model, or the customer, whose limit counts the use of all. */
  readonly owner: LimitOwner
}

/** A customer's rules for a feature at one level. With a period it counts use; with a limit as well, it limits use. */
export interface EntitlementRules {
  readonly limit_type: LimitType
  /** The limit in the unit's smallest part, an integer as text. */
  readonly limit: string | null
  readonly unit: LimitUnit
  readonly period: EntitlementPeriod | null
  /** The length of the windows of `ROLLING`. */
  readonly rolling?: RollingLength
  readonly anchor_ms: number | null
  /** The IANA zone of the windows. Absent in entitlements of earlier versions: UTC. */
  readonly time_zone?: string
  readonly enabled: boolean
  /** The customer's own configuration, any JSON. */
  readonly value_text?: JsonText
  readonly metadata_text?: JsonText
  /** The parsed form that earlier versions stored. `freeJsonOf` reads both forms. */
  readonly value?: unknown
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** The customer's own JSON of an entitlement. */
export interface FreeJson {
  readonly value: JsonText | undefined
  readonly metadata: JsonText | undefined
}

export function freeJsonOf({ value_text, metadata_text, value, metadata }: EntitlementRules): FreeJson {
  return {
    value: value_text ?? jsonTextFrom(value),
    metadata: metadata_text ?? jsonTextFrom(metadata),
  }
}

export interface Entitlement extends EntitlementPlace, EntitlementRules {
  readonly id: string
  /** The number of its creation: 1, 2, 3 …; never used twice. */
  readonly number: number
  /** The number of its counter. Changes with the unit and with the windows; never used twice. */
  readonly counter: number
  /** Rises with every change of any entitlement. */
  readonly revision: number
  readonly deleted: boolean
  readonly created_at_ms: number
  readonly updated_at_ms: number
}
