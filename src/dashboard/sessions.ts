import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Bindings } from '../bindings.ts'
import type { AccessConfig } from '../config.ts'
import type { Mode } from '../db/schema.ts'
import { HOUR_MS } from '../time/durations.ts'

/**
 * Manages the sessions of the dashboard. A session token has 256 random bits and is stored in a cookie. D1 stores only
 * its SHA-256 hash. A session has the permissions of an API key or of the operator. Each use of a session that began
 * with an API key or the operator token also checks this key or token. The session ends when the key or token becomes
 * invalid.
 * A session that began with the operator token has a MAC of this token. The MAC can be computed only by a party that
 * has both the session token and the operator token. A session that began with Cloudflare Access has a MAC of the
 * settings of Cloudflare Access, and ends no later than the assertion.
 */

export const SESSION_MS = 12 * HOUR_MS
/**
 * The maximum number of sessions of one API key, of one operator email, and of all operator tokens together. If one
 * more session begins, the oldest session ends.
 */
export const MAX_SESSIONS = 20
const TOKEN = /^[A-Za-z0-9_-]{43}$/
const OPERATOR = 'operator'
/**
 * The prefix in the column `owner` for a session that began with Cloudflare Access. The operator's email follows the
 * prefix.
 */
const ACCESS = 'access:'

export type SessionOwner =
  | { readonly kind: 'key'; readonly key_id: string }
  | { readonly kind: 'operator'; readonly token: string }
  | {
      readonly kind: 'access'
      readonly access: AccessConfig
      readonly email: string
      readonly expires_at_ms: number
    }

/**
 * The valid operator tokens, and the settings of Cloudflare Access. `access` is null if the deployment does not use
 * Cloudflare Access.
 */
export interface Operators {
  readonly tokens: readonly string[]
  readonly access: AccessConfig | null
}

export type Session =
  | {
      readonly kind: 'key'
      readonly key_id: string
      readonly key_hash: string
      readonly mode: Mode
      /** The scopes of the API key, separated by spaces. */
      readonly scopes: string
      readonly expires_at_ms: number
    }
  | {
      readonly kind: 'operator'
      /** The email of the operator; null if the session began with the operator token. */
      readonly email: string | null
      readonly expires_at_ms: number
    }

// Writes 3 rows: the session and its entries in two indexes.
const INSERT = `
  INSERT INTO dashboard_sessions (session_hash, owner, operator_mac, created_at_ms, expires_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5)`

const DELETE_OLDEST = `
  DELETE FROM dashboard_sessions WHERE session_hash IN (
    SELECT session_hash FROM dashboard_sessions WHERE owner = ?1
    ORDER BY created_at_ms DESC, session_hash LIMIT -1 OFFSET ${MAX_SESSIONS})`

const DELETE = 'DELETE FROM dashboard_sessions WHERE session_hash = ?1'

interface BegunSession {
  readonly token: string
  readonly expires_at_ms: number
}

/** Begins a session. Ends the session that the browser had before. */
export async function beginSession(
  env: Pick<Bindings, 'DB'>,
  owner: SessionOwner,
  previous: string | undefined,
  now_ms: number,
): Promise<BegunSession> {
  const token = randomBytes(32).toString('base64url')
  const { name, proof = null, ends_at_ms = Infinity } = stored(owner)
  const mac = proof === null ? null : operatorMac(token, proof)
  const expires_at_ms = Math.min(now_ms + SESSION_MS, ends_at_ms)
  await env.DB.batch([
    ...(isToken(previous) ? [env.DB.prepare(DELETE).bind(hashOf(previous))] : []),
    env.DB.prepare(INSERT).bind(hashOf(token), name, mac, now_ms, expires_at_ms),
    env.DB.prepare(DELETE_OLDEST).bind(name),
  ])
  return { token, expires_at_ms }
}

interface StoredOwner {
  readonly name: string
  readonly proof?: string
  readonly ends_at_ms?: number
}

