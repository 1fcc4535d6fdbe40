import { lesser, type MicroCredits, microCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import { countStored, overStored } from '../admission/quotas.ts'
import { burnEntry, overQuota, payingWallet, recordOf } from '../burns/burn.ts'
import { type BurnContext, countUse, type Rated, rate } from '../burns/rate.ts'
import type { Draft } from '../commit/draft.ts'
import { keepAnswer } from '../commit/replay.ts'
import { capturedQuantities, count, countInPlaceOf, metersOf, reserveLimits } from '../entitlements/limits.ts'
import { captureParts, endHold, findHold, heldBy, holdState, withSubjectsOf } from '../holds/funds.ts'
import { capturedUse } from '../holds/holds.ts'
import type { Entry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
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
import { available, type Hold, MAX_OPEN_HOLDS, remaining, spendable, type Wallet } from '../model/wallet.ts'
import { reserve, take } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import { mostNoted, settlementOf, shortfallOf } from './noted.ts'
import { chargeRest, isNoted, restOf } from './rest.ts'
import { sizeOf } from './size.ts'

/**
 * Opens a hold for a provider call. A refused call opens no hold and does not store its idempotency key. If the hold
 * replaces the hold of an earlier attempt, releases that hold first, in the same commit. No other request can therefore
 * take its credits or its key in between. It is released even if the new hold is refused. If the message is repeated,
 * because its result was lost, returns the same hold.
 */
export function openCall(draft: Draft, message: OpenCallMessage, context: BurnContext): OpenCallResult {
  const { id, idempotency, replaces } = message
  const replaced = replaces && draft.walletByNumber(replaces.wallet)
  if (replaced) releaseCall(draft, settle(draft, replaced), replaces)
  const wallet = settle(draft, payingWallet(draft, message))
  const known = id === undefined ? undefined : wallet.holds.find(({ call }) => call?.id === id)
  if (known) return { kind: 'done', answer: callAnswer(context.ids, wallet, known) }
  const repeated = refuseRepeat(draft, idempotency, context.ids)
  if (repeated) return repeated
  const over = overQuota(draft, context) ?? overStored(draft, context.quotas)
  if (over) return refused(over)
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
    call: {
      ...(id !== undefined && { id }),
      output_tokens: size.output_tokens,
      ...(size.unrated && { unrated: true }),
    },
  }
  changed.holds.push(hold)
  const state = holdState(changed, hold, 'open')
  const answer = callAnswer(context.ids, changed, hold)
  keepAnswer(draft, idempotency, {
    of: 'hold',
    call: true,
    hold: state,
    hold_id: answer.hold_id,
    wallet_id: context.ids.wallet(changed.number),
    available: available(changed),
  })
  return { kind: 'done', answer }
}

function callAnswer(
  ids: LedgerIds,
  wallet: Wallet,
  { number, created_at_ms, credits, call }: Hold,
): CallAnswer {
  const hold: WalletItemRef = { number, wallet: wallet.number, created_at_ms }
  const { output_tokens = 0, unrated = false } = call ?? {}
  return { hold, hold_id: ids.hold(hold), credits, output_tokens, unrated }
}

/**
 * Refuses an idempotency key if its call is running or was charged, if it was used for another operation, or if the
 * ledger does not accept the key. A released call costs nothing, so its key can be used again, also for a call with
 * another body. A client can therefore repeat or correct a call that the provider refused.
 */
function refuseRepeat(
  draft: Draft,
  idempotency: Idempotency | undefined,
  ids: LedgerIds,
): Refused | undefined {
  const check = draft.checkKey(idempotency)
  if (!idempotency || check.kind === 'unused') return undefined
  const unusable = check.kind === 'refused' ? check : undefined
  const record = draft.keyRecord(idempotency)
  const answer = record?.kind === 'answer' && record.answer.of === 'hold' ? record.answer : undefined
  if (unusable && !answer?.call) return unusable
  if (!answer) throw new Error('the idempotency key does not belong to a call')
  const ref: WalletItemRef = answer.hold
  const wallet = draft.walletByNumber(ref.wallet)
  if (wallet && findHold(settle(draft, wallet), ref)) {
    return unusable ?? refused({ code: 'already_processed', event_id: null })
  }
  const entry = entryOf(draft, settlementOf(ref))
  if (!entry) return undefined
  return unusable ?? refused({ code: 'already_processed', event_id: entry.event ? ids.event(entry) : null })
}

/**
 * Extends a call's hold, and stores the estimate of the call's use so far, if the message has an estimate that can be
 * rated. A new estimate replaces an older one. Notes can arrive out of order, so the times of their events decide which
 * one is newer. Of two estimates with the same time, the larger one is kept.
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
    const credits = lesser(rated.credits_micro, mostNoted(hold))
    const { noted } = hold.call ?? {}
    const late_ms = noted ? noted.record.timestamp_ms - event.timestamp_ms : 0
    if (noted && (late_ms > 0 || (late_ms === 0 && noted.credits > credits))) return { kind: 'done' }
    const { user_id: _user, team_id: _team, ...record } = recordOf(event, rated, credits, hold.key_id)
    hold.call = { ...hold.call, noted: { credits, record } }
  }
  return { kind: 'done' }
}

/**
 * Ends a call: charges its event, or releases its hold. A repeat returns the first charge. If the hold has expired and
 * the stored estimate was charged, charges the rest of the event.
 */
export function settleCall(draft: Draft, message: SettleCallMessage, context: BurnContext): SettleCallResult {
  const { hold: ref, event } = message
  const wallet = draft.walletByNumber(ref.wallet)
  if (!wallet) return notFound('Hold')
  // `settle` closes an expired hold, and charges its estimate if it has one.
  const settled = settle(draft, wallet)
  const earlier = entryOf(draft, settlementOf(ref))
  if (earlier) return charged(context.ids, earlier, restAfter(draft, settled, message, earlier, context))
  const isOpen = findHold(settled, ref) !== undefined
  if (event === null) {
    const { balance } = releaseCall(draft, settled, ref)
    return { kind: 'done', answer: { event_id: null, credits: ZERO_CREDITS, balance_after: balance } }
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

/** Releases the hold of a call, if it is open. Returns the wallet. */
function releaseCall(draft: Draft, settled: Wallet, ref: WalletItemRef): Wallet {
  if (!findHold(settled, ref)) return settled
  const changed = draft.change(settled)
  // A released call counts towards the quota of changes, because the end of its hold is stored. A call with a charged
  // event counts towards the quota of events instead.
  countStored(draft)
  endHold(draft, changed, heldBy(changed, ref), 'released')
  return changed
}

/**
 * Charges a call to its open hold. If the charge exceeds the hold, charges as much of the rest as possible to the other
 * credits of the wallet, unless the charge is capped at the hold. The limits on the hold's model count the charge,
 * because a provider can report the model under another name, such as a dated version of `gpt-4o`.
 */
function chargeHold(
  draft: Draft,
  wallet: Wallet,
  { hold: ref, capped }: SettleCallMessage,
  asked: PricedEvent,
  rated: Rated,
): Entry {
  const hold = heldBy(wallet, ref)
  const event = withSubjectsOf(hold, asked)
  const wanted = wantedOf(rated, capped, remaining(hold))
  const { amount, lots, shortfall_micro } = captureParts(draft, wallet, hold, wanted)
  countUse(wallet, rated)
  const record = recordOf(event, rated, amount, hold.key_id, shortfallOf(shortfall_micro))
  const counts = countInPlaceOf(draft, hold, capturedQuantities(rated, amount, event.usage))
  const entry = draft.append(wallet, burnEntry(event, settlementOf(ref), amount, lots, record, counts))
  endHold(draft, wallet, hold, 'captured')
  return entry
}

/** Returns the micro-credits that a call costs: at most `held`, if its charge is capped. */
function wantedOf({ credits_micro }: Rated, capped: boolean, held: MicroCredits): bigint {
  return capped ? BigInt(lesser(credits_micro, held)) : credits_micro
}

/**
 * Charges a call whose hold ended without a charge. Charges at most what the wallet can pay, and at most the credits of
 * the hold if the charge is capped.
 */
function chargeLate(
  draft: Draft,
  wallet: Wallet,
  { hold: ref, key_id, capped, held }: SettleCallMessage,
  event: PricedEvent,
  rated: Rated,
): Entry {
  const wanted = wantedOf(rated, capped, held)
  const amount = lesser(wanted, spendable(wallet))
  const lots = take(draft, wallet, amount)
  countUse(wallet, rated)
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
 * Charges all remaining credits of the hold; returns undefined if the hold is not open. Called if the burn table
 * accepted the model when the call began, but refuses it now. The call can no longer be refused, and its output must be
 * paid for.
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

/** Returns the wallet in which a hold is open; undefined if the hold is not open. */
function openHold(draft: Draft, ref: WalletItemRef): Wallet | undefined {
  const wallet = draft.walletByNumber(ref.wallet)
  const settled = wallet && settle(draft, wallet)
  return settled && findHold(settled, ref) ? settled : undefined
}

/**
 * Returns the entry with a key that the ledger has created for a call; undefined if there is none. Checks the key as a
 * batch key, because the ledger accepts batch keys even if it stores the maximum number of keys.
 */
function entryOf(draft: Draft, key: Idempotency): Entry | undefined {
  const check = draft.checkKey(key, 'batch')
  return check.kind === 'replay' && check.record.kind === 'entry' ? check.record : undefined
}

function charged(ids: LedgerIds, entry: Entry, rest?: Entry): SettleCallResult {
  const answer = {
    event_id: entry.event ? ids.event(entry) : null,
    credits: microCredits(0 - entry.amount - (rest?.amount ?? 0)),
    balance_after: (rest ?? entry).balance_after,
  }
  return { kind: 'done', answer }
}

/**
 * Returns the entry with the rest of a call whose stored estimate was charged; undefined if there is no rest. Charges
 * the rest once, if the settlement is larger than the estimate: as much as the wallet can pay.
 */
function restAfter(
  draft: Draft,
  settled: Wallet,
  { hold: ref, event, capped, held }: SettleCallMessage,
  noted: Entry,
  context: BurnContext,
): Entry | undefined {
  if (!isNoted(noted)) return undefined
  const known = entryOf(draft, restOf(ref))
  if (known || !event) return known
  const rated = rate(event, settled, draft.at_ms, context)
  if (rated.kind === 'refused') return undefined
  const owed = wantedOf(rated, capped, held) + BigInt(noted.amount)
  const amount = owed > 0n ? lesser(owed, spendable(settled)) : ZERO_CREDITS
  if (amount === 0) return undefined
  return chargeRest(draft, draft.change(settled), { ref, event, rated, amount }, noted, context)
}
