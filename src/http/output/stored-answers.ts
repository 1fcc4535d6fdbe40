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
 * Idempotency of POSTs that a ledger object does not answer. The answer is stored in the same D1 batch as the change,
 * so that both are written or neither. `writeKept` stores the answer of a change that D1 does not make. A refused
 * request does not use up its key. These keys are separate from the keys of the ledger objects: the same key in a
 * burn and in such a POST counts as two keys.
 */
export interface Once {
  /** The owner of the keys: `ledgerKey` of a customer's ledger, or `operator`. */
  readonly owner: string
  /** The method and path of the request. */
  readonly operation: string
  /**
   * The credential of the request, for answers that contain a secret. Such an answer is stored encrypted under the
   * credential, and only the same credential can read it again.
   */
  readonly credential?: string
}

export interface Answer {
  readonly status: ContentfulStatusCode
  readonly body: unknown
}

/**
 * Returns the statements to append to the D1 batch of the change; none if the request has no key. If another request
 * with the same key was faster, the whole batch fails. Do not catch this error, because `answerOnce` turns it into a
 * replay. With `if_changed`, put the statements directly after the statement that makes the change. They store
 * nothing if the change affected no row.
 */
export type KeepAnswer = (
  answer: Answer,
  options?: { readonly if_changed?: boolean },
) => D1PreparedStatement[]

/**
 * Writes the statements of `KeepAnswer` for a change that D1 does not make. Their batch fails in the same way as a
 * batch with the change.
 */
export async function writeKept(
  env: Pick<Bindings, 'DB'>,
  kept: readonly D1PreparedStatement[],
): Promise<void> {
  if (kept.length > 0) await env.DB.batch([...kept])
}

/**
 * Answers a POST once per idempotency key. `change` makes the change in one batch with the statements from `keep`. It
 * returns the answer to store, or a problem document. Without a key or without `once`, only calls `change`.
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
    // A refusal may be the effect of a faster request with the same key, for example because it registered the same
    // email.
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
  return c.body(body, row.status, { 'Content-Type': 'application/json', ...REPLAYED })
}

const SEALED_FOR_ANOTHER: Refusal = {
  code: 'conflict',
  detail:
    'This idempotency key was used with another credential. Only that credential can read the secret in the answer again. Use that credential or another idempotency key.',
}

const placeOf = (owner: string, key: string) => `${owner} ${key}`

// Writes 1 row.
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

// Writes 1 row for each deleted answer.
const FORGET_ANSWERS = `
  DELETE FROM stored_answers WHERE created_at_ms < ?3 AND (owner, idempotency_key) IN (
    SELECT owner, idempotency_key FROM stored_answers WHERE (owner, idempotency_key) > (?1, ?2)
    ORDER BY owner, idempotency_key LIMIT ${ANSWERS_A_ROUND})`

/**
 * Deletes answers that are older than the idempotency window. Reads at most `rounds` times 10,000 answers in the
 * order of their keys, starting after the key `after`. An index by time would add a written row to every POST with a
 * key.
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
 * An answer with a secret is stored encrypted under the credential of its request. The credential is never stored, so
 * the database alone reveals nothing. A repeat of the request contains the credential. The encryption is AES-256-GCM
 * with a key from HKDF-SHA-256. API keys and session tokens have 256 random bits, and operator tokens must be random,
 * so no key stretching is necessary.
 */

const PURPOSE = 'openmonetize stored answer'

/** Encrypts a text. `place` is the row of the answer, so that the text cannot be decrypted in another row. */
export function seal(text: string, credential: string, place: string): string {
  return sealBytes(Buffer.from(text), keyOf(credential, place))
}

/**
 * Decrypts a text. Returns undefined if it was encrypted under another credential or for another row, or if it is
 * damaged.
 */
export function unseal(sealed: string, credential: string, place: string): string | undefined {
  const bytes = open(sealed, keyOf(credential, place))
  return bytes && Buffer.from(bytes).toString('utf8')
}

function keyOf(credential: string, place: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', credential, place, PURPOSE, KEY_BYTES))
}
