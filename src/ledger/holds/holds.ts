import { priceOf } from '../../pricing/burn-table/table.ts'
import {
  CREDIT_DECIMALS,
  ceilDivide,
  formatDecimal,
  MAX_MICRO_CREDITS,
  type MicroCredits,
  microCredits,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import { countStored, overStored } from '../admission/quotas.ts'
import { burnEntry, overQuota, payingWallet, recordOf } from '../burns/burn.ts'
import { type BurnContext, countUse, rate, storedPrice } from '../burns/rate.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import {
  admit,
  capturedQuantities,
  countInPlaceOf,
  quantitiesOf,
  reserveLimits,
} from '../entitlements/limits.ts'
import type { HoldAnswer } from '../model/answers.ts'
import type { CapturedUse, StoredAnswer } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { Quantities } from '../model/limits.ts'
import type { HoldMessage, HoldRequest, HoldResult, HoldSize } from '../model/messages/holds.ts'
import { type Answered, invalidField, notFound, type Refused, refused } from '../model/refusal.ts'
import type { PricedEvent, WalletItemRef } from '../model/vocabulary.ts'
import {
  available,
  type Hold,
  type HoldState,
  inputLeft,
  insufficientCredits,
  MAX_OPEN_HOLDS,
  remaining,
  spendable,
  type Wallet,
} from '../model/wallet.ts'
import { reserve } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import { captureParts, endHold, findHold, heldBy, holdState, isOfSubjects } from './funds.ts'

type HoldStored = Extract<StoredAnswer, { of: 'hold' | 'capture' }>
type Outcome = HoldStored | Refused

/** Opens, captures, releases or extends a hold, at most once for the idempotency key. A refusal changes nothing. */
export function applyHold(draft: Draft, message: HoldMessage, context: BurnContext): HoldResult {
  const { request, idempotency } = message
  const replayed = replayedAnswer(draft, idempotency, 'hold', 'capture')
  if (replayed) return replayed.kind === 'refused' ? replayed : resultOf(replayed)
  const outcome = apply(draft, request, context)
  if ('kind' in outcome) return outcome
  keepAnswer(draft, idempotency, outcome)
  return resultOf(done(outcome))
}

function apply(draft: Draft, request: HoldRequest, context: BurnContext): Outcome {
  if (request.op === 'open') return openHold(draft, request, context)
  const wallet = draft.walletByNumber(request.hold.wallet)
  const settled = wallet && settle(draft, wallet)
  if (!settled || !isNumbered(draft, request.hold)) {
    return notFound(`Hold ${context.ids.hold(request.hold)}`)
  }
  if (!findHold(settled, request.hold)) return refused({ code: 'hold_not_open' })
  switch (request.op) {
    case 'capture':
      return capture(draft, settled, request, context)
    case 'release': {
      const changed = draft.change(settled)
      const state = endHold(draft, changed, heldBy(changed, request.hold), 'released')
      return { of: 'hold', ...holdAnswer(context.ids, changed, state) }
    }
    case 'extend':
      return extend(draft, settled, request, context)
  }
}

/**
 * Reports whether the hold can exist: the ledger has opened a hold with this number, and the creation time in the id is
 * not in the future. A hold that can exist and is not open is closed.
 */
function isNumbered(draft: Draft, { number, created_at_ms }: WalletItemRef): boolean {
  return number >= 1 && number <= draft.counters.hold && created_at_ms <= draft.at_ms
}

