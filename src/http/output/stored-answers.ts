import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { configOf } from '../../config.ts'
import { isTaken } from '../../db/errors.ts'
import type { Refusal } from '../../ledger/model/refusal.ts'
import type { Idempotency } from '../../ledger/model/vocabulary.ts'
import { idempotencyOf, REPLAYED } from '../caller.ts'
import type { AppEnv } from '../env.ts'
import { jsonResponse } from './json.ts'
import { refusalResponse } from './problem.ts'
import { seal, unseal } from './sealed-answers.ts'

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
  /**
   * Of answers that hold a secret: the credential of the request. They are stored encrypted under it, and only the
   * same credential gets them again.
   */
  readonly credential?: string
}

export interface Answer {
  readonly status: ContentfulStatusCode
  readonly body: unknown
}

/**
 * Statements for the change's own D1 batch, to be put last; none when the request has no key. When another request
 * with the same key was faster, that batch fails as a whole: let its error through, it ends as a replay.
 * With `if_changed` they stand directly behind the statement that makes the change, and keep nothing when that changed
 * no row.
 */
export type KeepAnswer = (
  answer: Answer,
  options?: { readonly if_changed?: boolean },
) => D1PreparedStatement[]

/**
 * Answers a POST once per idempotency key. `change` makes the change in one batch with what `keep` gives it and returns
 * that answer, or a problem document of its own. Without a key it is simply called.
 */
export async function answerOnce(
  c: Context<AppEnv>,
  once: Once,
  change: (keep: KeepAnswer) => Promise<Answer | Response>,
): Promise<Response> {
  const idempotency = await idempotencyOf(c, once.operation)
  if (idempotency === undefined) return respond(c, await change(() => []))
  const earlier = await earlierAnswer(c, once, idempotency)
  if (earlier !== undefined) return earlier
  try {
    return respond(
      c,
      await change((answer, options) => keepStatements(c, once, idempotency, answer, options)),
    )
  } catch (error) {
    const faster = isTaken(error, 'stored_answers') ? await earlierAnswer(c, once, idempotency) : undefined
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
  { owner, credential }: Once,
  { key, fingerprint }: Idempotency,
): Promise<Response | undefined> {
  const row = await c.env.DB.prepare(SELECT_ANSWER).bind(owner, key).first<AnswerRow>()
  if (row === null) return undefined
  if (row.fingerprint !== fingerprint) return refusalResponse(c, { code: 'idempotency_mismatch' })
  const body = credential === undefined ? row.body : unseal(row.body, credential, placeOf(owner, key))
  if (body === undefined) return refusalResponse(c, SEALED_FOR_ANOTHER)
  return c.body(body, row.status, { 'Content-Type': 'application/json', ...REPLAYED })
}

const SEALED_FOR_ANOTHER: Refusal = {
  code: 'conflict',
  detail:
    'This idempotency key was used with another credential, and only that one gets the secret in the answer again.',
}

const placeOf = (owner: string, key: string) => `${owner} ${key}`

// 1 row written. The second reads the owner's keys of the window, and writes one row for each that is past it.
const INSERT_ANSWER = `
  INSERT INTO stored_answers (owner, idempotency_key, fingerprint, status, body, created_at_ms)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ?7 OR changes() > 0`
const FORGET_ANSWERS = 'DELETE FROM stored_answers WHERE owner = ?1 AND created_at_ms < ?2'

function keepStatements(
  c: Context<AppEnv>,
  { owner, credential }: Once,
  { key, fingerprint }: Idempotency,
  { status, body }: Answer,
  { if_changed = false }: { readonly if_changed?: boolean } = {},
): D1PreparedStatement[] {
  const now_ms = Date.now()
  const { idempotency_window_ms } = configOf(c.env)
  const text = JSON.stringify(body)
  const kept = credential === undefined ? text : seal(text, credential, placeOf(owner, key))
  const always = if_changed ? 0 : 1
  return [
    c.env.DB.prepare(INSERT_ANSWER).bind(owner, key, fingerprint, status, kept, now_ms, always),
    c.env.DB.prepare(FORGET_ANSWERS).bind(owner, now_ms - idempotency_window_ms),
  ]
}

function respond(c: Context<AppEnv>, answer: Answer | Response): Response {
  return answer instanceof Response ? answer : jsonResponse(c, answer.body, answer.status)
}
