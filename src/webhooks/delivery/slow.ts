import type { Bindings } from '../../bindings.ts'
import { logError } from '../../logging/log.ts'
import { messageOf } from '../queue/message.ts'
import { claimNext, type Delivered, type Outcome } from '../records/deliveries.ts'
import { addressChecks, attempt } from './attempt.ts'
import { decide } from './decide.ts'
import { type Consequence, consequenceOf } from './outcome.ts'
import { record } from './record.ts'
import type { SendLimits } from './send.ts'
import { settleDue, settleUnsent } from './settle.ts'
import { readSituations } from './situation.ts'

/**
 * The attempts that take longer than a run of the consumer waits for them. Each attempt is recorded when it ends.
 * Then the next deliveries of the same endpoint are sent, one after the other. A slow endpoint therefore gets all of
 * its messages, and about five at the same time.
 */
/** The time after which a running attempt counts as lost and is repeated. It is longer than any attempt. */
const LEASE_MS = 60_000
/**
 * The maximum number of deliveries that follow a slow attempt in a run. With six attempts at the same time and up to
 * 16 calls for each, a run of the Worker makes fewer than 1,000 calls.
 */
const MAX_CONTINUED = 9
const MAX_TIME_MS = 300_000

/** Returns the row of a running attempt. */
export function inFlight(delivered: Delivered, made: number, now_ms: number): Outcome {
  return { ...delivered, status: 'pending', made, in_flight: true, due_at_ms: now_ms + LEASE_MS }
}

/**
 * Continues a slow attempt, and sends the next deliveries of its endpoint. Never throws. An attempt that is not
 * recorded is repeated after its lease.
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
  // If this call fails, the sweep finds the delivery when it is due.
  const delaySeconds = Math.ceil(settlement.delay_ms / 1_000)
  await env.WEBHOOKS.send(messageOf(consequence.outcome), { delaySeconds })
}

/** Sends a delivery that this run has claimed. The delivery is treated as due, although its lease has not ended. */
async function sendClaimed(env: Bindings, delivered: Delivered, options: SendLimits): Promise<void> {
  const now_ms = options.now()
  const situation = (await readSituations(env, [delivered], now_ms)).get(delivered)
  if (!situation) throw new Error('a delivery was not read')
  const { state } = situation
  const decision = decide(
    { ...situation, state: state && { ...state, due_at_ms: now_ms }, is_busy: false },
    now_ms,
  )
  if (decision.kind === 'send') {
    // Checks the address again, because the host name may have a new address since the last attempt.
    const sent = await attempt(decision, addressChecks(env, options.fetcher), options)
    const consequence = consequenceOf(delivered, decision.endpoint, sent, decision.made)
    return recordOne(env, consequence, options.now())
  }
  const { outcome } = settleUnsent(decision, { delivered, tries: 1, now_ms })
  if (outcome) await record(env, [], [outcome], now_ms)
}