/** Opens a hold. A refusal changes nothing. */
export function openHold(
  draft: Draft,
  request: HoldRequest & { op: 'open' },
  context: BurnContext,
): ({ readonly of: 'hold' } & HoldAnswer) | Refused {
  const wallet = settle(draft, payingWallet(draft, request))
  const size = sizeOf(draft, wallet, request.size, context)
  if ('kind' in size) return size
  if (wallet.holds.length >= MAX_OPEN_HOLDS) {
    return refused({ code: 'too_many_open', what: 'holds', limit: MAX_OPEN_HOLDS })
  }
  if (size.credits_micro === 0n) {
    const message = 'costs no credits, so no hold is needed'
    return invalidField('/usage', message, `This usage ${message}.`)
  }
  const { feature_id, user_id, team_id } = request
  const { model } = size
  const { default_entitlement, key_id } = context
  const use = admit(
    draft,
    { feature_id, user_id, team_id, model },
    size.quantities,
    default_entitlement,
    key_id,
  )
  if (use.kind === 'refused') return use
  const over = overStored(draft, context.quotas)
  if (over) return refused(over)
  if (size.credits_micro > BigInt(spendable(wallet))) {
    return refused(insufficientCredits(context.ids, wallet, size.credits_micro))
  }
  const changed = draft.change(wallet)
  const credits = microCredits(size.credits_micro)
  const hold: Hold = {
    number: draft.nextHoldNumber(),
    feature_id,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    ...(key_id !== undefined && { key_id }),
    ...(model !== undefined && { model }),
    created_at_ms: draft.at_ms,
    credits,
    ...size.output,
    expires_at_ms: draft.at_ms + request.lifetime_ms,
    captured: ZERO_CREDITS,
    parts: reserve(changed, credits),
    ...reserveLimits(draft, use.meters),
  }
  changed.holds.push(hold)
  countStored(draft)
  return { of: 'hold', ...holdAnswer(context.ids, changed, holdState(changed, hold, 'open')) }
}

interface Size {
  readonly credits_micro: bigint
  readonly quantities: Quantities
  readonly model?: string | undefined
  /**
   * The output rate and the input credits of the hold; absent if the output rate is unknown or 0, or if a value would
   * be too large.
   */
  readonly output?: Pick<Hold, 'output_rate' | 'input_credits'>
}

/**
 * Returns the quantities of an amount of credits, in each unit that a limit can have. The current burn table determines
 * the price.
 */
function quantitiesOfCredits(draft: Draft, credits_micro: bigint, { tables }: BurnContext): Quantities {
  return quantitiesOf({ credits_micro, price: priceOf(tables.at(draft.at_ms), credits_micro) })
}

/**
 * Returns the size of a hold in credits. Refuses an event that `rate` refuses. If the model has a price for output
 * tokens, also returns the output rate and the credits of the input.
 */
function sizeOf(draft: Draft, wallet: Wallet, size: HoldSize, context: BurnContext): Size | Refused {
  if (size.kind === 'credits') {
    const credits_micro = BigInt(size.credits)
    return { credits_micro, quantities: quantitiesOfCredits(draft, credits_micro, context) }
  }
  const rated = rate(size.event, wallet, draft.at_ms, context)
  if (rated.kind === 'refused') return rated
  const { credits_micro } = rated
  const { usage, model } = size.event
  const sized = { credits_micro, quantities: quantitiesOf(rated, usage), model }
  if (!size.million_output_tokens) return sized
  const output = rate(size.million_output_tokens, wallet, draft.at_ms, context)
  if (output.kind === 'refused') return output
  const per_million = output.credits_micro
  if (per_million === 0n || per_million > BigInt(MAX_MICRO_CREDITS)) return sized
  const output_micro = ceilDivide(BigInt(usage?.output_tokens ?? 0) * per_million, MILLION)
  const input_micro = credits_micro > output_micro ? credits_micro - output_micro : 0n
  if (input_micro > BigInt(MAX_MICRO_CREDITS)) return sized
  return {
    ...sized,
    output: { output_rate: microCredits(per_million), input_credits: microCredits(input_micro) },
  }
}

const MILLION = 1_000_000n

