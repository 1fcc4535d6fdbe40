import type { Bindings } from '../../bindings.ts'
import { ledgerDb, ledgerName } from '../../db/ledger-db.ts'
import { logError, logFailure } from '../../logging/log.ts'
import { type Outcome, rollUp } from '../rollups/roll-up.ts'
import { type ParsedUsageMessage, parseUsageMessage } from './message.ts'

/**
 * What becomes of the bodies of usage messages when they are folded into the rollups now, in their order. Throws when
 * D1 cannot be read.
 */
export async function foldBodies(env: Pick<Bindings, 'DB'>, bodies: readonly unknown[]): Promise<Outcome[]> {
  const parsed = bodies.map(parseUsageMessage)
  const messages = parsed.flatMap((body) => (body.kind === 'message' ? body.message : []))
  const outcomes = new Map<ParsedUsageMessage, Outcome>()
  const databases = Map.groupBy(messages, ({ ledger_id }) => ledgerDb(env, ledgerName(ledger_id).customer_id))
  for (const [db, own] of databases) {
    for (const [message, outcome] of await rollUp(db, own)) outcomes.set(message, outcome)
  }
  return parsed.map((body) => {
    if (body.kind === 'poison') return { kind: 'failed', reason: body.reason }
    return outcomes.get(body.message) ?? { kind: 'failed', reason: 'nothing became of it' }
  })
}

/**
 * The consumer of the usage queue. Each message is answered by itself: one that fails keeps none of its neighbours. It
 * comes back later and later, and after its last try goes to the dead-letter queue.
 */
export async function consumeUsage(batch: MessageBatch, env: Bindings): Promise<void> {
  let outcomes: Outcome[]
  try {
    outcomes = await foldBodies(
      env,
      batch.messages.map(({ body }) => body),
    )
  } catch (error) {
    logError('usage_batch_failed', error, { messages: batch.messages.length })
    for (const message of batch.messages) message.retry({ delaySeconds: retryDelay(message.attempts) })
    return
  }
  batch.messages.forEach((message, i) => {
    const outcome = outcomes[i]
    if (outcome?.kind === 'folded') {
      message.ack()
      return
    }
    const { id, attempts } = message
    logFailure('usage_message_failed', { message: id, attempts, reason: outcome?.reason ?? '' })
    message.retry({ delaySeconds: retryDelay(attempts) })
  })
}

const FIRST_DELAY_S = 5
/** With ten tries in all it is 25 minutes until a message goes to the dead letters: longer than D1 is mostly down. */
const LAST_DELAY_S = 300

/** Seconds until a message comes back that was tried this often. */
export function retryDelay(attempts: number): number {
  return Math.min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** Math.min(attempts - 1, 10))
}
