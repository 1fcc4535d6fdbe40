import { type MicroCredits, microCredits, picoUsd, ZERO_CREDITS } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import type { Entry, NewEntry, NewLot } from '../model/journal.ts'
import {
  free,
  inBurnOrder,
  insertLot,
  type Lot,
  type LotPart,
  lotPart,
  OVERDRAFT,
  paidOf,
  putBack,
  removeEmpty,
  shareOf,
  sumOfFree,
  takeFromLots,
  withdraw,
} from '../model/lots.ts'
import type { Refusal } from '../model/refusal.ts'
import { fullRefusal, unusedLots, type Wallet } from '../model/wallet.ts'
import { lapsed } from './rollover.ts'

/**
 * Moves credits into and out of a wallet's lots. The functions change the lots of the draft's copy of the wallet. If a
 * function returns the moved parts, the caller must append the entry. `giveBack`, `beginLot`, `expireFreed` and
 * `expireLot` append the entry themselves. The caller must first check that the movement is possible. If it is not
 * possible, the function or the commit throws.
 */

/** Takes credits out of the lots in burn order, then out of the overdraft. */
export function take(draft: Draft, wallet: Wallet, amount: MicroCredits): LotPart[] {
  const [first] = wallet.lots
  // A fast path: the first lot usually has more credits than are taken, so it stays open.
  if (first && amount > 0 && free(first) > amount) return [withdraw(first, amount)]
  const from_lots = microCredits(Math.min(amount, sumOfFree(wallet.lots)))
  const parts = takeFromLots(wallet.lots, from_lots).map(({ lot, part }): LotPart => {
    if (lot.left === 0) draft.closedLots.set(lot.number, lot)
    return part
  })
  const from_overdraft = amount - from_lots
  if (from_overdraft > 0) {
    wallet.overdrawn = microCredits(wallet.overdrawn + from_overdraft)
    parts.push([OVERDRAFT, microCredits(-from_overdraft)])
  }
  return parts
}

/**
 * Takes credits from the lots like a burn, and takes the rest from the overdraft, regardless of the overdraft limit.
 * Until the overdraft is repaid, it reduces the credits that can be burned.
 */
export function takeBelowZero(draft: Draft, wallet: Wallet, amount: MicroCredits): LotPart[] {
  const before = wallet.overdrawn
  const parts = take(draft, wallet, amount)
  const owed = wallet.overdrawn - before
  if (owed > 0) wallet.owed = microCredits((wallet.owed ?? ZERO_CREDITS) + owed)
  return parts
}

/** Takes credits out of one open lot. */
export function takeFromLot(draft: Draft, wallet: Wallet, lot: Lot, amount: MicroCredits): LotPart {
  const part = withdraw(lot, amount)
  if (lot.left === 0) {
    removeLot(wallet, lot)
    draft.closedLots.set(lot.number, lot)
  }
  return part
}

/** Reserves credits in burn order, and the rest in the overdraft. Reserved credits stay in their lots. */
export function reserve(wallet: Wallet, amount: MicroCredits): LotPart[] {
  const from_lots = microCredits(Math.min(amount, sumOfFree(wallet.lots)))
  const parts = inBurnOrder(wallet.lots, from_lots).map(({ lot, part }): LotPart => {
    lot.held = microCredits(lot.held + part)
    return [lot.number, part]
  })
  return withoutZeros([...parts, [OVERDRAFT, microCredits(amount - from_lots)]])
}

/** Releases the reserved parts of lots. Returns the released amount of each lot. */
export function releaseParts(wallet: Wallet, parts: readonly LotPart[]): { lot: Lot; part: MicroCredits }[] {
  const freed: { lot: Lot; part: MicroCredits }[] = []
  for (const [number, part] of parts) {
    if (number === OVERDRAFT) continue
    const lot = openLot(wallet, number)
    lot.held = microCredits(lot.held - part)
    freed.push({ lot, part })
  }
  return freed
}

/**
 * Takes the first `amount` of a hold's parts. Returns the taken parts and the parts that the hold still reserves. A
 * reserved part of the overdraft is taken like a burn, first out of lots, because the wallet can have new lots. The
 * same lot can occur twice in the taken parts.
 */
export function takeReserved(
  draft: Draft,
  wallet: Wallet,
  parts: readonly LotPart[],
  amount: MicroCredits,
): { taken: LotPart[]; left: LotPart[] } {
  const taken: LotPart[] = []
  const left: LotPart[] = []
  let open: number = amount
  for (const [number, part] of parts) {
    const used = microCredits(Math.min(open, part))
    open -= used
    left.push([number, microCredits(part - used)])
    if (used === 0) continue
    if (number === OVERDRAFT) {
      taken.push(...take(draft, wallet, used))
      continue
    }
    const lot = openLot(wallet, number)
    lot.held = microCredits(lot.held - used)
    taken.push(withdraw(lot, used))
    if (lot.left === 0) draft.closedLots.set(number, lot)
  }
  if (open !== 0) throw new Error(`the hold reserves ${open} micro-credits less than the amount to take`)
  removeEmpty(wallet.lots)
  return { taken, left: withoutZeros(left) }
}

