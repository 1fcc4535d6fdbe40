import { z } from 'zod'
import type { Delivered } from '../records/deliveries.ts'

/**
 * A message in the queue `webhooks`, as JSON. It means that a delivery is due. A message can arrive late or several
 * times.
 */
export interface DeliveryMessage extends Delivered {
  readonly v: 1
}

const schema = z.object({
  v: z.literal(1),
  owner: z.string(),
  webhook_endpoint_id: z.string(),
  notification_id: z.string(),
  sequence: z.int(),
  type: z.string(),
  at_ms: z.int(),
})

export function messageOf({
  owner,
  webhook_endpoint_id,
  notification_id,
  sequence,
  type,
  at_ms,
}: Delivered): DeliveryMessage {
  return { v: 1, owner, webhook_endpoint_id, notification_id, sequence, type, at_ms }
}

/** Parses the body of a queue message. Returns undefined if the body is malformed. */
export function parseMessage(body: unknown): Delivered | undefined {
  const parsed = schema.safeParse(body)
  if (!parsed.success) return undefined
  const { v: _v, ...delivered } = parsed.data
  return delivered
}

/** The maximum number of messages that a queue accepts in one call. */
const MAX_SENT_AT_ONCE = 100

/** Returns the number of calls to the queue that `enqueue` makes for a number of deliveries. */
export function callsToEnqueue(deliveries: number): number {
  return Math.ceil(deliveries / MAX_SENT_AT_ONCE)
}

/**
 * Puts a message for each delivery into the queue. If the call is repeated after an error, some deliveries can be in
 * the queue twice.
 */
export async function enqueue(queue: Queue<DeliveryMessage>, delivered: readonly Delivered[]): Promise<void> {
  for (let i = 0; i < delivered.length; i += MAX_SENT_AT_ONCE) {
    const bodies = delivered.slice(i, i + MAX_SENT_AT_ONCE).map((one) => ({ body: messageOf(one) }))
    await queue.sendBatch(bodies)
  }
}
