import type { Bindings } from './bindings.ts'
import { consumeUsage, DEAD_LETTER_QUEUE, keepDeadLetters } from './usage/queue/consume.ts'
import { deliverBatch, deliverOptions } from './webhooks/delivery/deliver.ts'
import { consumeHints } from './webhooks/queue/fan-out.ts'

/**
 * Passes a batch to the consumer of its queue. Compares only the beginning of the queue's name, because the queues of
 * an environment have its name as a suffix, such as `usage-staging` (`wrangler.toml`).
 */
export async function consumeQueue(
  batch: MessageBatch,
  env: Bindings,
  ctx: Pick<ExecutionContext, 'waitUntil'>,
): Promise<void> {
  const { queue } = batch
  if (queue.startsWith('notifications')) return consumeHints(batch, env)
  if (queue.startsWith('webhooks')) {
    return deliverBatch(
      batch,
      env,
      deliverOptions((work) => ctx.waitUntil(work)),
    )
  }
  return queue.startsWith(DEAD_LETTER_QUEUE) ? keepDeadLetters(batch, env) : consumeUsage(batch, env)
}