/** Returns the lot with this number. Throws if the wallet has no such lot or the lot is used up. */
export function openLot(wallet: Wallet, number: number): Lot {
  const lot = unusedLots(wallet).find((candidate) => candidate.number === number)
  if (!lot) throw new Error(`lot ${number} is not open in wallet ${wallet.number}`)
  return lot
}

/**
 * Adds a new lot to the wallet. The lot first repays the overdraft. The repaying credits take their share of the lot's
 * price. Returns the moved parts.
 */
export function putLot(draft: Draft, wallet: Wallet, lot: NewFunds): LotPart[] {
  const opened: Lot = { ...lot, left: lot.amount, held: ZERO_CREDITS }
  const repayment = enterLot(draft, wallet, opened)
  return withoutZeros([[lot.number, opened.left], ...repayment.slice(1)])
}

/** Adds a new lot that begins later to the wallet. The lot repays the overdraft only when it begins. */
export function putPending(wallet: Wallet, lot: NewFunds): LotPart[] {
  wallet.pending = [...(wallet.pending ?? []), { ...lot, left: lot.amount, held: ZERO_CREDITS }]
  return [[lot.number, lot.amount]]
}

/** Makes a pending lot usable. If the lot repays an overdraft, appends an entry that does not change the balance. */
export function beginLot(draft: Draft, wallet: Wallet, lot: Lot, at_ms: number): void {
  removeLot(wallet, lot)
  const repayment = enterLot(draft, wallet, lot)
  if (repayment.length === 0) return
  draft.append(wallet, {
    type: 'ADJUSTMENT',
    amount: ZERO_CREDITS,
    lots: repayment,
    description: 'Repayment of the overdraft by a lot that begins',
    ...(at_ms < draft.at_ms && { effective_at_ms: at_ms }),
  })
}

/**
 * Adds a lot to the usable lots, after it has repaid the overdraft. Returns the part that left the lot and the part
 * that repaid the overdraft; no parts if nothing was repaid.
 */
function enterLot(draft: Draft, wallet: Wallet, lot: Lot): LotPart[] {
  const repaid = repay(wallet, lot.left)
  const part = repaid > 0 ? withdraw(lot, repaid) : undefined
  if (lot.left > 0) insertLot(wallet.lots, lot)
  else draft.closedLots.set(lot.number, lot)
  return part ? [part, lotPart(OVERDRAFT, repaid, paidOf(part))] : []
}

function removeLot(wallet: Wallet, lot: Lot): void {
  wallet.lots = wallet.lots.filter((other) => other !== lot)
  const rest = (wallet.pending ?? []).filter((other) => other !== lot)
  if (rest.length > 0) wallet.pending = rest
  else delete wallet.pending
}

/** A new lot that is not in a wallet yet. */
export type NewFunds = Omit<Lot, 'left' | 'held' | 'price_left'>

/**
 * Returns a refusal if a wallet cannot take back `amount` credits, which were taken as the parts `taken`; otherwise
 * undefined.
 */
export function giveBackRefusal(
  wallet: Wallet,
  amount: MicroCredits,
  taken: readonly LotPart[],
): Refusal | undefined {
  return fullRefusal(wallet, amount, closedLotsOf(wallet, taken))
}

/**
 * Returns credits to the lots from which they were taken, and appends the entry with the lots. Reopens lots that were
 * used up. Credits that would have expired in the meantime, with their lot or at a rollover, expire at once, in
 * separate entries. The other credits first repay the used overdraft. If a part was taken from the overdraft, the
 * credits that remain after this repayment become a new lot, because no record shows which lot repaid the overdraft
 * before. A burn with a late rating can have two such parts. `burnedAt` returns the time at which the credits of a lot
 * were taken, in epoch milliseconds.
 */
export function giveBack(
  draft: Draft,
  wallet: Wallet,
  taken: readonly LotPart[],
  burnedAt: (lot: number) => number,
  fields: Omit<NewEntry, 'lots' | 'new_lots'>,
): { readonly entry: Entry; readonly expired: MicroCredits } {
  const { parts, expired, new_lots } = returnParts(draft, wallet, taken, burnedAt)
  const entry = draft.append(wallet, {
    ...fields,
    lots: parts,
    ...(new_lots.length > 0 && { new_lots: new_lots.map(newLot) }),
  })
  for (const part of expired) draft.append(wallet, { type: 'EXPIRATION', amount: part[1], lots: [part] })
  return { entry, expired: microCredits(expired.reduce((sum, [, gone]) => sum - gone, 0)) }
}

/** The returned parts of a burn, including the parts that expire at once. */
interface Returned {
  readonly parts: readonly LotPart[]
  /** The returned parts that must expire at once. */
  readonly expired: readonly LotPart[]
  /** The lots of credits from a repaid overdraft: at most one for each part that was taken from the overdraft. */
  readonly new_lots: readonly Lot[]
}

