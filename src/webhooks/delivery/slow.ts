import type { Bindings } from '../../bindings.ts'
import { logError } from '../../logging/log.ts'
import { messageOf } from '../queue/message.ts'
import { claimNext, type Delivered, deliveryId, type Outcome } from '../records/deliveries.ts'
import { addressChecks, attempt } from './attempt.ts'
import { decide } from './decide.ts'
import { type Consequence, consequenceOf } from './outcome.ts'
import { record } from './record.ts'
import type { SendLimits } from './send.ts'
import { settleDue, settleUnsent } from './settle.ts'
import { readSituations } from './situation.ts'

/**
 * Handles attempts that take longer than the time for which a run of the consumer waits. Each of these attempts is
 * recorded when it ends. Then the next deliveries to the same endpoint are sent, one after another. A slow endpoint
 * therefore gets all of its messages, with about five attempts at the same time.
 */

/**
 * The time after which a running attempt is considered lost and is repeated, in milliseconds. No attempt takes so long.
 */
const LEASE_MS = 60_000
/**
 * The maximum number of deliveries that are sent after a slow attempt in the same run. A run has up to six slow
 * attempts, and each delivery needs up to 16 calls. A run therefore makes fewer than the 1,000 calls that the platform
 * allows.
 */
const MAX_CONTINUED = 9
const MAX_TIME_MS = 300_000

/** Returns the outcome that marks a delivery as running in its row. */
export function inFlight(delivered: Delivered, made: number, now_ms: number): Outcome {
  return { ...delivered, status: 'pending', made, in_flight: true, due_at_ms: now_ms + LEASE_MS }
}

/**
 * Waits for the end of a slow attempt, records it, and sends the next deliveries to its endpoint. Never throws. If the
 * attempt cannot be recorded, or if one of the next deliveries cannot be claimed, read or recorded, logs the error and
 * stops. A delivery that was running is then repeated after `LEASE_MS`.
 */
export async function continueSlow(
  env: Bindings,
  end: Promise<Consequence>,
  webhook_endpoint_id: string,
  options: SendLimits,
): Promise<void> {
  try {
    const until_ms = options.now() + MAX_TIME_MS
    await recordOne(env, await end, options.now())
    for (let i = 0; i < MAX_CONTINUED && options.now() < until_ms; i++) {
      const now_ms = options.now()
      const next = await claimNext(env, webhook_endpoint_id, now_ms, now_ms + LEASE_MS)
      if (!next) return
      await sendClaimed(env, next, options)
    }
  } catch (error) {
    logError('webhook_attempt_not_recorded', error, { webhook_endpoint_id })
  }
}

async function recordOne(env: Bindings, consequence: Consequence, now_ms: number): Promise<void> {
  await record(env, [consequence], [], now_ms)
  const { due_at_ms } = consequence.outcome
  const settlement = settleDue(due_at_ms, now_ms)
  if (settlement.kind === 'ack') return
  // If the message cannot be queued, the sweep finds the delivery when it is due.
  const delaySeconds = Math.ceil(settlement.delay_ms / 1_000)
  await env.WEBHOOKS.send(messageOf(consequence.outcome), { delaySeconds })
}

/**
 * Sends a delivery that this run has claimed with `claimNext`. The row now shows a running attempt until the end of the
 * lease, so the delivery is explicitly treated as due. Throws if D1 or the queue fails.
 */
async function sendClaimed(env: Bindings, delivered: Delivered, options: SendLimits): Promise<void> {
  const now_ms = options.now()
  const situation = (await readSituations(env, [delivered], now_ms)).get(delivered)
  if (!situation) throw new Error(`the situation of delivery ${deliveryId(delivered)} was not read`)
  const { state } = situation
  const decision = decide(
    { ...situation, state: state && { ...state, due_at_ms: now_ms }, is_busy: false },
    now_ms,
  )
  if (decision.kind === 'send') {
    // The host name is resolved again, because its IP addresses can have changed since the last attempt.
    const sent = await attempt(decision, addressChecks(env, options.fetcher), options)
    const consequence = consequenceOf(delivered, decision.endpoint, sent, decision.made)
    return recordOne(env, consequence, options.now())
  }
  const { outcome } = settleUnsent(decision, { delivered, tries: 1, now_ms })
  if (outcome) await record(env, [], [outcome], now_ms)
}
