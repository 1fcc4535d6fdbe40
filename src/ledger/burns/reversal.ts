import {
  type MicroCredits,
  microCredits,
  type PicoUsd,
  picoUsd,
  type UsdParts,
  usdFromParts,
  usdToParts,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import type { Entry, PastUsage, Reversal, UsageCell } from '../model/journal.ts'
import { type LotPart, shareOf } from '../model/lots.ts'
import type { PastEntry } from '../model/messages/credits.ts'
import type { OpenPrice } from '../model/unrated.ts'

/**
 * Computes what a void or a refund of a burn reverses in addition to the credits. A void and a refund reverse the
 * price. A void also reverses the cost and the usage.
 */

/** Returns the fields of an earlier entry that a movement needs. */
export function pastEntry(entry: Entry): PastEntry {
  const { number, type, wallet, at_ms, amount, lots, counted, event } = entry
  const used = pastUsage(entry)
  return {
    number,
    type,
    wallet,
    at_ms,
    amount,
    lots,
    ...(counted && { counted }),
    ...(event?.rerates && { rerates: true as const }),
    ...(used && { used }),
  }
}

function pastUsage({ event, captured, at_ms }: Entry): PastUsage | undefined {
  if (captured) return { ...captured, timestamp_ms: at_ms, cost: NOTHING }
  if (!event) return undefined
  const { usage, custom, cost, price } = event
  return { ...cellOf(event), ...(usage && { usage }), ...(custom && { custom }), cost, price }
}

const NOTHING: UsdParts = { micro: 0, pico: 0 }

/** A burn together with the entry that rated it late, if there is one. */
export interface Burn {
  /** The total burned amount, as a negative number. */
  readonly amount: MicroCredits
  /** The parts of lots that were burned. Voids and refunds return credits to the last part first. */
  readonly lots: readonly LotPart[]
  /** Returns the time when the credits of a lot were burned: the time of the burn, or of the late rating. */
  readonly takenAt: (lot: number) => number
  readonly used: PastUsage
  readonly open: OpenPrice
}

/** Returns the burn of an entry. Throws if the entry is not a burn. */
export function burnOf(draft: Draft, { number, amount, lots, used, at_ms }: PastEntry): Burn {
  if (!used) throw new Error(`entry ${number} is not a burn of usage`)
  const amendment = draft.amendment(number)
  if (!amendment) {
    return {
      amount,
      lots,
      takenAt: () => at_ms,
      used,
      open: { given: ZERO_CREDITS, credits: microCredits(0 - amount), price: used.price },
    }
  }
  return {
    amount: microCredits(amendment.lots.reduce<number>((sum, [, part]) => sum + part, amount)),
    // Voids and refunds return credits to the last part first. Before the late rating, they returned credits to the
    // event's own lots, so those lots must stay last.
    lots: [...amendment.lots, ...lots],
    takenAt: (lot) => (amendment.lots.some(([number]) => number === lot) ? amendment.rated_at_ms : at_ms),
    used: { ...used, cost: amendment.cost },
    open: amendment.open,
  }
}

/**
 * Returns the reversal of a void or refund that returns `amount`. Earlier voids and refunds returned `given`.
 * Reverses the price in proportion to the credits, so partial reversals add up to exactly the price. Reverses cost
 * and usage completely for a void, and not at all for a refund.
 */
export function reversalOf(
  { used, open }: Burn,
  type: 'VOID' | 'REFUND',
  given: MicroCredits,
  amount: MicroCredits,
): Reversal {
  const { cost, usage, custom } = used
  const from = given - open.given
  const price = usdFromParts(open.price)
  const back = picoUsd(shareOf(price, from + amount, open.credits) - shareOf(price, from, open.credits))
  return {
    ...cellOf(used),
    price: usdToParts(back),
    ...(type === 'VOID' && { voided: { cost, ...(usage && { usage }), ...(custom && { custom }) } }),
  }
}

/** Returns the part of a price that remains after `given` of its `credits` were returned. */
export function openAfter(price: PicoUsd, given: number, credits: number): PicoUsd {
  return picoUsd(price - shareOf(price, given, credits))
}

function cellOf({
  timestamp_ms,
  event_type,
  feature_id,
  user_id,
  team_id,
  key_id,
  provider,
  model,
}: UsageCell): UsageCell {
  return {
    timestamp_ms,
    ...(event_type && { event_type }),
    feature_id,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    ...(key_id !== undefined && { key_id }),
    ...(provider !== undefined && { provider }),
    ...(model !== undefined && { model }),
  }
}
