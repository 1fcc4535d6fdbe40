import {
  divideHalfEven,
  type MicroCredits,
  microCredits,
  type PicoUsd,
  picoUsd,
  type UsdParts,
  usdFromParts,
  usdToParts,
  ZERO_USD,
} from '../../pricing/money.ts'
import type { LotKind } from './vocabulary.ts'

/**
 * A lot: credits that an entry added to a wallet, such as a grant or a purchase. An open lot has begun and has
 * remaining credits.
 */
export interface Lot {
  readonly number: number
  readonly kind: LotKind
  /** The priority from 0 to 100. Lots with a lower priority are burned first. */
  readonly priority: number
  /** The time at which the lot's unreserved credits expire; null for no expiry. */
  readonly expires_at_ms: number | null
  /** The time from which the lot can be burned, if it begins after its creation. */
  readonly starts_at_ms?: number
  readonly created_at_ms: number
  readonly amount: MicroCredits
  /** The price paid for `amount`; absent for free credits. */
  readonly price?: UsdParts
  /** The number of the recurring grant that granted the lot's credits. */
  readonly recurring?: number
  /** The remaining amount, including held credits. */
  left: MicroCredits
  /** The part of the price that belongs to `left`; absent until credits are taken from the lot. */
  price_left?: UsdParts
  /** The part of `left` that open holds reserve. */
  held: MicroCredits
}

/**
 * The amount that an entry moved into a lot; negative for an amount that it took out of the lot. In a hold, the amount
 * that the hold reserves. `paid` is the share of the lot's price that moved with the amount. It is never negative, and
 * absent if it is 0.
 */
export type LotPart = readonly [lot_number: number, amount: MicroCredits, paid?: UsdParts]

export function lotPart(number: number, amount: number, paid: PicoUsd = ZERO_USD): LotPart {
  return paid === ZERO_USD ? [number, microCredits(amount)] : [number, microCredits(amount), usdToParts(paid)]
}

/** Returns the share of a lot's price that moved with a part. */
export function paidOf([, , paid]: LotPart): PicoUsd {
  return paid ? usdFromParts(paid) : ZERO_USD
}

/**
 * The number that denotes the wallet's overdraft in place of a lot's number. The overdraft is used after all lots.
 */
export const OVERDRAFT = 0

/**
 * The maximum number of lots in a wallet that are not used up. A maximum is needed because each burn iterates over the
 * lots, and the wallet is written with all of its lots.
 */
export const MAX_OPEN_LOTS = 1000

/** The fields of a lot that determine its place in burn order. They never change. */
export type LotPlace = Pick<Lot, 'priority' | 'expires_at_ms' | 'kind' | 'number'>

/**
 * The position of a lot in a list of lots. `as_of_ms` is the time of the first page, which determines the order of all
 * pages.
 */
export interface ListedLotPlace extends LotPlace {
  readonly starts_at_ms: number | null
  readonly as_of_ms: number
}

/**
 * Compares two lots in burn order: by priority (lower first), then expiry (earlier first, no expiry last), then kind
 * (promo first), then age (older first).
 */
export function compareBurnOrder(a: LotPlace, b: LotPlace): number {
  return (
    a.priority - b.priority ||
    compareExpiry(a.expires_at_ms, b.expires_at_ms) ||
    Number(a.kind === 'paid') - Number(b.kind === 'paid') ||
    a.number - b.number
  )
}

/** Inserts a lot at its place in burn order. */
export function insertLot(lots: Lot[], lot: Lot): void {
  const at = lots.findIndex((other) => compareBurnOrder(lot, other) < 0)
  lots.splice(at === -1 ? lots.length : at, 0, lot)
}

/** Returns the unreserved amount of the lot. */
export function free(lot: Lot): MicroCredits {
  return microCredits(lot.left - lot.held)
}

/** Returns the unreserved amount of all lots. */
export function sumOfFree(lots: readonly Lot[]): MicroCredits {
  return microCredits(lots.reduce((sum, lot) => sum + lot.left - lot.held, 0))
}

/**
 * Returns the parts of lots that a burn of `amount` takes, in burn order and without held credits. Throws if the lots
 * have fewer unreserved credits.
 */
export function inBurnOrder(lots: readonly Lot[], amount: MicroCredits): { lot: Lot; part: MicroCredits }[] {
  const parts: { lot: Lot; part: MicroCredits }[] = []
  let open: number = amount
  for (const lot of lots) {
    if (open === 0) break
    const part = microCredits(Math.min(open, free(lot)))
    if (part === 0) continue
    open -= part
    parts.push({ lot, part })
  }
  if (open !== 0) throw new Error(`the lots have ${open} micro-credits less than the requested amount`)
  return parts
}

