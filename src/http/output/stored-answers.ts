import { hkdfSync } from 'node:crypto'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Bindings } from '../../bindings.ts'
import { isTaken } from '../../db/errors.ts'
import type { Refusal } from '../../ledger/model/refusal.ts'
import type { Idempotency } from '../../ledger/model/vocabulary.ts'
import { KEY_BYTES, open, seal as sealBytes } from '../../secrets/aes-gcm.ts'
import { idempotencyOf } from '../caller.ts'
import type { AppEnv } from '../env.ts'
import { jsonResponse, stringifyJson } from './json.ts'
import { REPLAYED, refusalResponse } from './problem.ts'

/**
 * The idempotency settings of a POST that no ledger object handles. Its response is stored in the same D1 batch as the
 * change, so that D1 writes both or neither. `writeKept` stores the response to a POST whose change is not made in D1.
 * A refused request does not use up its idempotency key. Ledger objects store their idempotency keys separately, so a
 * burn and a POST of this kind can have the same key.
 */
export interface Once {
  /** The owner of the idempotency key: `ledgerKey` of a customer's ledger, or `operator`. */
  readonly owner: string
  /** The method and the path of the request. */
  readonly operation: string
  /**
   * The credential of the request, set only if the response contains a secret. The response is then encrypted with the
   * credential before it is stored. Only a request with the same credential gets it again.
   */
  readonly credential?: string
}

export interface Answer {
  readonly status: ContentfulStatusCode
  readonly body: unknown
}

/**
 * Returns the statements that store the response. The caller must append them to the D1 batch of the change. The list
 * is empty if the request has no idempotency key. If another request with the same key was faster, the whole batch
 * fails. The caller must not catch this error, because `answerOnce` then returns the stored response. With
 * `if_changed`, the statements store nothing if the previous statement changed no row. They must directly follow the
 * statement that makes the change, or a statement that writes a row only if the change was made.
 */
export type KeepAnswer = (
  answer: Answer,
  options?: { readonly if_changed?: boolean },
) => D1PreparedStatement[]

/**
 * Runs the statements of `KeepAnswer` for a change that is not made in D1. If another request with the same key was
 * faster, it fails in the same way as a batch with a change.
 */
export async function writeKept(
  env: Pick<Bindings, 'DB'>,
  kept: readonly D1PreparedStatement[],
): Promise<void> {
  if (kept.length > 0) await env.DB.batch([...kept])
}

/**
 * Makes the change of a POST only once for each idempotency key. `change` must make the change in the same batch as the
 * statements from `keep`. It returns the response to store, or a problem document. If the key was already used,
 * `change` is not called, and the stored response is returned. The request is refused if the key was used for another
 * request or with another credential. If the request has no key or `once` is undefined, nothing is stored.
 */
export async function answerOnce(
  c: Context<AppEnv>,
  once: Once | undefined,
  change: (keep: KeepAnswer) => Promise<Answer | Response>,
): Promise<Response> {
  const idempotency = once && (await idempotencyOf(c, once.operation))
  if (once === undefined || idempotency === undefined) return respond(c, await change(() => []))
  const earlier = await earlierAnswer(c, once, idempotency)
  if (earlier !== undefined) return earlier
  try {
    const made = await change((answer, options) => keepStatements(c, once, idempotency, answer, options))
    // The refusal can be caused by a faster request with the same key. For example, the faster request has already
    // registered the same email address.
    const faster = made instanceof Response ? await earlierAnswer(c, once, idempotency) : undefined
    return faster ?? respond(c, made)
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
  // The stored response can replace a refusal, whose code must not be in the log line of the request.
  c.set('problem_code', undefined)
  return c.body(body, row.status, { 'Content-Type': 'application/json', ...REPLAYED })
}

const SEALED_FOR_ANOTHER: Refusal = {
  code: 'conflict',
  detail:
    'This idempotency key was used with another credential. Only that credential can read the secret in the response again. Use that credential or another idempotency key.',
}

const placeOf = (owner: string, key: string) => `${owner} ${key}`

// This statement writes 1 row.
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
  const text = stringifyJson(body)
  const kept = credential === undefined ? text : seal(text, credential, placeOf(owner, key))
  const always = if_changed ? 0 : 1
  return [c.env.DB.prepare(INSERT_ANSWER).bind(owner, key, fingerprint, status, kept, now_ms, always)]
}

const ANSWERS_A_ROUND = 10_000

const END_OF_ROUND = `
  SELECT owner, idempotency_key FROM stored_answers WHERE (owner, idempotency_key) > (?1, ?2)
  ORDER BY owner, idempotency_key LIMIT 1 OFFSET ${ANSWERS_A_ROUND - 1}`

// This statement writes 1 row for each deleted response.
const FORGET_ANSWERS = `
  DELETE FROM stored_answers WHERE created_at_ms < ?3 AND (owner, idempotency_key) IN (
    SELECT owner, idempotency_key FROM stored_answers WHERE (owner, idempotency_key) > (?1, ?2)
    ORDER BY owner, idempotency_key LIMIT ${ANSWERS_A_ROUND})`

/**
 * Deletes stored responses that are older than the idempotency window. Makes at most `rounds` rounds. Each round reads
 * up to 10,000 responses in the order of their owners and keys, and reports the position of its end to `reach`. The
 * first round begins after the position `after`. At the end of the table, the position is empty. The table has no index
 * by time, because D1 would then count one more written row for every POST with a key.
 */
export async function forgetAnswers(
  env: Pick<Bindings, 'DB'>,
  before_ms: number,
  { after, reach, rounds }: { after: string; reach: (place: string) => void; rounds: number },
): Promise<void> {
  let place = after
  for (let round = 0; round < rounds; round++) {
    const [owner = '', key = ''] = place.split('\n')
    const results = await env.DB.batch<{ owner: string; idempotency_key: string }>([
      env.DB.prepare(END_OF_ROUND).bind(owner, key),
      env.DB.prepare(FORGET_ANSWERS).bind(owner, key, before_ms),
    ])
    const end = results[0]?.results[0]
    place = end ? `${end.owner}\n${end.idempotency_key}` : ''
    reach(place)
    if (!end) return
  }
}

function respond(c: Context<AppEnv>, answer: Answer | Response): Response {
  return answer instanceof Response ? answer : jsonResponse(c, answer.body, answer.status)
}

/**
 * Encrypts stored responses that contain a secret, with the credential of their request. The credential is never
 * stored, so the secret cannot be read from the database alone. A repeated request contains the credential again. The
 * encryption is AES-256-GCM with a key from HKDF-SHA-256. No key stretching is necessary, because API keys and session
 * tokens have 256 random bits and operator tokens must be random.
 */

const PURPOSE = 'openmonetize stored answer'

/**
 * Encrypts a text. `place` identifies the row of the response. The text can be decrypted only with the same `place`.
 */
export function seal(text: string, credential: string, place: string): string {
  return sealBytes(Buffer.from(text), keyOf(credential, place))
}

/**
 * Decrypts a text. Returns undefined if it was encrypted with another credential or for another row, or if it is
 * damaged.
 */
export function unseal(sealed: string, credential: string, place: string): string | undefined {
  const bytes = open(sealed, keyOf(credential, place))
  return bytes && Buffer.from(bytes).toString('utf8')
}

function keyOf(credential: string, place: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', credential, place, PURPOSE, KEY_BYTES))
}
