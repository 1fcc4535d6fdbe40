import type { MicroCredits, UsdParts } from '../../pricing/money.ts'
import type { Entry } from './journal.ts'
import type { Counts } from './limits.ts'
import type { LotPart } from './lots.ts'
import type { ProviderCharge } from './vocabulary.ts'

/**
 * The part of a burn's price that has not been given back, and the credits that go with it; `given` are the credits
 * that were given back before.
 */
export interface OpenPrice {
  readonly given: MicroCredits
  readonly credits: MicroCredits
  readonly price: UsdParts
}

/** A recorded event that has no final price yet. */
export interface UnratedEvent {
  readonly entry: Entry
  /** The event's price, if the price is known but the wallet could not pay it. */
  readonly charge: ProviderCharge | null
}

/** The final rating of an event that was recorded unrated: an entry of its own. */
export interface Amendment extends Counts {
  /** The entry that burned or returned the difference. */
  readonly by_entry: number
  readonly rated_at_ms: number
  /** The total cost of the event now. */
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
  /** The lots that the second entry took from: a void returns these credits too. */
  readonly lots: readonly LotPart[]
  readonly cost: UsdParts
  readonly price: UsdParts
  readonly burn_table_version: number
  readonly price_version: string
  /** The part of its price that had not been given back when it was rated. */
  readonly open: OpenPrice
}

/** A price that was found for an event which was recorded without one. */
export interface RerateItem {
  readonly entry: number
  readonly charge: ProviderCharge
}

/** A provider and a model as an event names them; an empty text where it names none. */
export interface UnratedModel {
  readonly provider: string
  readonly model: string
}

/** The unrated events of one model. */
export interface UnratedSummary extends UnratedModel {
  /** The number of events, at most `MAX_UNRATED_COUNTED`. */
  readonly events: number
  /** The arrival of the oldest. */
  readonly oldest_at_ms: number
  /** Whether the oldest has a price, and its wallet could not pay it. */
  readonly is_unpaid: boolean
}

/** Events beyond this number are not counted: each costs a row read. */
export const MAX_UNRATED_COUNTED = 10_000

/**
 * The unrated events that late rating examines: new events, events of some models, and events that a wallet could not
 * pay.
 */
export interface UnratedSelection {
  /** The entry after which every event is new. */
  readonly after_entry: number
  readonly models: readonly UnratedModel[]
}
