import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Bindings } from '../bindings.ts'
import { oncePerBindings } from '../config.ts'
import type { Mode, Tier } from '../db/schema.ts'
import type { PortalRights } from '../http/env.ts'
import { logFailure } from '../logging/log.ts'
import { usableSecrets } from '../secrets/usable.ts'

/**
 * The claims of a portal token. The text of a token is `om_portal_`, its claims as base64url JSON, a dot and their
 * HMAC-SHA-256. The use of a token writes no row, because tokens are not stored. A token ends at its expiry and with
 * the key that created it: every use calls the ledger object, which refuses deleted keys and suspended customers.
 * Anyone who has a token can read its claims.
 */
export interface PortalToken extends PortalRights {
  readonly customer_id: string
  readonly mode: Mode
  /** The customer's tier when the token was created. It selects only the flood limit. */
  readonly tier: Tier
  /** The key that created the token. */
  readonly key_id: string
  readonly expires_at_ms: number
}

/**
 * The claims in version 1. A token lasts at most an hour, so code that reads an older version can be deleted after a
 * day.
 */
interface Claims extends PortalToken {
  readonly v: 1
}

const PREFIX = 'om_portal_'
/** The maximum length of a token. It is above the length of every token that a request can create. */
const MAX_CHARS = 8_192
const MAC = /^[A-Za-z0-9_-]{43}$/

/** The development value of `PORTAL_TOKEN_SECRET`. */
export const DEVELOPMENT_PORTAL_TOKEN_SECRET = 'dev-portal-token-secret'

export function isPortalToken(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** Signs a token with the deployment's first secret. Returns undefined if the deployment has no secret. */
export function signPortalToken(env: Bindings, token: PortalToken): string | undefined {
  const [secret] = secretsOf(env)
  if (secret === undefined) return undefined
  const claims: Claims = { v: 1, ...token }
  const signed = PREFIX + Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${signed}.${macOf(secret, signed)}`
}

/** Returns the claims of a token that this deployment signed, expired or not; undefined for any other text. */
export function readPortalToken(env: Bindings, text: string): PortalToken | undefined {
  if (text.length > MAX_CHARS) return undefined
  const [signed = '', mac = '', ...more] = text.split('.')
  if (more.length > 0 || !isPortalToken(signed) || !MAC.test(mac)) return undefined
  // Compares texts, because several texts decode to the same bytes and each would count as a separate token.
  const given = Buffer.from(mac)
  const matches = (secret: string) => timingSafeEqual(given, Buffer.from(macOf(secret, signed)))
  if (!secretsOf(env).some(matches)) return undefined
  // Only this deployment can create this signature, so the claims have the expected form.
  const claims: Claims = JSON.parse(Buffer.from(signed.slice(PREFIX.length), 'base64url').toString())
  return claims.v === 1 ? claims : undefined
}

function macOf(secret: string, signed: string): string {
  return createHmac('sha256', secret).update(signed).digest('base64url')
}

const secretsOf = oncePerBindings((env): readonly string[] =>
  usableSecrets(env, [env.PORTAL_TOKEN_SECRET, env.PORTAL_TOKEN_SECRET_NEXT], {
    development_value: DEVELOPMENT_PORTAL_TOKEN_SECRET,
    onRefused: (reason) => logFailure('portal_token_secret_refused', { reason }),
  }),
)

/** Returns the id of a token for the ledger's rate limit: a part of its signature, which no other token has. */
export function portalTokenId(text: string): string {
  return text.slice(-16)
}
