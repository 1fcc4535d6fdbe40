import { CREDIT_DECIMALS, USD_DECIMALS } from '../../pricing/money.ts'
import { LIMIT_PERIODS } from '../../time/windows.ts'
import { type JsonText, jsonTextFrom } from './json.ts'
import type { WalletOwner } from './vocabulary.ts'

export const LIMIT_UNITS = ['credits', 'events', 'tokens', 'usd'] as const

export type LimitUnit = (typeof LIMIT_UNITS)[number]

/**
 * The number of decimals of each unit. Quantities are integers in the unit's smallest decimal (micro-credits,
 * pico-USD).
 */
export const UNIT_DECIMALS: Readonly<Record<LimitUnit, number>> = {
  credits: CREDIT_DECIMALS,
  events: 0,
  tokens: 0,
  usd: USD_DECIMALS,
}

/** The periods of an entitlement: fixed windows, or `ROLLING`, a window that always ends now. */
export const ENTITLEMENT_PERIODS = [...LIMIT_PERIODS, 'ROLLING'] as const
export type EntitlementPeriod = (typeof ENTITLEMENT_PERIODS)[number]

/** The length of a rolling window, in the unit that the customer chose. */
export type RollingLength = { readonly hours: number } | { readonly days: number }

/**
 * The longest rolling window: a month. It is limited because a window has a fixed number of parts. In the longest
 * window, each part is about half a day.
 */
export const MAX_ROLLING_DAYS = 31
export const MAX_ROLLING_HOURS = 24 * MAX_ROLLING_DAYS

/**
 * The subject whose use an entitlement covers. Users, teams and the customer can also own a wallet. API keys and
 * models cannot.
 */
export type LimitOwner = WalletOwner | { readonly kind: 'key' | 'model'; readonly id: string }

export type Level = LimitOwner['kind']

/**
 * The `feature_id` of an entitlement that covers all features. Only entitlements of an API key or a model can have
 * it. It is not a valid name of a feature.
 */
export const ALL_FEATURES = ''

/** The rule for a feature without any entitlement. */
export type DefaultEntitlement = 'allow' | 'deny'

/**
 * The feature, the user or team, and the model of a use. The API key is passed separately, because an event does not
 * contain its own key.
 */
export interface Subject {
  readonly feature_id: string
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
  readonly model?: string | undefined
}

/** The used quantity of each unit. */
export type Quantities = Readonly<Record<LimitUnit, bigint>>

/**
 * The count of a limit. A use counts only in its own window. A reservation counts in every window until its hold
 * ends.
 */
export interface LimitCounter {
  /** The start of the latest window with a use. For a rolling limit, the start of its latest part with a use. */
  readonly window_start_ms: number
  readonly used: bigint
  /** The earlier parts of a rolling limit's window. */
  readonly earlier?: PackedParts
  /** The quantity that open holds reserve; absent if it is 0. */
  readonly reserved?: bigint
}

/**
 * The parts of a rolling window as plain JSON, oldest first. Each part has two items: the minutes from its beginning
 * to that of the latest part, and its quantity. The list is flat to keep it small: it has up to 60 parts, and each
 * commit that changes the counter writes all of them.
 */
export type PackedParts = readonly (number | string)[]

/** The quantity of a counter that a hold reserves, as plain JSON. A quantity above 2^53 is text. */
export type ReservedQuantity = readonly [counter: number, quantity: number | string]

/**
 * A counted quantity, its counter and its window, as plain JSON. A quantity above 2^53 is text. Each use that can be
 * voided stores its counted quantities.
 */
export type Counted = readonly [counter: number, window_start_ms: number, quantity: number | string]

/** Returns a quantity as plain JSON: a number up to 2^53, and text above it. */
export function quantityJson(quantity: bigint): number | string {
  const number = Number(quantity)
  return Number.isSafeInteger(number) ? number : quantity.toString()
}

/** The field of an entry with its counted quantities. The field is absent if nothing was counted. */
export interface Counts {
  readonly counted?: readonly Counted[]
}

/**
 * The reason why a feature cannot be used. `feature_disabled`: an entitlement disables it. `feature_not_enabled`: the
 * feature has no entitlement, and the default is to deny.
 */
export type OffReason = 'feature_disabled' | 'feature_not_enabled'

/**
 * The quantities that a wallet has used in the current period, by the burn table rules and alerts that need them.
 * They are part of the wallet's state, so they are written together with its balance and need no row of their own.
 */
export type PeriodCounters = Readonly<Record<string, PeriodCounter>>

export interface PeriodCounter {
  readonly resets_at_ms: number
  /**
   * The used quantity as a plain decimal, because a sum of many quantities may exceed the exact range of a double.
   */
  readonly quantity: string
}

/** Returns the counters of current periods. */
export function currentCounters(counters: PeriodCounters, at_ms: number): PeriodCounters {
  const all = Object.entries(counters)
  const current = all.filter(([, { resets_at_ms }]) => resets_at_ms > at_ms)
  return current.length === all.length ? counters : Object.fromEntries(current)
}

export const LIMIT_TYPES = ['HARD', 'SOFT', 'NONE'] as const

export type LimitType = (typeof LIMIT_TYPES)[number]

/** The feature of an entitlement and the subject whose use it counts. They never change. */
export interface EntitlementPlace {
  /** A feature, or `ALL_FEATURES`. */
  readonly feature_id: string
  /** The subject. A limit of the customer counts all use of the feature. */
  readonly owner: LimitOwner
}

/** The rules of an entitlement. With a period, use is counted. With a period and a limit, use is also limited. */
export interface EntitlementRules {
  readonly limit_type: LimitType
  /** The limit in the unit's smallest decimal, as an integer in text; null for no limit. */
  readonly limit: string | null
  readonly unit: LimitUnit
  readonly period: EntitlementPeriod | null
  /** The length of the window, if `period` is `ROLLING`. */
  readonly rolling?: RollingLength
  readonly anchor_ms: number | null
  /** The IANA time zone of the windows. Absent in entitlements of earlier versions, whose zone is UTC. */
  readonly time_zone?: string
  readonly enabled: boolean
  /** The customer's own configuration, as any JSON. */
  readonly value_text?: JsonText
  readonly metadata_text?: JsonText
  /**
   * The customer's own configuration in the parsed form that earlier versions stored. `freeJsonOf` reads both forms.
   */
  readonly value?: unknown
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** The JSON values of an entitlement that only the customer interprets. */
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
  /** The number of the entitlement, in the order of creation: 1, 2, 3 … A number is never reused. */
  readonly number: number
  /**
   * The number of the entitlement's counter. A change of the unit or of the windows assigns a new number. A number is
   * never reused.
   */
  readonly counter: number
  /**
   * The revision of the last change of this entitlement. All entitlements of a ledger share one sequence of
   * revisions, which increases with every change.
   */
  readonly revision: number
  readonly deleted: boolean
  readonly created_at_ms: number
  readonly updated_at_ms: number
}