function stored(owner: SessionOwner): StoredOwner {
  if (owner.kind === 'key') return { name: owner.key_id }
  if (owner.kind === 'operator') return { name: OPERATOR, proof: owner.token }
  const { email, access, expires_at_ms } = owner
  return { name: ACCESS + email, proof: proofOf(access), ends_at_ms: expires_at_ms }
}

function proofOf({ team_domain, aud }: AccessConfig): string {
  return `${team_domain} ${aud}`
}

// Reads at most 2 rows. The row of a deleted key is missing or has `revoked_at_ms`.
const SELECT = `
  SELECT s.owner, s.operator_mac, s.expires_at_ms, k.key_hash, k.mode, k.scopes
  FROM dashboard_sessions s LEFT JOIN api_keys k ON k.key_id = s.owner
    AND coalesce(k.revoked_at_ms, ?2 + 1) > ?2 AND coalesce(k.expires_at_ms, ?2 + 1) > ?2
  WHERE s.session_hash = ?1 AND s.expires_at_ms > ?2`

interface SessionRow {
  readonly owner: string
  readonly operator_mac: string | null
  readonly expires_at_ms: number
  readonly key_hash: string | null
  readonly mode: Mode | null
  readonly scopes: string | null
}

/**
 * Returns the session of a session token. Returns undefined if the session has ended, if its API key or operator token
 * is no longer valid, or if the settings of Cloudflare Access have changed since the session began.
 */
export async function findSession(
  env: Pick<Bindings, 'DB'>,
  token: string,
  operators: Operators,
  now_ms: number,
): Promise<Session | undefined> {
  if (!isToken(token)) return undefined
  const row = await env.DB.prepare(SELECT).bind(hashOf(token), now_ms).first<SessionRow>()
  if (!row) return undefined
  const { owner, operator_mac, expires_at_ms, key_hash, mode, scopes } = row
  const email = owner.startsWith(ACCESS) ? owner.slice(ACCESS.length) : null
  if (owner !== OPERATOR && email === null) {
    if (key_hash === null || mode === null || scopes === null) return undefined
    return { kind: 'key', key_id: owner, key_hash, mode, scopes, expires_at_ms }
  }
  const given = Buffer.from(operator_mac ?? '')
  const isOf = (valid: string) => {
    const wanted = Buffer.from(operatorMac(token, valid))
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }
  const { tokens, access } = operators
  const proofs = email === null ? tokens : access === null ? [] : [proofOf(access)]
  return proofs.some(isOf) ? { kind: 'operator', email, expires_at_ms } : undefined
}

export async function endSession(env: Pick<Bindings, 'DB'>, token: string): Promise<void> {
  if (isToken(token)) await env.DB.prepare(DELETE).bind(hashOf(token)).run()
}

const SESSIONS_A_RUN = 1_000

// Writes 1 row for each deleted session.
const DELETE_ENDED = `
  DELETE FROM dashboard_sessions WHERE session_hash IN (
    SELECT session_hash FROM dashboard_sessions WHERE expires_at_ms <= ?1 LIMIT ${SESSIONS_A_RUN})`

/** Deletes up to 1,000 expired sessions. Returns the number of deleted sessions. */
export async function forgetSessions(env: Pick<Bindings, 'DB'>, now_ms: number): Promise<number> {
  const { meta } = await env.DB.prepare(DELETE_ENDED).bind(now_ms).run()
  return meta.changes
}

function isToken(token: string | undefined): token is string {
  return token !== undefined && TOKEN.test(token)
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/**
 * Returns a MAC of `proof`, which is an operator token or the settings of Cloudflare Access. The key of the MAC is the
 * session token, so the MAC reveals nothing without this token. A plain hash would be unsafe, because an attacker could
 * guess a weak operator token.
 */
function operatorMac(session: string, proof: string): string {
  return createHmac('sha256', session).update(proof).digest('base64url')
}