function capture(
  draft: Draft,
  settled: Wallet,
  { hold: ref, what, final }: HoldRequest & { op: 'capture' },
  context: BurnContext,
): Outcome {
  const { ids } = context
  const held = heldBy(settled, ref)
  const event = what.kind === 'event' ? eventOfHold(what.event, held) : undefined
  const refusal = event && refusalOf(draft, settled, held, event, context)
  if (refusal) return refusal
  const rated = event && rate(event, settled, draft.at_ms, context)
  if (rated?.kind === 'refused') return rated
  const wallet = draft.change(settled)
  const wanted_micro = what.kind === 'credits' ? BigInt(what.credits) : (rated?.credits_micro ?? 0n)
  const hold = heldBy(wallet, ref)
  const isFirst = hold.captured === 0
  const { amount, lots, shortfall_micro } = captureParts(draft, wallet, hold, wanted_micro)
  if (rated) countUse(wallet, rated)
  const quantities =
    event && rated
      ? capturedQuantities(rated, amount, event.usage)
      : // A hold that is captured by credits counts as one event, even if it is captured in several parts.
        { ...quantitiesOfCredits(draft, BigInt(amount), context), events: isFirst ? 1n : 0n }
  const counts = countInPlaceOf(draft, hold, quantities, event)
  const entry = draft.append(
    wallet,
    event && rated
      ? burnEntry(event, undefined, amount, lots, recordOf(event, rated, amount, hold.key_id), counts)
      : {
          type: 'BURN',
          amount: microCredits(0 - amount),
          lots,
          captured: capturedUse(draft, amount, hold, context),
          description: `Capture of ${ids.hold(ref)}`,
          ...counts,
        },
  )
  const { output_rate } = hold
  const input_left = inputLeft(hold)
  if (final) endHold(draft, wallet, hold, 'captured')
  return {
    of: 'capture',
    hold_id: ids.hold(ref),
    captured: amount,
    shortfall: formatDecimal(shortfall_micro, CREDIT_DECIMALS),
    remaining: final ? ZERO_CREDITS : remaining(hold),
    balance_after: wallet.balance,
    transaction_id: ids.transaction(entry),
    ...(entry.event && { event_id: ids.event(entry) }),
    ...(output_rate !== undefined && { output_rate }),
    ...(input_left > 0 && { input_left }),
  }
}

/**
 * Returns the event of a capture. If the event names neither a user nor a team, adds the user and the team of the hold.
 */
function eventOfHold(event: PricedEvent, { user_id, team_id }: Hold): PricedEvent {
  if (event.user_id !== undefined || event.team_id !== undefined) return event
  return {
    ...event,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
  }
}

/**
 * Refuses an event above the monthly quota. Also refuses an event for which a wallet other than the hold's wallet would
 * pay, unless the event has the user and the team of the hold.
 */
function refusalOf(
  draft: Draft,
  wallet: Wallet,
  hold: Hold,
  event: PricedEvent,
  context: BurnContext,
): Refused | undefined {
  const over = overQuota(draft, context)
  if (over) return refused(over)
  if (isOfSubjects(hold, event) || payingWallet(draft, event).number === wallet.number) return undefined
  const field = event.team_id === undefined ? 'user_id' : 'team_id'
  const message = 'must belong to the wallet of the hold'
  return invalidField(`/event/${field}`, message, `The event's ${field} ${message}.`)
}

/** Returns the usage that an entry records for captured credits, with their price by the current burn table. */
export function capturedUse(
  draft: Draft,
  amount: MicroCredits,
  { feature_id, user_id, team_id, key_id }: Omit<CapturedUse, 'price'>,
  { tables }: BurnContext,
): CapturedUse {
  return {
    feature_id,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    ...(key_id !== undefined && { key_id }),
    price: storedPrice(priceOf(tables.at(draft.at_ms), BigInt(amount))),
  }
}

function extend(
  draft: Draft,
  settled: Wallet,
  { hold: ref, lifetime_ms }: HoldRequest & { op: 'extend' },
  { ids, quotas }: BurnContext,
): Outcome {
  const over = overStored(draft, quotas)
  if (over) return refused(over)
  countStored(draft)
  const wallet = draft.change(settled)
  const hold = heldBy(wallet, ref)
  hold.expires_at_ms = draft.at_ms + lifetime_ms
  return { of: 'hold', ...holdAnswer(ids, wallet, holdState(wallet, hold, 'open')) }
}

export function holdAnswer(ids: LedgerIds, wallet: Wallet, hold: HoldState): HoldAnswer {
  const { number, created_at_ms } = hold
  return {
    hold,
    hold_id: ids.hold({ number, wallet: wallet.number, created_at_ms }),
    wallet_id: ids.wallet(wallet.number),
    available: available(wallet),
  }
}

function resultOf({ kind, format, answer }: Answered<HoldStored>): HoldResult {
  return answer.of === 'hold' ? { kind, of: 'hold', format, answer } : { kind, of: 'capture', format, answer }
}
