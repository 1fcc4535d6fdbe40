import { createHash } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import { jsonParameters, sizeOf } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerName } from '../../db/ledger-db.ts'
import { randomId } from '../../ids.ts'
import { logError, logFailure } from '../../logging/log.ts'
import { type Outcome, rollUp } from '../rollups/roll-up.ts'
import { type ParsedUsageMessage, parseUsageMessage } from './message.ts'

/**
 * Adds the usage of queue messages to the rollups. `bodies` are the bodies of the messages. Returns one outcome for
 * each body, in the same order. Can throw if D1 cannot be read.
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
    return outcomes.get(body.message) ?? { kind: 'failed', reason: 'the message has no outcome' }
  })
}

/**
 * Consumes a batch of the usage queue. Acknowledges or retries each message separately, so that a failing message does
 * not delay others. The delays between retries increase. After the last retry, the queue moves the message to the
 * dead-letter queue.
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
/**
 * The maximum delay of a retry, in seconds. The delays of ten retries add up to 25 minutes, which is longer than most
 * outages of D1.
 */
const LAST_DELAY_S = 300

/** Returns the delay in seconds before the next attempt. `attempts` is the number of attempts so far, at least 1. */
export function retryDelay(attempts: number): number {
  return Math.min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** Math.min(attempts - 1, 10))
}

/** The name of the dead-letter queue in wrangler.toml. In a named environment, the name of the environment follows. */
export const DEAD_LETTER_QUEUE = 'usage-dead-letters'

/**
 * The maximum size of a stored body. A queue accepts messages of up to 128 KB, so no delivered message is truncated.
 */
const MAX_BODY_BYTES = 200_000
/** The maximum length of a stored reason, in characters. */
export const MAX_REASON_LENGTH = 500

/**
 * Consumes the dead-letter queue. Tries each message once more, because the cause of the failure might be resolved by
 * now, and because the queue does not deliver the reason of the failure. Stores messages that fail again in D1. Logs
 * and retries messages that cannot be stored.
 */
export async function keepDeadLetters(batch: MessageBatch, env: Bindings): Promise<void> {
  const outcomes = await tryAgain(
    env,
    batch.messages.map(({ body }) => body),
  )
  const failed = batch.messages.flatMap((message, i) => {
    const outcome = outcomes[i]
    return outcome?.kind === 'failed' ? [{ message, reason: outcome.reason }] : []
  })
  const lost = await storeOrLog(env.DB, failed)
  for (const message of batch.messages) {
    if (lost.has(message)) message.retry({ delaySeconds: retryDelay(message.attempts) })
    else message.ack()
  }
}

interface FailedMessage {
  readonly message: Message
  readonly reason: string
}

/** Stores failed messages in D1 and logs them. Returns the messages that could not be stored. */
async function storeOrLog(db: D1Database, failed: readonly FailedMessage[]): Promise<ReadonlySet<Message>> {
  if (failed.length === 0) return new Set()
  try {
    const letters = failed.map(({ message, reason }) => letterOf(message, reason))
    const texts = letters.map((letter) => JSON.stringify(letter))
    await db.batch(jsonParameters(texts).map((list) => db.prepare(STORE).bind(list)))
  } catch (error) {
    logError('dead_letters_not_stored', error, { messages: failed.length })
    for (const { message, reason } of failed) logLost(message, reason)
    return new Set(failed.map(({ message }) => message))
  }
  for (const { message, reason } of failed) {
    logFailure('dead_letter_stored', {
      dead_letter_id: idOf(message),
      reason: reason.slice(0, MAX_REASON_LENGTH),
    })
  }
  return new Set()
}

/** Tries messages once more and returns the outcomes. If D1 cannot be read, all outcomes are failures. */
async function tryAgain(env: Bindings, bodies: readonly unknown[]): Promise<Outcome[]> {
  try {
    return await foldBodies(env, bodies)
  } catch (error) {
    logError('dead_letters_not_tried', error, { messages: bodies.length })
    return bodies.map(() => ({ kind: 'failed', reason: `the retry did not run: ${String(error)}` }))
  }
}

// Writes 2 rows for each message: the dead letter and its index entry. If a message is delivered again, updates its
// dead letter.
const STORE = `
  INSERT INTO dead_letters (dead_letter_id, state, reason, attempts, sent_at_ms, failed_at_ms, truncated, body)
  SELECT value ->> 'dead_letter_id', 'open', value ->> 'reason', value ->> 'attempts', value ->> 'sent_at_ms',
    value ->> 'failed_at_ms', value ->> 'truncated', value ->> 'body'
  FROM json_each(?1) WHERE true
  ON CONFLICT (dead_letter_id) DO UPDATE SET state = 'open', reason = excluded.reason,
    attempts = attempts + excluded.attempts, failed_at_ms = excluded.failed_at_ms`

function letterOf(message: Message, reason: string): Readonly<Record<string, string | number>> {
  const text = textOf(message.body)
  const truncated = sizeOf(text) > MAX_BODY_BYTES
  return {
    dead_letter_id: idOf(message),
    reason: reason.slice(0, MAX_REASON_LENGTH),
    attempts: message.attempts,
    sent_at_ms: message.timestamp.getTime(),
    failed_at_ms: Date.now(),
    truncated: truncated ? 1 : 0,
    // A character takes at most four bytes in UTF-8, so the text does not exceed the maximum.
    body: truncated ? text.slice(0, MAX_BODY_BYTES / 4) : text,
  }
}

/** Returns the id of the dead letter for a message. It is the same for each delivery of the message. */
function idOf({ id, timestamp }: Message): string {
  const random = createHash('sha256').update(id).digest().subarray(0, 10)
  return randomId('dl', timestamp.getTime(), random)
}

/**
 * Returns a body as JSON text. Converts a body with `String` first if JSON cannot represent it. This Worker never sends
 * such a body.
 */
function textOf(body: unknown): string {
  try {
    return JSON.stringify(body) ?? 'null'
  } catch {
    return JSON.stringify(String(body))
  }
}

function logLost(message: Message, reason: string): void {
  // Logs the body only on the first attempt, because later attempts to store the message would log it again.
  if (message.attempts > 1) return
  logFailure('dead_letter_lost', { dead_letter_id: idOf(message), reason, body: textOf(message.body) })
}
