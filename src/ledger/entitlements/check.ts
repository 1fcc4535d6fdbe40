import { MAX_USD } from '../../pricing/money.ts'
import { payingWallet } from '../burns/burn.ts'
import { type BurnContext, PRICE_TOO_HIGH, rate } from '../burns/rate.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import { openHold } from '../holds/holds.ts'
import type { CheckAnswer, LimitAnswer } from '../model/answers.ts'
import type { Quantities } from '../model/limits.ts'
import type { CheckAndHoldMessage, CheckQuestion, CheckResult } from '../model/messages/entitlements.ts'
import { type Refused, refused } from '../model/refusal.ts'
import { spendable, type Wallet } from '../model/wallet.ts'
import { settle } from '../wallets/settle.ts'
import {
  firstExceeded,
  levelOf,
  type Meter,
  metersOf,
  offReason,
  quantitiesOf,
  quantityText,
} from './limits.ts'

/** The quantities of a use without an estimate: the smallest quantity of each unit. */
const LEAST_USE: Quantities = { credits: 1n, events: 1n, tokens: 1n, usd: 1n }

/** The number of equal uses that the wallet must still be able to pay for after a use. Otherwise, credits are low. */
const LOW_CREDITS_ACTIONS = 10n

/**
 * Reports whether the wallet and the entitlements would accept a burn now. Does not check the monthly quota of events.
 * Refuses an event that has no price, and an otherwise allowed event whose price is too high to store. The caller must
 * not write the draft, because a check must cost no rows.
 */
export function checkUse(draft: Draft, { subject, event }: CheckQuestion, context: BurnContext): CheckResult {
  const answer = evaluate(draft, { subject, event }, context)
  return 'kind' in answer ? answer : done(answer)
}

/**
 * Checks a use like `checkUse`. If the use is allowed, opens a hold on the estimate, at most once for its idempotency
 * key. A use that is not allowed, has no estimate or costs nothing gets no hold, and its idempotency key stays unused.
 */
export function checkAndHold(
  draft: Draft,
  { question, hold_ms, idempotency }: CheckAndHoldMessage,
  context: BurnContext,
): CheckResult {
  const replayed = replayedAnswer(draft, idempotency, 'check')
  if (replayed) return replayed.kind === 'refused' ? replayed : { ...replayed, answer: replayed.answer.check }
  const answer = evaluate(draft, question, context)
  if ('kind' in answer) return answer
  const { subject, event } = question
  if (!answer.allowed || !event || answer.credits_micro === '0') return done(answer)
  const { feature_id, user_id, team_id } = subject
  const opened = openHold(
    draft,
    {
      op: 'open',
      feature_id,
      ...(user_id !== undefined && { user_id }),
      ...(team_id !== undefined && { team_id }),
      lifetime_ms: hold_ms,
      size: { kind: 'event', event },
    },
    context,
  )
  if ('kind' in opened) return opened
  const held: CheckAnswer = { ...answer, hold_id: opened.hold_id }
  keepAnswer(draft, idempotency, { of: 'check', check: held })
  return done(held)
}

function evaluate(
  draft: Draft,
  { subject, event }: CheckQuestion,
  context: BurnContext,
): CheckAnswer | Refused {
  const payer = payingWallet(draft, subject)
  const rated = event && rate(event, payer, draft.at_ms, context)
  if (rated?.kind === 'refused') return rated
  const wallet = settle(draft, payer)
  const rows = draft.entitlementsOf({ ...subject, model: event?.model }, context.key_id)
  const quantities = rated ? quantitiesOf(rated, event?.usage) : LEAST_USE
  const meters = metersOf(draft, rows, quantities)
  const credits_micro = rated?.credits_micro ?? 0n
  const off = offReason(rows, context.default_entitlement)
  const hard = firstExceeded(meters, 'HARD')
  const soft = firstExceeded(meters, 'SOFT')
  const no = off ?? (hard && 'limit_reached') ?? lack(wallet, credits_micro)
  if (no === undefined && rated && rated.price > MAX_USD) return refused(PRICE_TOO_HIGH)
  const meter = (no === undefined ? soft : hard) ?? tightest(meters)
  return {
    allowed: no === undefined,
    reason: no ?? (soft && 'soft_limit_reached') ?? low(wallet, rated ? credits_micro : null) ?? null,
    credits_micro: credits_micro.toString(),
    price_pico: (rated?.price ?? 0n).toString(),
    balance: wallet.balance,
    limit: meter ? limitAnswer(meter) : null,
  }
}

function lack(wallet: Wallet, credits_micro: bigint): 'insufficient_credits' | undefined {
  return credits_micro > BigInt(spendable(wallet)) ? 'insufficient_credits' : undefined
}

/**
 * Returns `low_credits` if the wallet has few credits left. Without an estimate, `credits_micro` is null, and credits
 * are low if none can be spent.
 */
function low(wallet: Wallet, credits_micro: bigint | null): 'low_credits' | undefined {
  const left = BigInt(spendable(wallet))
  const isLow =
    credits_micro === null ? left <= 0n : left - credits_micro < credits_micro * LOW_CREDITS_ACTIONS
  return isLow ? 'low_credits' : undefined
}

/**
 * Returns the limit with the smallest remaining share. If several shares are equal, returns the most specific limit.
 * Returns undefined if no meter has a limit.
 */
function tightest(meters: readonly Meter[]): Meter | undefined {
  let found: { readonly meter: Meter; readonly left: bigint; readonly limit: bigint } | undefined
  for (const meter of meters) {
    if (meter.limit === null) continue
    const { limit } = meter
    const left = leftOf(meter, limit)
    // Compares left / limit by cross-multiplication. A limit of 0 has nothing left.
    if (!found || left * atLeastOne(found.limit) < found.left * atLeastOne(limit))
      found = { meter, left, limit }
  }
  return found?.meter
}

function atLeastOne(limit: bigint): bigint {
  return limit === 0n ? 1n : limit
}

function leftOf({ window: { used } }: Meter, limit: bigint): bigint {
  return limit > used ? limit - used : 0n
}

function limitAnswer(meter: Meter): LimitAnswer | null {
  const { entitlement, window, limit } = meter
  const { id, unit, period, rolling } = entitlement
  if (limit === null || period === null) return null
  return {
    entitlement_id: id,
    ...levelOf(entitlement),
    unit,
    value: quantityText(unit, limit),
    used: quantityText(unit, window.used),
    remaining: quantityText(unit, leftOf(meter, limit)),
    period,
    ...(rolling && { rolling }),
    resets_at_ms: window.resets_at_ms,
  }
}
