import type { LimitPeriod } from '../../time/windows.ts'
import { type JsonText, jsonTextFrom } from './json.ts'
import type { LimitUnit } from './limits.ts'
import type { WalletOwner } from './vocabulary.ts'

export const LIMIT_TYPES = ['HARD', 'SOFT', 'NONE'] as const

export type LimitType = (typeof LIMIT_TYPES)[number]

/** The feature of an entitlement and whose use of it counts. Never changes. */
export interface EntitlementPlace {
  readonly feature_id: string
  /** A user, a team, or the customer: the use of all together. */
  readonly owner: WalletOwner
}

/** A customer's rules for a feature at one level. With a period it counts use; with a limit as well, it limits use. */
export interface EntitlementRules {
  readonly limit_type: LimitType
  /** In the unit's smallest part, an integer as text. */
  readonly limit: string | null
  readonly unit: LimitUnit
  readonly period: LimitPeriod | null
  readonly anchor_ms: number | null
  readonly enabled: boolean
  /** The customer's own configuration, any JSON. */
  readonly value_text?: JsonText
  readonly metadata_text?: JsonText
  /** As earlier versions stored them, parsed: read both by `freeJsonOf`. */
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
  /** Of its creation: 1, 2, 3 …; never used twice. */
  readonly number: number
  /** The number of its counter. Changes with unit, period or anchor; never used twice. */
  readonly counter: number
  /** Rises with every change of any entitlement. */
  readonly revision: number
  readonly deleted: boolean
  readonly created_at_ms: number
  readonly updated_at_ms: number
}
