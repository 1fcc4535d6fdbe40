import {
  formatCredits,
  type MicroCredits,
  microCredits,
  usdToParts,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import { countStored, overStored, type StoredQuotas } from '../admission/quotas.ts'
import { type Burn, burnOf, reversalOf } from '../burns/reversal.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import { giveBack as giveBackLimits, netCounted } from '../entitlements/limits.ts'
import type { MovementAnswer } from '../model/answers.ts'
import type { Entry, NewLot } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import {
  free,
  inBurnOrder,
  type Lot,
  type LotPart,
  lastTaken,
  paidOf,
  sumOfFree,
  takeFromLots,
} from '../model/lots.ts'
import type { Movement, MovementMessage, MovementResult, PastEntry } from '../model/messages/credits.ts'
import { conflict, invalidField, notFound, type Refused, refused, walletNotFound } from '../model/refusal.ts'
import type { WalletItemRef, WalletOwner } from '../model/vocabulary.ts'
import {
  fullRefusal,
  insufficientCredits,
  type RecurringGrant,
  spendable,
  unusedLots,
  usedOverdraft,
  type Wallet,
  walletKey,
} from '../model/wallet.ts'
import { giveBack, giveBackRefusal, newLot, openLot, putLot, take, takeFromLot } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'

/** The result of a completed movement, or a refusal. A refused movement changes nothing. */
type Outcome = { readonly kind: 'moved'; readonly answer: MovementAnswer } | Refused

/** Applies a movement atomically, and at most once for its idempotency key. A refusal changes nothing. */
export function applyMovement(
  draft: Draft,
  { movement, idempotency }: MovementMessage,
  ids: LedgerIds,
  quotas?: StoredQuotas,
): MovementResult {
  const replayed = replayedAnswer(draft, idempotency, 'movement')
  if (replayed) return replayed
  const over = quotas && !isAlwaysAllowed(movement) && overStored(draft, quotas)
  if (over) return refused(over)
  const outcome = move(draft, movement, ids)
  if (outcome.kind === 'refused') return outcome
  if (quotas) countStored(draft)
  const { answer } = outcome
  keepAnswer(draft, idempotency, { of: 'movement', ...answer })
  return done(answer)
}

/**
 * Reports whether a movement is accepted even if the quota of changes is used up. It still counts towards the quota,
 * because it is stored permanently. The number of these movements is limited: an event can be voided only once, a
 * recurring grant can be stopped only once, and the quotas have already counted the event and the grant.
 */
function isAlwaysAllowed({ type }: Movement): boolean {
  return type === 'VOID' || type === 'STOP_RECURRING'
}

function move(draft: Draft, movement: Movement, ids: LedgerIds): Outcome {
  switch (movement.type) {
    case 'VOID':
      return voidBurn(draft, movement.past, ids)
    case 'REFUND':
      return refund(draft, movement, ids)
    case 'TRANSFER':
      return transfer(draft, movement, ids)
    case 'ADJUSTMENT':
      return adjust(draft, movement, ids)
    case 'REVOKE':
      return revoke(draft, movement, ids)
    case 'STOP_RECURRING':
      return stopRecurring(draft, movement.grant, ids)
    case 'OVERDRAFT':
      return setOverdraft(draft, movement, ids)
  }
}

/**
 * Voids an event. Returns its burned credits to the wallet, except credits that were already returned, and subtracts
 * the quantities that limits counted for it.
 */
function voidBurn(draft: Draft, past: PastEntry, ids: LedgerIds): Outcome {
  const given = draft.givenBack(past.number)
  if (given.voided) return refused({ code: 'already_voided' })
  const burn = burnOf(draft, past)
  const rest = microCredits(0 - burn.amount - given.amount)
  const returned = returnBurned(draft, past, burn, rest, 'VOID', undefined, ids)
  if (returned.kind === 'moved') {
    giveBackLimits(draft, netCounted(past.counted, draft.amendment(past.number)?.counted))
    draft.givenBacks.set(past.number, { amount: microCredits(0 - burn.amount), voided: true })
    if (draft.unratedEvent(past.number)) draft.closeUnrated(past.number, null)
  }
  return returned
}

function refund(
  draft: Draft,
  { past, amount, reason }: Movement & { type: 'REFUND' },
  ids: LedgerIds,
): Outcome {
  if (past.type === 'PURCHASE') return refundPurchase(draft, past, amount, reason, ids)
  if (past.rerates) return conflict('This transaction rates an event late; void or refund the event itself.')
  if (past.type !== 'BURN') {
    return conflict(`Only purchases and burns can be refunded; this transaction is of type ${past.type}.`)
  }
  const burn = burnOf(draft, past)
  const given = draft.givenBack(past.number)
  const rest = microCredits(0 - burn.amount - given.amount)
  if (rest === 0) return conflict('All credits of this burn were already returned.')
  const wanted = amount ?? rest
  if (wanted > rest)
    return conflict(`Only ${formatCredits(rest)} credits of this burn can still be returned.`)
  const returned = returnBurned(draft, past, burn, wanted, 'REFUND', reason, ids)
  if (returned.kind === 'moved') {
    draft.givenBacks.set(past.number, { ...given, amount: microCredits(given.amount + wanted) })
  }
  return returned
}

function returnBurned(
  draft: Draft,
  past: PastEntry,
  burn: Burn,
  amount: MicroCredits,
  type: 'VOID' | 'REFUND',
  reason: string | undefined,
  ids: LedgerIds,
): Outcome {
  const wallet = settledByNumber(draft, past.wallet)
  const given = draft.givenBack(past.number).amount
  const taken = lastTaken(burn.lots, given, amount)
  const full = giveBackRefusal(wallet, amount, taken)
  if (full) return refused(full)
  const changed = draft.change(wallet)
  const { entry, expired } = giveBack(draft, changed, taken, burn.takenAt, {
    type,
    amount,
    reverses: reversalOf(burn, type, given, amount),
    description:
      reason ??
      `${type === 'VOID' ? 'Void' : 'Refund'} of ${ids.event({ at_ms: past.at_ms, number: past.number })}`,
  })
  return moved({
    ...answerOf(ids, entry),
    balance_after: changed.balance,
    ...(expired > 0 && { returned_expired: expired }),
  })
}

/** Refunds credits that are left in the lot of a purchase: see `takeFree`. */
function refundPurchase(
  draft: Draft,
  past: PastEntry,
  amount: MicroCredits | null,
  reason: string | undefined,
  ids: LedgerIds,
): Outcome {
  const wallet = settledByNumber(draft, past.wallet)
  const numbers = new Set(past.lots.map(([number]) => number))
  const lot = unusedLots(wallet).find(({ number }) => numbers.has(number))
  return takeFree(draft, wallet, lot, amount, ids, {
    type: 'REFUND',
    description: reason ?? `Refund of ${ids.transaction({ at_ms: past.at_ms, number: past.number })}`,
  })
}

/** Removes credits that are left in a lot: see `takeFree`. The lot can come from an entry of any type. */
function revoke(
  draft: Draft,
  { lot: number, amount, reason }: Movement & { type: 'REVOKE' },
  ids: LedgerIds,
): Outcome {
  const found = draft.walletOfLot(number)
  const wallet = found && settle(draft, found)
  if (!wallet && !draft.closedLot(number)) return notFound(`Lot ${ids.lot(number)}`)
  const lot = wallet && unusedLots(wallet).find((candidate) => candidate.number === number)
  return takeFree(draft, wallet, lot, amount, ids, { type: 'ADJUSTMENT', description: reason })
}

/** Takes `amount` from a lot in one entry. If `amount` is null, takes all credits of the lot that no hold reserves. */
function takeFree(
  draft: Draft,
  wallet: Wallet | undefined,
  open: Lot | undefined,
  amount: MicroCredits | null,
  ids: LedgerIds,
  entry: Pick<Entry, 'type' | 'description'>,
): Outcome {
  const left = open ? free(open) : ZERO_CREDITS
  if (!wallet || !open || left === 0)
    return conflict('This lot has no remaining credits, or holds reserve all of them.')
  const wanted = amount ?? left
  if (wanted > left) return conflict(`Only ${formatCredits(left)} credits of this lot are left and not held.`)
  const changed = draft.change(wallet)
  const lots = [takeFromLot(draft, changed, openLot(changed, open.number), wanted)]
  return moved(answerOf(ids, draft.append(changed, { ...entry, amount: microCredits(0 - wanted), lots })))
}

/**
 * Moves credits from one wallet to another. Each moved part of a lot becomes a new lot with the same kind, priority
 * and expiry, and with its share of the price.
 */
function transfer(
  draft: Draft,
  { from, to, amount }: Movement & { type: 'TRANSFER' },
  ids: LedgerIds,
): Outcome {
  if (walletKey(from) === walletKey(to)) {
    return invalidField('/to', 'must not be the same wallet as /from')
  }
  const source = settledWallet(draft, from)
  if (!source) return walletNotFound(from)
  if (sumOfFree(source.lots) < amount) return refused(insufficientCredits(ids, source, BigInt(amount)))
  const target = settledWallet(draft, to)
  const full = target && fullRefusal(target, amount, inBurnOrder(source.lots, amount).length)
  if (full) return refused(full)
  const giving = draft.change(source)
  const getting = target ? draft.change(target) : draft.createWallet(to)
  const out: LotPart[] = []
  const into: LotPart[] = []
  const new_lots: NewLot[] = []
  for (const { lot, part } of takeFromLots(giving.lots, amount)) {
    if (lot.left === 0) draft.closedLots.set(lot.number, lot)
    out.push(part)
    const { left: _left, held: _held, price, price_left: _price_left, ...kept } = lot
    const arrived = {
      ...kept,
      number: draft.nextLotNumber(),
      amount: microCredits(0 - part[1]),
      ...(price && { price: usdToParts(paidOf(part)) }),
    }
    into.push(...putLot(draft, getting, arrived))
    new_lots.push(newLot(arrived))
  }
  const gave = draft.append(giving, { type: 'TRANSFER', amount: microCredits(0 - amount), lots: out })
  const got = draft.append(getting, { type: 'TRANSFER', amount, lots: into, new_lots })
  return moved({
    ...answerOf(ids, gave),
    amount,
    to: {
      transaction_id: ids.transaction(got),
      wallet_id: ids.wallet(got.wallet),
      balance_after: got.balance_after,
    },
  })
}

/** Applies a manual correction: adds a promo lot that never expires, or takes credits out of the lots in burn order. */
function adjust(
  draft: Draft,
  { owner, amount, reason }: Movement & { type: 'ADJUSTMENT' },
  ids: LedgerIds,
): Outcome {
  const wallet = settledWallet(draft, owner)
  if (!wallet) return walletNotFound(owner)
  if (amount > 0) {
    const full = fullRefusal(wallet, amount, 1)
    if (full) return refused(full)
    const changed = draft.change(wallet)
    const lot = { number: draft.nextLotNumber(), kind: 'promo', priority: 50, expires_at_ms: null } as const
    const lots = putLot(draft, changed, { ...lot, created_at_ms: draft.at_ms, amount })
    return moved(
      answerOf(
        ids,
        draft.append(changed, { type: 'ADJUSTMENT', amount, lots, new_lots: [lot], description: reason }),
      ),
    )
  }
  const wanted = microCredits(-amount)
  if (wanted > spendable(wallet)) return refused(insufficientCredits(ids, wallet, BigInt(wanted)))
  const changed = draft.change(wallet)
  const lots = take(draft, changed, wanted)
  return moved(
    answerOf(ids, draft.append(changed, { type: 'ADJUSTMENT', amount, lots, description: reason })),
  )
}

function stopRecurring(draft: Draft, ref: WalletItemRef, ids: LedgerIds): Outcome {
  const wallet = draft.walletByNumber(ref.wallet)
  const settled = wallet && settle(draft, wallet)
  const isSameGrant = (grant: RecurringGrant) =>
    grant.number === ref.number && grant.created_at_ms === ref.created_at_ms
  if (!settled?.recurring.some(isSameGrant)) {
    return notFound(`Recurring grant ${ids.recurringGrant(ref)}`)
  }
  const changed = draft.change(settled)
  changed.recurring = changed.recurring.filter((grant) => !isSameGrant(grant))
  return moved({
    transaction_id: null,
    wallet_id: ids.wallet(changed.number),
    amount: ZERO_CREDITS,
    balance_after: changed.balance,
  })
}

function setOverdraft(
  draft: Draft,
  { owner, limit }: Movement & { type: 'OVERDRAFT' },
  ids: LedgerIds,
): Outcome {
  const wallet = settledWallet(draft, owner)
  const used = wallet ? usedOverdraft(wallet) : ZERO_CREDITS
  if (used > limit)
    return conflict(`The limit must be at least the overdraft in use, ${formatCredits(used)} credits.`)
  const changed = wallet ? draft.change(wallet) : draft.createWallet(owner)
  changed.overdraft_limit = limit
  return moved({
    transaction_id: null,
    wallet_id: ids.wallet(changed.number),
    amount: ZERO_CREDITS,
    balance_after: changed.balance,
    overdraft_limit: limit,
  })
}

function settledWallet(draft: Draft, owner: WalletOwner): Wallet | undefined {
  const wallet = draft.wallet(owner)
  return wallet && settle(draft, wallet)
}

function settledByNumber(draft: Draft, number: number): Wallet {
  const wallet = draft.walletByNumber(number)
  if (!wallet) throw new Error(`the ledger has no wallet ${number}`)
  return settle(draft, wallet)
}

function answerOf(ids: LedgerIds, entry: Entry): MovementAnswer {
  return {
    transaction_id: ids.transaction(entry),
    wallet_id: ids.wallet(entry.wallet),
    amount: entry.amount,
    balance_after: entry.balance_after,
  }
}

function moved(answer: MovementAnswer): Outcome {
  return { kind: 'moved', answer }
}
