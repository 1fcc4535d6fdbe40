import type { Bindings } from '../../bindings.ts'
import { consumeUsage } from './consume.ts'
import { DEAD_LETTER_QUEUE, keepDeadLetters } from './dead-letters.ts'

/** The Worker's queue consumer: usage, and the messages of it that could not be consumed. */
export function consumeQueue(batch: MessageBatch, env: Bindings): Promise<void> {
  return batch.queue.startsWith(DEAD_LETTER_QUEUE) ? keepDeadLetters(batch, env) : consumeUsage(batch, env)
}
