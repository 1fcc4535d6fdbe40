import type { MicroCredits, UsdParts } from '../../pricing/money.ts'
import type { Entry } from './journal.ts'
import type { Counts } from './limits.ts'
import type { LotPart } from './lots.ts'
import type { ProviderCharge } from './vocabulary.ts'

/**
 * The price and the credits of a burn, without the part that was returned before its late rating. `given` is the number
 * of credits that were returned before the late rating or by it; 0 if there was no late rating.
 */
export interface OpenPrice {
  readonly given: MicroCredits
  readonly credits: MicroCredits
  readonly price: UsdParts
}

/** A recorded event without a final price. */
export interface UnratedEvent {
  readonly entry: Entry
  /**
   * The event's cost, if it is known but could not be charged; otherwise null. It cannot be charged if the wallet
   * cannot pay or cannot take returned credits, if the price exceeds the maximum balance, or if a limit is reached.
   */
  readonly charge: ProviderCharge | null
}

/** The final rating of an event that was recorded without a price. It has its own entry. */
export interface Amendment extends Counts {
  /** The number of the entry that burned or returned the difference. */
  readonly by_entry: number
  readonly rated_at_ms: number
  /** The total credits of the event after this rating. */
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
  /** The parts of lots that the rating's entry took. A void of the event also returns the credits of these parts. */
  readonly lots: readonly LotPart[]
  readonly cost: UsdParts
  readonly price: UsdParts
  readonly burn_table_version: number
  readonly price_version: string
  /** The part of the event's price that was not returned before the rating. */
  readonly open: OpenPrice
}

/** An event that was recorded without a price, and the price that was found for it. */
export interface RerateItem {
  readonly entry: number
  readonly charge: ProviderCharge
}

/** The provider and the model of an event. A missing provider or model is an empty text. */
export interface UnratedModel {
  readonly provider: string
  readonly model: string
}

/** The unrated events of one model. */
export interface UnratedSummary extends UnratedModel {
  /** The number of events, at most `MAX_UNRATED_COUNTED`. */
  readonly events: number
  /** The arrival time of the oldest event. */
  readonly oldest_at_ms: number
  /** Whether the oldest event has a price that could not be charged. */
  readonly is_unpaid: boolean
}

/**
 * The maximum number of unrated events of a model that are counted. It is limited because counting an event reads one
 * row.
 */
export const MAX_UNRATED_COUNTED = 10_000

/**
 * The selection of unrated events for late rating: new events, and events of some models. Events with a price that
 * could not be charged are always selected.
 */
export interface UnratedSelection {
  /** The number of the entry after which all events are new. */
  readonly after_entry: number
  readonly models: readonly UnratedModel[]
}