/**
 * Takes `amount` out of `lots` in burn order, and removes empty lots. Returns the taken parts. Throws if the lots have
 * fewer unreserved credits. The caller must check the amount first, so this error indicates a bug. The commit then
 * writes nothing.
 */
export function takeFromLots(lots: Lot[], amount: MicroCredits): { lot: Lot; part: LotPart }[] {
  const takes = inBurnOrder(lots, amount).map(({ lot, part }) => ({ lot, part: withdraw(lot, part) }))
  removeEmpty(lots)
  return takes
}

/**
 * Takes credits out of a lot, with their share of the remaining price, and returns the taken part. The last credits
 * take the rest of the price, so the shares of a lot sum to exactly its price despite rounding.
 */
export function withdraw(lot: Lot, amount: MicroCredits): LotPart {
  const priced = priceLeft(lot)
  const paid = shareOf(priced, amount, lot.left)
  lot.left = microCredits(lot.left - amount)
  if (lot.price) lot.price_left = usdToParts(picoUsd(priced - paid))
  return lotPart(lot.number, -amount, paid)
}

/** Returns credits to the lot that they were taken from, with their share of its price. */
export function putBack(lot: Lot, [, amount, paid]: LotPart): void {
  if (paid) lot.price_left = usdToParts(picoUsd(priceLeft(lot) + usdFromParts(paid)))
  lot.left = microCredits(lot.left + amount)
}

/** Returns the share of a price for `amount` of `whole`, rounded half-even to 1e-12 USD. */
export function shareOf(price: PicoUsd, amount: number, whole: number): PicoUsd {
  if (amount === whole || price === ZERO_USD) return price
  return picoUsd(divideHalfEven(price * BigInt(amount), BigInt(whole)))
}

function priceLeft({ price, price_left = price }: Lot): PicoUsd {
  return price_left ? usdFromParts(price_left) : ZERO_USD
}

/**
 * Returns the parts of a burn that return the next `amount` credits, after `given` credits have already been returned.
 * The parts are in the reverse of burn order, so the credits that were burned first are returned last. Throws if the
 * unreturned part of the burn has fewer credits.
 */
export function lastTaken(parts: readonly LotPart[], given: MicroCredits, amount: MicroCredits): LotPart[] {
  const returned: LotPart[] = []
  let skip: number = given
  let open: number = amount
  for (const burned of parts.toReversed()) {
    const size = -burned[1]
    const from = Math.min(skip, size)
    const to = Math.min(size, from + open)
    if (to > from) returned.push(lotPart(burned[0], to - from, paidBetween(paidOf(burned), from, to, size)))
    skip -= from
    open -= to - from
  }
  if (open !== 0) {
    throw new Error(`the unreturned part of the burn is ${open} micro-credits less than the amount to return`)
  }
  return returned
}

/**
 * Returns the share of `paid` for the credits from position `from` to position `to` of `whole`. The shares of
 * adjacent ranges sum to exactly `paid`.
 */
function paidBetween(paid: PicoUsd, from: number, to: number, whole: number): PicoUsd {
  return picoUsd(shareOf(paid, to, whole) - shareOf(paid, from, whole))
}

/** Removes empty lots from the list. */
export function removeEmpty(lots: Lot[]): void {
  let kept = 0
  for (const lot of lots) if (lot.left > 0) lots[kept++] = lot
  lots.length = kept
}

/**
 * Returns the time at which a lot is due next: its expiry, or null if it never expires or holds reserve all of it. Held
 * credits do not expire.
 */
export function lotDueAt(lot: Lot): number | null {
  return free(lot) > 0 ? lot.expires_at_ms : null
}

/** Returns the time of the next expiry and the unreserved amount that expires then; null if nothing will expire. */
export function expiringNext(lots: readonly Lot[]): { amount: MicroCredits; at_ms: number } | null {
  let at_ms = Number.POSITIVE_INFINITY
  let amount = 0
  for (const lot of lots) {
    const due_at_ms = lotDueAt(lot)
    if (due_at_ms === null || due_at_ms > at_ms) continue
    if (due_at_ms < at_ms) amount = 0
    at_ms = due_at_ms
    amount += free(lot)
  }
  return amount === 0 ? null : { amount: microCredits(amount), at_ms }
}

function compareExpiry(a: number | null, b: number | null): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a - b
}
