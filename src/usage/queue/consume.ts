import { createHash } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import { jsonParameters, sizeOf } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerName } from '../../db/ledger-db.ts'
import { randomId } from '../../ids.ts'
import { logError, logFailure } from '../../logging/log.ts'
import { type Outcome, rollUp } from '../rollups/roll-up.ts'
import { type ParsedUsageMessage, parseUsageMessage } from './message.ts'

/**
 * Folds the bodies of usage messages into the rollups. Returns the outcomes in the order of the bodies. Throws if D1
 * cannot be read.
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
 * Consumes the usage queue. Each message is acknowledged or retried separately, so a failing message does not delay
 * others. The delays between retries increase. After the last retry, the message is moved to the dead-letter queue.
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

/** Returns the number of seconds until the next attempt, after a number of attempts. */
export function retryDelay(attempts: number): number {
  return Math.min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** Math.min(attempts - 1, 10))
}

/** The name of the dead-letter queue in wrangler.toml. An environment appends its own name. */
export const DEAD_LETTER_QUEUE = 'usage-dead-letters'

/**
 * The maximum size of a stored body. A queue accepts messages of up to 128 KB, so no delivered message is truncated.
 */
const MAX_BODY_BYTES = 200_000
/** The maximum length of a stored reason, in characters. */
export const MAX_REASON_LENGTH = 500

/**
 * Consumes the dead-letter queue. Tries each message once more, because the cause may be resolved, and because the
 * queue does not deliver the reason of the failure. Stores messages that fail again. Logs and retries messages that
 * cannot be stored.
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

/** Stores failed messages and returns the messages that could not be stored. */
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

/** Returns the outcomes of one more attempt. If D1 is still unavailable, all outcomes are failures. */
async function tryAgain(env: Bindings, bodies: readonly unknown[]): Promise<Outcome[]> {
  try {
    return await foldBodies(env, bodies)
  } catch (error) {
    logError('dead_letters_not_tried', error, { messages: bodies.length })
    return bodies.map(() => ({ kind: 'failed', reason: `the retry did not run: ${String(error)}` }))
  }
}

// Writes 2 rows: the letter and its index entry. A message may be delivered more than once.
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
    // A character takes at most four bytes in UTF-8.
    body: truncated ? text.slice(0, MAX_BODY_BYTES / 4) : text,
  }
}

/** Returns the id of a message, which is the same for each delivery. */
function idOf({ id, timestamp }: Message): string {
  const random = createHash('sha256').update(id).digest().subarray(0, 10)
  return randomId('dl', timestamp.getTime(), random)
}

/** Returns a body as JSON. A body that JSON cannot contain is converted with `String`. This Worker never sends one. */
function textOf(body: unknown): string {
  try {
    return JSON.stringify(body) ?? 'null'
  } catch {
    return JSON.stringify(String(body))
  }
}

function logLost(message: Message, reason: string): void {
  // Logs the body only at the first attempt, because the queue retries the message until it can be stored.
  if (message.attempts > 1) return
  logFailure('dead_letter_lost', { dead_letter_id: idOf(message), reason, body: textOf(message.body) })
}
