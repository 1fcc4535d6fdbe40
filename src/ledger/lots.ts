import { type MicroCredits, microCredits, type UsdParts } from '../pricing/money.ts'
import type { LotKind } from './messages.ts'

/** One grant or purchase inside a wallet, with what is left of it. Open lots have something left. */
export interface Lot {
  readonly number: number
  readonly kind: LotKind
  /** 0-100, lower burns first. */
  readonly priority: number
  /** The first moment at which it can no longer be burned; null: never. */
  readonly expires_at_ms: number | null
  readonly created_at_ms: number
  readonly amount: MicroCredits
  /** What was paid for `amount`; absent when nothing was. */
  readonly price?: UsdParts
  left: MicroCredits
}

/** How much of which lot an entry moved; negative out of the lot. */
export type LotPart = readonly [lot_number: number, amount: MicroCredits]

/** In place of a lot's number: the wallet's overdraft, which is used when all lots are. */
export const OVERDRAFT = 0

/** At most this many open lots in a wallet: a burn walks them, and they are written with the wallet. */
export const MAX_OPEN_LOTS = 1000

/** Burn order: priority (lower first), then earlier expiry (never last), then promo before paid, then older. */
export function compareBurnOrder(a: Lot, b: Lot): number {
  return (
    a.priority - b.priority ||
    compareExpiry(a.expires_at_ms, b.expires_at_ms) ||
    Number(a.kind === 'paid') - Number(b.kind === 'paid') ||
    a.number - b.number
  )
}

/** Adds a lot where burn order puts it. */
export function insertLot(lots: Lot[], lot: Lot): void {
  const at = lots.findIndex((other) => compareBurnOrder(lot, other) < 0)
  lots.splice(at === -1 ? lots.length : at, 0, lot)
}

/**
 * Takes `amount` out of `lots`, front first, and removes those that it empties. The caller has made sure that there
 * is enough: running out is a bug, found before anything is written.
 */
export function takeFromLots(lots: Lot[], amount: MicroCredits): { lot: Lot; taken: MicroCredits }[] {
  const takes: { lot: Lot; taken: MicroCredits }[] = []
  let open: number = amount
  let emptied = 0
  for (const lot of lots) {
    if (open === 0) break
    const taken = microCredits(Math.min(open, lot.left))
    open -= taken
    lot.left = microCredits(lot.left - taken)
    takes.push({ lot, taken })
    if (lot.left === 0) emptied++
  }
  if (open !== 0) throw new Error(`lots ran out with ${open} micro-credits still to take`)
  lots.splice(0, emptied)
  return takes
}

/** Removes the lots whose time has come at `now_ms` and returns them, the earliest expiry first. */
export function removeExpired(lots: Lot[], now_ms: number): Lot[] {
  const expired = lots
    .filter((lot) => lot.expires_at_ms !== null && lot.expires_at_ms <= now_ms)
    .sort((a, b) => compareExpiry(a.expires_at_ms, b.expires_at_ms) || a.number - b.number)
  for (const lot of expired) lots.splice(lots.indexOf(lot), 1)
  return expired
}

/** The lots that expire next, as one amount; null when none expires. */
export function expiringNext(lots: readonly Lot[]): { amount: MicroCredits; at_ms: number } | null {
  let at_ms = Number.POSITIVE_INFINITY
  let amount = 0
  for (const lot of lots) {
    if (lot.expires_at_ms === null || lot.expires_at_ms > at_ms) continue
    if (lot.expires_at_ms < at_ms) amount = 0
    at_ms = lot.expires_at_ms
    amount += lot.left
  }
  return amount === 0 ? null : { amount: microCredits(amount), at_ms }
}

function compareExpiry(a: number | null, b: number | null): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a - b
}
