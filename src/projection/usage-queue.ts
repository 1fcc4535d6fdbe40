/**
 * The consumer of the usage queue. Ledgers of this version send nothing to it yet: analytics are made from the pages
 * that the flush writes. A message can only be from a newer deployment, during a rollout or after a rollback: it is
 * handed back, and after its last try kept in the dead-letter queue, so that the version that knows it can replay it.
 */
export async function consumeUsage(batch: MessageBatch): Promise<void> {
  console.error(
    JSON.stringify({ event: 'usage_message_unknown', queue: batch.queue, messages: batch.messages.length }),
  )
  batch.retryAll()
}