function returnParts(
  draft: Draft,
  wallet: Wallet,
  taken: readonly LotPart[],
  burnedAt: (lot: number) => number,
): Returned {
  const parts: LotPart[] = []
  const expired: LotPart[] = []
  const new_lots: Lot[] = []
  for (const part of taken) {
    const [number, amount] = part
    const open = wallet.lots.find((lot) => lot.number === number)
    const lot = number === OVERDRAFT ? undefined : (open ?? closedLot(draft, number))
    const gone = lot ? lapsed(wallet, lot, amount, burnedAt(number), draft.at_ms) : ZERO_CREDITS
    const repaid = repay(wallet, microCredits(amount - gone))
    const rest = microCredits(amount - gone - repaid)
    const paid_repaid = shareOf(paidOf(part), repaid, amount)
    const paid_rest = picoUsd(shareOf(paidOf(part), repaid + rest, amount) - paid_repaid)
    const paid_back = picoUsd(paidOf(part) - paid_repaid)
    parts.push(...withoutZeros([lotPart(OVERDRAFT, repaid, paid_repaid)]))
    if (!lot) {
      if (rest === 0) continue
      const new_lot = lotOfItsOwn(draft, rest)
      new_lots.push(new_lot)
      insertLot(wallet.lots, new_lot)
      parts.push([new_lot.number, rest])
      continue
    }
    parts.push(...withoutZeros([lotPart(number, rest + gone, paid_back)]))
    if (gone > 0) expired.push(lotPart(number, -gone, picoUsd(paid_back - paid_rest)))
    if (rest > 0) returnToLot(draft, wallet, open, lot, lotPart(number, rest, paid_rest))
  }
  return { parts, expired, new_lots }
}

function closedLot(draft: Draft, number: number): Lot {
  const closed = draft.closedLot(number)
  if (!closed) throw new Error(`lot ${number} is neither open nor closed`)
  return closed
}

/** Returns credits to a lot that has not expired, and reopens the lot if it was closed. */
function returnToLot(draft: Draft, wallet: Wallet, open: Lot | undefined, lot: Lot, back: LotPart): void {
  if (open) {
    putBack(open, back)
    return
  }
  const reopened = { ...lot, left: ZERO_CREDITS, held: ZERO_CREDITS }
  putBack(reopened, back)
  insertLot(wallet.lots, reopened)
  draft.closedLots.set(lot.number, null)
}

/** Returns the maximum number of lots that a return of credits would reopen or create. */
function closedLotsOf(wallet: Wallet, taken: readonly LotPart[]): number {
  return taken.filter(([number]) => !wallet.lots.some((lot) => lot.number === number)).length
}

/** Returns the record of a new lot for its entry. */
export function newLot({ number, kind, priority, expires_at_ms, price }: NewFunds): NewLot {
  return { number, kind, priority, expires_at_ms, ...(price && { price }) }
}

function lotOfItsOwn(draft: Draft, amount: MicroCredits): Lot {
  return {
    number: draft.nextLotNumber(),
    kind: 'paid',
    priority: 50,
    expires_at_ms: null,
    created_at_ms: draft.at_ms,
    amount,
    left: amount,
    held: ZERO_CREDITS,
  }
}

/** Repays the used overdraft with up to `amount` credits, first the owed part. Returns the repaid amount. */
function repay(wallet: Wallet, amount: MicroCredits): MicroCredits {
  const { overdrawn, owed = ZERO_CREDITS } = wallet
  const repaid = microCredits(Math.min(overdrawn, amount))
  wallet.overdrawn = microCredits(overdrawn - repaid)
  if (owed > repaid) wallet.owed = microCredits(owed - repaid)
  else delete wallet.owed
  return repaid
}

function withoutZeros(parts: readonly LotPart[]): LotPart[] {
  return parts.filter(([, amount]) => amount !== 0)
}

/**
 * Expires credits that a hold releases, if their lot has expired, or if they exceed the `room` of a rollover that
 * happened after the hold reserved them.
 */
export function expireFreed(
  draft: Draft,
  wallet: Wallet,
  freed: readonly { readonly lot: Lot; readonly part: MicroCredits }[],
  at_ms: number,
  reserved_at_ms: number,
): void {
  for (const { lot, part } of freed) {
    const gone = lapsed(wallet, lot, part, reserved_at_ms, at_ms)
    if (gone > 0) expireLot(draft, wallet, lot, gone, at_ms)
  }
}

/** Takes `part` of a lot's unreserved credits out of the wallet as expired, effective at `at_ms`. */
export function expireLot(draft: Draft, wallet: Wallet, lot: Lot, part: MicroCredits, at_ms: number): void {
  const gone = takeFromLot(draft, wallet, lot, part)
  draft.append(wallet, {
    type: 'EXPIRATION',
    amount: gone[1],
    lots: [gone],
    ...(at_ms < draft.at_ms && { effective_at_ms: at_ms }),
  })
}
