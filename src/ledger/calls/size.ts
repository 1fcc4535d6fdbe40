import { ceilDivide } from '../../pricing/money.ts'
import { type BurnContext, type Rated, rate } from '../burns/rate.ts'
import type { Draft } from '../commit/draft.ts'
import { admit, type Meter, quantitiesOf } from '../entitlements/limits.ts'
import type { LimitUnit, Quantities } from '../model/limits.ts'
import type { OpenCallMessage } from '../model/messages/calls.ts'
import { type Refused, refused } from '../model/refusal.ts'
import type { PricedEvent } from '../model/vocabulary.ts'
import { insufficientCredits, spendable, type Wallet } from '../model/wallet.ts'

/**
 * The size of a hold: the held quantities, the limits that count them, and the output tokens that they cover. `unrated`
 * is true if neither a price nor a rule of the burn table applies to the call.
 */
interface Size {
  readonly quantities: Quantities
  readonly meters: readonly Meter[]
  readonly output_tokens: number
  readonly unrated: boolean
}

/** The number of steps between the smallest and the largest use, if both have the same output, such as audio. */
const STEPS = 1_000n

/**
 * Returns the size of a call's hold. The size covers the largest use of the call, or as much of the use as the wallet
 * and the limits allow. Refuses the call if they allow neither the largest nor the smallest use. A call without a
 * smallest use is refused if they do not allow the largest use.
 */
export function sizeOf(
  draft: Draft,
  wallet: Wallet,
  message: OpenCallMessage,
  context: BurnContext,
): Size | Refused {
  const most = rate(message.most, wallet, draft.at_ms, context)
  if (most.kind === 'refused') return most
  const { unrated } = most
  const whole = quantitiesOf(most, message.most.usage)
  const output_tokens = outputOf(message.most)
  const admitted = (quantities: Quantities) => {
    const { feature_id, user_id, team_id, most } = message
    const subject = { feature_id, user_id, team_id, model: most.model }
    return admit(draft, subject, quantities, context.default_entitlement, context.key_id)
  }
  const use = admitted(whole)
  const spend = BigInt(spendable(wallet))
  const required = requiredFor(most, whole)
  if (use.kind === 'admitted' && required <= spend) {
    return { quantities: whole, meters: use.meters, output_tokens, unrated }
  }
  if (!message.least) {
    return use.kind === 'refused' ? use : refused(insufficientCredits(context.ids, wallet, required))
  }
  const least = rate(message.least, wallet, draft.at_ms, context)
  if (least.kind === 'refused') return least
  const start = quantitiesOf(least, message.least.usage)
  const minimal = admitted(start)
  if (minimal.kind === 'refused') return minimal
  const needed = requiredFor(least, start)
  if (needed > spend) return refused(insufficientCredits(context.ids, wallet, needed))
  const first = outputOf(message.least)
  const tokens = output_tokens - first
  const steps = tokens > 0 ? BigInt(tokens) : STEPS
  const rooms = [...minimal.meters.flatMap(roomOf), { unit: 'credits' as const, room: spend - start.credits }]
  let taken = steps
  for (const { unit, room } of rooms) {
    const fitting = stepsIn(room, whole[unit] - start[unit], steps)
    if (fitting < taken) taken = fitting
  }
  const quantities = between(start, whole, taken, steps)
  const partial = admitted(quantities)
  if (partial.kind === 'refused') return partial
  const covered = tokens > 0 ? first + Number(taken) : first
  return { quantities, meters: partial.meters, output_tokens: covered, unrated }
}

/**
 * Returns the micro-credits that the wallet must be able to spend. A use without a price reserves nothing, but it is
 * not free: late rating can still charge it. A wallet without any credits therefore does not get the call.
 */
function requiredFor({ unrated }: Rated, { credits }: Quantities): bigint {
  return unrated && credits === 0n ? 1n : credits
}

function outputOf({ usage }: PricedEvent): number {
  return usage?.output_tokens ?? 0
}

/** Returns the quantity that a HARD limit allows in addition to the smallest use. */
function roomOf({ entitlement: { limit_type, unit }, limit, window, quantity }: Meter) {
  return limit_type === 'HARD' && limit !== null ? [{ unit, room: limit - window.used - quantity }] : []
}

/** Returns how many of `steps` equal steps fit into `room`. All steps together need `span`. */
function stepsIn(room: bigint, span: bigint, steps: bigint): bigint {
  return span <= room || span <= 0n ? steps : (room * steps) / span
}

/**
 * Divides the range from `start` to `whole` into `steps` equal steps. Returns the quantities after `taken` steps,
 * rounded up.
 */
function between(start: Quantities, whole: Quantities, taken: bigint, steps: bigint): Quantities {
  const part = (unit: LimitUnit) => start[unit] + ceilDivide((whole[unit] - start[unit]) * taken, steps)
  return { credits: part('credits'), events: part('events'), tokens: part('tokens'), usd: part('usd') }
}
