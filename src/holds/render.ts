import { timeJson } from '../http/input/times.ts'
import { creditsJson, exactNumber } from '../http/output/json.ts'
import type { CaptureAnswer, HoldAnswer } from '../ledger/model/answers.ts'
import { inputLeft } from '../ledger/model/wallet.ts'
import { type MicroCredits, ZERO_CREDITS } from '../pricing/money.ts'

/**
 * Returns the JSON of a hold, in format 1. A replay must return the same JSON, so a change of the JSON requires a new
 * format number.
 */
export function renderHold({ hold, hold_id, wallet_id, available }: HoldAnswer): object {
  return {
    hold_id,
    status: hold.status,
    feature_id: hold.feature_id,
    user_id: hold.user_id ?? null,
    team_id: hold.team_id ?? null,
    wallet_id,
    credits: creditsJson(hold.credits),
    captured: creditsJson(hold.captured),
    remaining: creditsJson(hold.remaining),
    available_balance: creditsJson(available),
    ...tokensFor(hold.remaining, inputLeft(hold), hold.output_rate),
    expires_at: timeJson(hold.expires_at_ms),
    created_at: timeJson(hold.created_at_ms),
  }
}

/** Returns the JSON of a capture, in format 1. */
export function renderCapture(answer: CaptureAnswer): object {
  return {
    hold_id: answer.hold_id,
    captured: creditsJson(answer.captured),
    shortfall: exactNumber(answer.shortfall),
    remaining: creditsJson(answer.remaining),
    balance_after: creditsJson(answer.balance_after),
    ...tokensFor(answer.remaining, answer.input_left ?? ZERO_CREDITS, answer.output_rate),
    transaction_id: answer.transaction_id,
    ...(answer.event_id !== undefined && { event_id: answer.event_id }),
  }
}

const MILLION = 1_000_000n

/**
 * Returns the field with the number of output tokens that the hold can still pay for, rounded down. First subtracts the
 * cost of the input that was not captured yet. Clients can use the number to decide whether a stream continues. Returns
 * no field if the price of output tokens is unknown or 0.
 */
function tokensFor(
  left: MicroCredits,
  input_left: MicroCredits,
  per_million: MicroCredits | undefined,
): { max_output_tokens?: number } {
  if (per_million === undefined || per_million === 0) return {}
  const for_output = BigInt(Math.max(0, left - input_left))
  return { max_output_tokens: Number((for_output * MILLION) / BigInt(per_million)) }
}
