import { CREDIT_DECIMALS, USD_DECIMALS } from '../../pricing/money.ts'
import { LIMIT_PERIODS } from '../../time/windows.ts'
import { type JsonText, jsonTextFrom } from './json.ts'
import type { WalletOwner } from './vocabulary.ts'

export const LIMIT_UNITS = ['credits', 'events', 'tokens', 'usd'] as const

export type LimitUnit = (typeof LIMIT_UNITS)[number]

/**
 * The number of decimal places of each unit. Quantities are stored as integers without a decimal point, for example as
 * micro-credits or pico-USD.
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
 * The length of the longest rolling window. A maximum is needed because a window has a fixed number of parts. In the
 * longest window, each part is about half a day.
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

/** The rule for a use for which neither the user, the team nor the customer has an entitlement. */
export type DefaultEntitlement = 'allow' | 'deny'

/**
 * The feature, the user, the team and the model of a use. The API key is passed separately, because an event does not
 * contain its own key.
 */
export interface Subject {
  readonly feature_id: string
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
  readonly model?: string | undefined
}

/** The quantity of a use in each unit. */
export type Quantities = Readonly<Record<LimitUnit, bigint>>

/**
 * The state of a limit's counter. A use counts only in its own window. A reservation counts in every window until it is
 * released.
 */
export interface LimitCounter {
  /** The start of the counter's latest window. For a rolling limit, the start of the window's latest part. */
  readonly window_start_ms: number
  readonly used: bigint
  /** The earlier parts of a rolling limit's window. */
  readonly earlier?: PackedParts
  /** The quantity that open holds reserve; absent if it is 0. */
  readonly reserved?: bigint
}

/**
 * The parts of a rolling window before the latest part, as plain JSON, oldest first. Each part has two items: the
 * number of minutes from its start to the start of the latest part, and its quantity. The list is flat to keep it
 * small: it has up to 60 parts, and each commit that changes the counter writes all of them.
 */
export type PackedParts = readonly (number | string)[]

/** The quantity of a counter that a hold reserves, as plain JSON. A quantity that is not a safe integer is text. */
export type ReservedQuantity = readonly [counter: number, quantity: number | string]

/**
 * A counted quantity, its counter and its window, as plain JSON. A quantity that is not a safe integer is text. Each
 * use that can be voided stores its counted quantities.
 */
export type Counted = readonly [counter: number, window_start_ms: number, quantity: number | string]

/** Returns a quantity as plain JSON: a number if it is a safe integer, otherwise text. */
export function quantityJson(quantity: bigint): number | string {
  const number = Number(quantity)
  return Number.isSafeInteger(number) ? number : quantity.toString()
}

/** The field with the quantities that limits counted; absent if nothing was counted. */
export interface Counts {
  readonly counted?: readonly Counted[]
}

/**
 * The reason why a feature cannot be used. `feature_disabled`: an entitlement disables it. `feature_not_enabled`:
 * neither the user, the team nor the customer has an entitlement, and the default is to deny.
 */
export type OffReason = 'feature_disabled' | 'feature_not_enabled'

/**
 * The quantities that a wallet has used in periods, by the key of the counter. Burn table rules and alerts read them.
 * They are part of the wallet's state, so they are written together with its balance and need no row of their own.
 */
export type PeriodCounters = Readonly<Record<string, PeriodCounter>>

export interface PeriodCounter {
  readonly resets_at_ms: number
  /** The used quantity as a plain decimal, because a sum of many quantities can exceed the exact range of a double. */
  readonly quantity: string
}

/** Returns only the counters whose periods have not ended at `at_ms`. */
export function currentCounters(counters: PeriodCounters, at_ms: number): PeriodCounters {
  const all = Object.entries(counters)
  const current = all.filter(([, { resets_at_ms }]) => resets_at_ms > at_ms)
  return current.length === all.length ? counters : Object.fromEntries(current)
}

export const LIMIT_TYPES = ['HARD', 'SOFT', 'NONE'] as const

export type LimitType = (typeof LIMIT_TYPES)[number]

/** The feature of an entitlement and the subject whose use it covers. They change only if the subject is erased. */
export interface EntitlementPlace {
  /** A feature, or `ALL_FEATURES`. */
  readonly feature_id: string
  /** The subject. A limit of the customer counts all use of the feature. */
  readonly owner: LimitOwner
}

/** The rules of an entitlement. With a period, use is counted. With a period and a HARD limit, use is also limited. */
export interface EntitlementRules {
  readonly limit_type: LimitType
  /** The limit as an integer in text, in micro-credits, pico-USD, events or tokens; null for no limit. */
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
