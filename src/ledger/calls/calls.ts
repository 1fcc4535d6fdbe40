import {
  CREDIT_DECIMALS,
  ceilDivide,
  formatDecimal,
  lesser,
  MAX_MICRO_CREDITS,
  microCredits,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import { countStored, overStored } from '../admission/quotas.ts'
import { burnEntry, overQuota, payingWallet, recordOf } from '../burns/burn.ts'
import { type BurnContext, countUse, type Rated, rate } from '../burns/rate.ts'
import type { Draft } from '../commit/draft.ts'
import { keepAnswer } from '../commit/replay.ts'
import {
  admit,
  capturedQuantities,
  count,
  countInPlaceOf,
  type Meter,
  metersOf,
  quantitiesOf,
  reserveLimits,
} from '../entitlements/limits.ts'
import { captureParts, endHold, findHold, heldBy, holdState } from '../holds/funds.ts'
import { capturedUse } from '../holds/holds.ts'
import type { Entry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { LimitUnit, Quantities } from '../model/limits.ts'
import type {
  CallAnswer,
  NoteCallMessage,
  NoteCallResult,
  OpenCallMessage,
  OpenCallResult,
  SettleCallMessage,
  SettleCallResult,
} from '../model/messages/calls.ts'
import { notFound, type Refused, refused } from '../model/refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef } from '../model/vocabulary.ts'
import {
  available,
  type Hold,
  insufficientCredits,
  MAX_OPEN_HOLDS,
  remaining,
  spendable,
  type Wallet,
} from '../model/wallet.ts'
import { reserve, take } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import { settlementOf } from './noted.ts'

/** Holds credits for a call. A refusal changes nothing and leaves the key unused. */
export function openCall(draft: Draft, message: OpenCallMessage, context: BurnContext): OpenCallResult {
  const { idempotency } = message
  const repeated = refuseRepeat(draft, idempotency, context.ids)
  if (repeated) return repeated
  const over = overQuota(draft, context) ?? overStored(draft, context.quotas)
  if (over) return refused(over)
  const wallet = settle(draft, payingWallet(draft, message))
  if (wallet.holds.length >= MAX_OPEN_HOLDS) {
    return refused({ code: 'too_many_open', what: 'holds', limit: MAX_OPEN_HOLDS })
  }
  const size = sizeOf(draft, wallet, message, context)
  if ('kind' in size) return size
  const changed = draft.change(wallet)
  const credits = microCredits(size.quantities.credits)
  const hold: Hold = {
    number: draft.nextHoldNumber(),
    feature_id: message.feature_id,
    ...(message.user_id !== undefined && { user_id: message.user_id }),
    ...(message.team_id !== undefined && { team_id: message.team_id }),
    ...(context.key_id !== undefined && { key_id: context.key_id }),
    ...(message.most.model !== undefined && { model: message.most.model }),
    created_at_ms: draft.at_ms,
    credits,
    expires_at_ms: draft.at_ms + message.lifetime_ms,
    captured: ZERO_CREDITS,
    parts: reserve(changed, credits),
    ...reserveLimits(draft, size.meters),
    call: {},
  }
  changed.holds.push(hold)
  const state = holdState(changed, hold, 'open')
  const ref: WalletItemRef = {
    number: hold.number,
    wallet: changed.number,
    created_at_ms: hold.created_at_ms,
  }
  const hold_id = context.ids.hold(ref)
  const wallet_id = context.ids.wallet(changed.number)
  keepAnswer(draft, idempotency, {
    of: 'hold',
    hold: state,
    hold_id,
    wallet_id,
    available: available(changed),
  })
  const answer: CallAnswer = { hold: ref, hold_id, credits, output_tokens: size.output_tokens }
  return { kind: 'done', answer }
}

/**
 * Refuses a key whose call is running or was charged. A released call costs nothing, and its key may be used again.
 * Clients can therefore repeat a call that the provider refused.
 */
function refuseRepeat(
  draft: Draft,
  idempotency: Idempotency | undefined,
  ids: LedgerIds,
): Refused | undefined {
  const check = draft.checkKey(idempotency)
  if (check.kind === 'unused') return undefined
  if (check.kind === 'refused') return check
  const { record } = check
  if (record.kind !== 'answer' || record.answer.of !== 'hold')
    throw new Error('the idempotency key does not belong to a call')
  const ref: WalletItemRef = record.answer.hold
  const wallet = draft.walletByNumber(ref.wallet)
  if (wallet && findHold(settle(draft, wallet), ref)) {
    return refused({ code: 'already_processed', event_id: null })
  }
  const entry = settlement(draft, ref)
  return entry && refused({ code: 'already_processed', event_id: ids.event(entry) })
}

interface Size {
  readonly quantities: Quantities
  readonly meters: readonly Meter[]
  readonly output_tokens: number
}

/**
 * Returns the size of a call's hold. The size covers the largest use of the call, or as much of the use as the wallet
 * and the limits allow.
 */
function sizeOf(
  draft: Draft,
  wallet: Wallet,
  message: OpenCallMessage,
  context: BurnContext,
): Size | Refused {
  const most = rate(message.most, wallet, draft.at_ms, context)
  if (most.kind === 'refused') return most
  const whole = quantitiesOf(most, message.most.usage)
  const output_tokens = outputOf(message.most)
  const admitted = (quantities: Quantities) => {
    const { feature_id, user_id, team_id, most } = message
    const subject = { feature_id, user_id, team_id, model: most.model }
    return admit(draft, subject, quantities, context.default_entitlement, context.key_id)
  }
  const use = admitted(whole)
  const spend = BigInt(spendable(wallet))
  if (use.kind === 'admitted' && whole.credits <= spend) {
    return { quantities: whole, meters: use.meters, output_tokens }
  }
  if (!message.least) {
    return use.kind === 'refused' ? use : refused(insufficientCredits(context.ids, wallet, whole.credits))
  }
  const least = rate(message.least, wallet, draft.at_ms, context)
  if (least.kind === 'refused') return least
  const start = quantitiesOf(least, message.least.usage)
  const minimal = admitted(start)
  if (minimal.kind === 'refused') return minimal
  if (start.credits > spend) return refused(insufficientCredits(context.ids, wallet, start.credits))
  const first = outputOf(message.least)
  const steps = BigInt(output_tokens - first)
  const rooms = [...minimal.meters.flatMap(roomOf), { unit: 'credits' as const, room: spend - start.credits }]
  let taken = steps
  for (const { unit, room } of rooms) {
    const fitting = stepsIn(room, whole[unit] - start[unit], steps)
    if (fitting < taken) taken = fitting
  }
  const quantities = between(start, whole, taken, steps)
  const partial = admitted(quantities)
  if (partial.kind === 'refused') return partial
  return { quantities, meters: partial.meters, output_tokens: first + Number(taken) }
}

function outputOf({ usage }: PricedEvent): number {
  return usage?.output_tokens ?? 0
}

/** Returns the quantity that a HARD limit allows in addition to the smallest use. */
function roomOf({ entitlement: { limit_type, unit }, limit, window, quantity }: Meter) {
  return limit_type === 'HARD' && limit !== null ? [{ unit, room: limit - window.used - quantity }] : []
}

/** Returns how many of `steps` fit into `room`, if all steps together need `span`. */
function stepsIn(room: bigint, span: bigint, steps: bigint): bigint {
  return span <= room || span <= 0n ? steps : (room * steps) / span
}

/** Returns the quantities after `taken` of `steps` equal steps from `start` to `whole`, rounded up. */
function between(start: Quantities, whole: Quantities, taken: bigint, steps: bigint): Quantities {
  if (steps <= 0n) return start
  const part = (unit: LimitUnit) => start[unit] + ceilDivide((whole[unit] - start[unit]) * taken, steps)
  return { credits: part('credits'), events: part('events'), tokens: part('tokens'), usd: part('usd') }
}

/**
 * Stores the estimate of the output that a call has delivered so far, and extends the call's hold. Each note replaces
 * the previous note.
 */
export function noteCall(draft: Draft, message: NoteCallMessage, context: BurnContext): NoteCallResult {
  const found = openHold(draft, message.hold)
  if (!found) return refused({ code: 'hold_not_open' })
  const { event, lifetime_ms } = message
  const rated = event && rate(event, found, draft.at_ms, context)
  const wallet = draft.change(found)
  const hold = heldBy(wallet, message.hold)
  hold.expires_at_ms = draft.at_ms + lifetime_ms
  if (event && rated?.kind === 'rated') {
    const credits = lesser(rated.credits_micro, remaining(hold))
    const { user_id: _user, team_id: _team, ...record } = recordOf(event, rated, credits, hold.key_id)
    hold.call = { noted: { credits, record } }
  }
  return { kind: 'done' }
}

/** Ends a call: charges its event, or releases its hold. A repeat returns the first charge. */
export function settleCall(draft: Draft, message: SettleCallMessage, context: BurnContext): SettleCallResult {
  const { hold: ref, event } = message
  const wallet = draft.walletByNumber(ref.wallet)
  if (!wallet) return notFound('Hold')
  // Settling charges an expired hold if its call noted an estimate.
  const settled = settle(draft, wallet)
  const earlier = settlement(draft, ref)
  if (earlier) return charged(context.ids, earlier)
  const isOpen = findHold(settled, ref) !== undefined
  if (event === null) {
    const changed = isOpen ? draft.change(settled) : settled
    // A released call counts as a change, because the end of its hold is stored. A charged call counts as an event
    // instead.
    if (isOpen) countStored(draft)
    if (isOpen) endHold(draft, changed, heldBy(changed, ref), 'released')
    return {
      kind: 'done',
      answer: { event_id: null, credits: ZERO_CREDITS, balance_after: changed.balance },
    }
  }
  const rated = rate(event, settled, draft.at_ms, context)
  const changed = draft.change(settled)
  const entry =
    rated.kind === 'refused'
      ? chargeHeld(draft, changed, ref, context)
      : isOpen
        ? chargeHold(draft, changed, message, event, rated)
        : chargeLate(draft, changed, message, event, rated)
  return entry
    ? charged(context.ids, entry)
    : { kind: 'done', answer: { event_id: null, credits: ZERO_CREDITS, balance_after: changed.balance } }
}

/**
 * Charges a call to its open hold. Charges the rest to the other credits of the wallet, unless the charge is capped
 * at the hold. The limits of the hold's model count the charge, because a provider may report `gpt-4o` as one of its
 * dated versions.
 */
function chargeHold(
  draft: Draft,
  wallet: Wallet,
  { hold: ref, capped }: SettleCallMessage,
  event: PricedEvent,
  rated: Rated,
): Entry {
  const hold = heldBy(wallet, ref)
  const wanted = capped ? BigInt(lesser(rated.credits_micro, remaining(hold))) : rated.credits_micro
  const { amount, lots, shortfall_micro } = captureParts(draft, wallet, hold, wanted)
  countUse(wallet, rated)
  const record = recordOf(event, rated, amount, hold.key_id, shortfallOf(shortfall_micro))
  const counts = countInPlaceOf(draft, hold, capturedQuantities(rated, amount, event.usage))
  const entry = draft.append(wallet, burnEntry(event, settlementOf(ref), amount, lots, record, counts))
  endHold(draft, wallet, hold, 'captured')
  return entry
}

/**
 * Charges a call whose hold ended without a charge. Charges at most what the wallet can pay, and at most the hold if
 * the charge is capped.
 */
function chargeLate(
  draft: Draft,
  wallet: Wallet,
  { hold: ref, key_id, capped, held }: SettleCallMessage,
  event: PricedEvent,
  rated: Rated,
): Entry {
  const most = capped ? held : MAX_MICRO_CREDITS
  const amount = lesser(rated.credits_micro, microCredits(Math.min(Math.max(0, spendable(wallet)), most)))
  const lots = take(draft, wallet, amount)
  countUse(wallet, rated)
  const wanted = capped ? BigInt(lesser(rated.credits_micro, held)) : rated.credits_micro
  const about = ['hold_not_open', ...shortfallOf(wanted - BigInt(amount))]
  const record = recordOf(event, rated, amount, key_id, about)
  const meters = metersOf(
    draft,
    draft.entitlementsOf(event, key_id),
    capturedQuantities(rated, amount, event.usage),
  )
  return draft.append(wallet, burnEntry(event, settlementOf(ref), amount, lots, record, count(draft, meters)))
}

/**
 * Charges all remaining credits of the hold; returns undefined if the hold is not open. Used if the burn table
 * accepted the model when the call began but refuses it now. The call cannot be refused any more, and its output must
 * be paid.
 */
function chargeHeld(
  draft: Draft,
  wallet: Wallet,
  ref: WalletItemRef,
  context: BurnContext,
): Entry | undefined {
  const hold = findHold(wallet, ref)
  if (!hold) return undefined
  const { amount, lots } = captureParts(draft, wallet, hold, BigInt(remaining(hold)))
  const entry = draft.append(wallet, {
    type: 'BURN',
    amount: microCredits(0 - amount),
    lots,
    captured: capturedUse(draft, amount, hold, context),
    description: `Capture of ${context.ids.hold(ref)}`,
    idempotency: settlementOf(ref),
  })
  endHold(draft, wallet, hold, 'captured')
  return entry
}

function shortfallOf(shortfall_micro: bigint): string[] {
  return shortfall_micro === 0n
    ? []
    : [`shortfall of ${formatDecimal(shortfall_micro, CREDIT_DECIMALS)} credits`]
}

/** Returns the wallet in which a hold is open; undefined if the hold is not open. */
function openHold(draft: Draft, ref: WalletItemRef): Wallet | undefined {
  const wallet = draft.walletByNumber(ref.wallet)
  const settled = wallet && settle(draft, wallet)
  return settled && findHold(settled, ref) ? settled : undefined
}

/**
 * Returns the entry that charged a call; undefined if the call was not charged. Checks the key like the key of a
 * batch, because a full key store still accepts batch keys.
 */
function settlement(draft: Draft, ref: WalletItemRef): Entry | undefined {
  const check = draft.checkKey(settlementOf(ref), 'batch')
  return check.kind === 'replay' && check.record.kind === 'entry' ? check.record : undefined
}

function charged(ids: LedgerIds, entry: Entry): SettleCallResult {
  const answer = {
    event_id: entry.event ? ids.event(entry) : null,
    credits: microCredits(0 - entry.amount),
    balance_after: entry.balance_after,
  }
  return { kind: 'done', answer }
}
