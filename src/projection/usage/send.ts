import { sizeOf } from '../../ledger/packing.ts'
import type { UsageDelta } from './delta.ts'
import { type UsageMessage, type UsageRange, usageMessages } from './message.ts'

/** The platform's limits of one `sendBatch`, with some room in bytes for what it adds to each message. */
const MAX_BATCH_MESSAGES = 100
const MAX_BATCH_BYTES = 240_000

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
  for (const messages of batchesOf(usageMessages(range, deltas))) {
    await queue.sendBatch(messages.map((body) => ({ body })))
  }
}

function batchesOf(messages: readonly UsageMessage[]): UsageMessage[][] {
  const batches: UsageMessage[][] = []
  let bytes = 0
  for (const message of messages) {
    const size = sizeOf(JSON.stringify(message))
    const open = batches.at(-1)
    if (open && open.length < MAX_BATCH_MESSAGES && bytes + size <= MAX_BATCH_BYTES) {
      open.push(message)
      bytes += size
    } else {
      batches.push([message])
      bytes = size
    }
  }
  return batches
}
