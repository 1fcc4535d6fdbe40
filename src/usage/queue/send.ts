import { type PortionLimits, portionsOf } from '../../db/portions.ts'
import { sizeOf } from '../../db/text-size.ts'
import type { UsageDelta } from '../cells/delta.ts'
import { type UsageRange, usageMessages } from './message.ts'

/** The platform's limits of one `sendBatch`, with some room in bytes for what it adds to each message. */
const BATCH_LIMITS: PortionLimits = { bytes: 240_000, items: 100 }

/**
 * Sends the usage of a flush, in order. It may be sent twice: when it throws, some may be on their way, and the caller
 * sends the same messages again. A range without entries says nothing.
 */
export async function sendUsage(
  queue: Queue,
  range: UsageRange,
  deltas: readonly UsageDelta[],
): Promise<void> {
  if (range.to_entry <= range.after_entry) return
  const messages = usageMessages(range, deltas)
  for (const batch of portionsOf(messages, (message) => sizeOf(JSON.stringify(message)), BATCH_LIMITS)) {
    await queue.sendBatch(batch.map((body) => ({ body })))
  }
}
