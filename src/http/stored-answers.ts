import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { configOf } from '../config.ts'
import { isTaken } from '../db/unique.ts'
import type { Idempotency } from '../ledger/messages.ts'
import { idempotencyOf, REPLAYED } from './caller.ts'
import type { AppEnv } from './env.ts'
import { jsonResponse } from './json.ts'
import { refusalResponse } from './problem.ts'

/**
 * Idempotency for POSTs that no ledger object answers. The answer is stored in the batch that makes the change, so
 * both are there or neither, and a request that was refused leaves its key unused. Keys are apart from those that the
 * ledger objects know: one key used both for a burn and for such a POST is two keys.
 */
export interface Once {
  /** Whose keys these are: `ledgerKey` of a customer's ledger, or `operator`. */
  readonly owner: string
  /** Method and path. */
  readonly operation: string
}

export interface Answer {
  readonly status: ContentfulStatusCode
  readonly body: unknown
}

/**
 * Statements for the change's own D1 batch, to be put last; none when the request has no key. When another request
 * with the same key was faster, that batch fails as a whole: let its error through, it ends as a replay.
 */
export type KeepAnswer = (answer: Answer) => D1PreparedStatement[]

/**
 * Answers a POST once per idempotency key. `change` makes the change in one batch with what `keep` gives it and returns
 * that answer, or a problem document of its own. Without a key it is simply called.
 */
export async function answerOnce(
  c: Context<AppEnv>,
  { owner, operation }: Once,
  change: (keep: KeepAnswer) => Promise<Answer | Response>,
): Promise<Response> {
  const idempotency = await idempotencyOf(c, operation)
  if (idempotency === undefined) return respond(c, await change(() => []))
  const earlier = await earlierAnswer(c, owner, idempotency)
  if (earlier !== undefined) return earlier
  try {
    return respond(c, await change((answer) => keepStatements(c, owner, idempotency, answer)))
  } catch (error) {
    const faster = isTaken(error, 'stored_answers') ? await earlierAnswer(c, owner, idempotency) : undefined
    if (faster === undefined) throw error
    return faster
  }
}

const SELECT_ANSWER =
  'SELECT fingerprint, status, body FROM stored_answers WHERE owner = ?1 AND idempotency_key = ?2'

interface AnswerRow {
  readonly fingerprint: string
  readonly status: ContentfulStatusCode
  readonly body: string
}

async function earlierAnswer(
  c: Context<AppEnv>,
  owner: string,
  { key, fingerprint }: Idempotency,
): Promise<Response | undefined> {
  const row = await c.env.DB.prepare(SELECT_ANSWER).bind(owner, key).first<AnswerRow>()
  if (row === null) return undefined
  if (row.fingerprint !== fingerprint) return refusalResponse(c, { code: 'idempotency_mismatch' })
  return c.body(row.body, row.status, { 'Content-Type': 'application/json', ...REPLAYED })
}

// 1 row written. The second reads the owner's keys of the window, and writes one row for each that is past it.
const INSERT_ANSWER = `
  INSERT INTO stored_answers (owner, idempotency_key, fingerprint, status, body, created_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6)`
const FORGET_ANSWERS = 'DELETE FROM stored_answers WHERE owner = ?1 AND created_at_ms < ?2'

function keepStatements(
  c: Context<AppEnv>,
  owner: string,
  { key, fingerprint }: Idempotency,
  { status, body }: Answer,
): D1PreparedStatement[] {
  const now_ms = Date.now()
  const { idempotency_window_ms } = configOf(c.env)
  return [
    c.env.DB.prepare(INSERT_ANSWER).bind(owner, key, fingerprint, status, JSON.stringify(body), now_ms),
    c.env.DB.prepare(FORGET_ANSWERS).bind(owner, now_ms - idempotency_window_ms),
  ]
}

function respond(c: Context<AppEnv>, answer: Answer | Response): Response {
  return answer instanceof Response ? answer : jsonResponse(c, answer.body, answer.status)
}
