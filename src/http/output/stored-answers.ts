import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { isTaken } from '../../db/errors.ts'
import type { Refusal } from '../../ledger/model/refusal.ts'
import type { Idempotency } from '../../ledger/model/vocabulary.ts'
import { idempotencyOf } from '../caller.ts'
import type { AppEnv } from '../env.ts'
import { jsonResponse } from './json.ts'
import { REPLAYED, refusalResponse } from './problem.ts'

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

// 2 rows written: the row and its place in time.
const INSERT_ANSWER = `
  INSERT INTO stored_answers (owner, idempotency_key, fingerprint, status, body, created_at_ms)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ?7 OR changes() > 0`

function keepStatements(
  c: Context<AppEnv>,
  { owner, credential }: Once,
  { key, fingerprint }: Idempotency,
  { status, body }: Answer,
  { if_changed = false }: { readonly if_changed?: boolean } = {},
): D1PreparedStatement[] {
  const now_ms = Date.now()
  const text = JSON.stringify(body)
  const kept = credential === undefined ? text : seal(text, credential, placeOf(owner, key))
  const always = if_changed ? 0 : 1
  return [c.env.DB.prepare(INSERT_ANSWER).bind(owner, key, fingerprint, status, kept, now_ms, always)]
}

const FORGOTTEN_AT_ONCE = 5_000

// 2 rows written for each.
const FORGET_ANSWERS = `
  DELETE FROM stored_answers WHERE (owner, idempotency_key) IN (
    SELECT owner, idempotency_key FROM stored_answers WHERE created_at_ms < ?1
    ORDER BY created_at_ms LIMIT ${FORGOTTEN_AT_ONCE})`

/** Deletes answers past the idempotency window, the oldest first, at most `rounds` times 5,000. */
export async function forgetAnswers(env: Bindings, now_ms: number, rounds: number): Promise<void> {
  const before_ms = now_ms - configOf(env).idempotency_window_ms
  for (let round = 0; round < rounds; round++) {
    const { meta } = await env.DB.prepare(FORGET_ANSWERS).bind(before_ms).run()
    if (meta.changes < FORGOTTEN_AT_ONCE) return
  }
}

function respond(c: Context<AppEnv>, answer: Answer | Response): Response {
  return answer instanceof Response ? answer : jsonResponse(c, answer.body, answer.status)
}

/**
 * An answer that holds a secret is stored encrypted under the credential of the request it answers. The credential
 * itself is stored nowhere, so the database alone gives nothing away, and whoever repeats the request brings it along.
 * AES-256-GCM with a key of HKDF-SHA-256: a credential has 256 random bits, so there is nothing to stretch.
 */

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = 'openmonetize stored answer'

/** `place` names the row that the answer is for: it cannot be opened as that of another one. */
export function seal(text: string, credential: string, place: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, keyOf(credential, place), iv, { authTagLength: TAG_BYTES })
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), encrypted]).toString('base64')
}

/** Undefined when it was sealed under another credential or for another place, or is broken. */
export function unseal(sealed: string, credential: string, place: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  const [iv, tag] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)]
  try {
    const decipher = createDecipheriv(CIPHER, keyOf(credential, place), iv, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(tag)
    const encrypted = bytes.subarray(IV_BYTES + TAG_BYTES)
    return Buffer.concat([decipher.update(encrypted), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

function keyOf(credential: string, place: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', credential, place, PURPOSE, KEY_BYTES))
}
