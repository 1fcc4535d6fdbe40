import { createHash } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import { jsonParameters } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerName } from '../../db/ledger-db.ts'
import { sizeOf } from '../../db/text-size.ts'
import { randomId } from '../../ids.ts'
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

/** `queue` of wrangler.toml, whatever the environment's name behind it. */
export const DEAD_LETTER_QUEUE = 'usage-dead-letters'

/** A queue takes messages of 128 KB, so this cuts none that came over one. */
const MAX_BODY_BYTES = 200_000
/** What an operator reads of why. */
export const MAX_REASON_LENGTH = 500

/**
 * The consumer of the dead-letter queue. A message is tried once more, because what kept it may be over, and because
 * only so its reason is known: the queue does not say it. What still fails is stored; what cannot even be stored is
 * written to the log, and comes back.
 */
export async function keepDeadLetters(batch: MessageBatch, env: Bindings): Promise<void> {
  const outcomes = await outcomesOf(
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

/** The messages that could not be stored. */
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

/** What came of trying them again; D1 may still be as broken as it was when they were given up. */
async function outcomesOf(env: Bindings, bodies: readonly unknown[]): Promise<Outcome[]> {
  try {
    return await foldBodies(env, bodies)
  } catch (error) {
    logError('dead_letters_not_tried', error, { messages: bodies.length })
    return bodies.map(() => ({ kind: 'failed', reason: `it could not be tried: ${String(error)}` }))
  }
}

// 2 rows written: the letter and its place among those of its state. A message may be delivered more than once.
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
    // A quarter of the bytes in characters is never too much.
    body: truncated ? text.slice(0, MAX_BODY_BYTES / 4) : text,
  }
}

/** The same for each delivery of a message. */
function idOf({ id, timestamp }: Message): string {
  const random = createHash('sha256').update(id).digest().subarray(0, 10)
  return randomId('dl', timestamp.getTime(), random)
}

/** JSON of any body. What is no JSON was sent by nobody of ours, and is kept as what it says of itself. */
function textOf(body: unknown): string {
  try {
    return JSON.stringify(body) ?? 'null'
  } catch {
    return JSON.stringify(String(body))
  }
}

function logLost(message: Message, reason: string): void {
  // Only the first time: it comes back as long as it cannot be stored.
  if (message.attempts > 1) return
  logFailure('dead_letter_lost', { dead_letter_id: idOf(message), reason, body: textOf(message.body) })
}

/** The Worker's queue consumer: usage, and the messages of it that could not be consumed. */
export function consumeQueue(batch: MessageBatch, env: Bindings): Promise<void> {
  return batch.queue.startsWith(DEAD_LETTER_QUEUE) ? keepDeadLetters(batch, env) : consumeUsage(batch, env)
}
