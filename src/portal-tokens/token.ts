import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Bindings } from '../bindings.ts'
import { oncePerBindings } from '../config.ts'
import type { Mode, Tier } from '../db/schema.ts'
import type { PortalRights } from '../http/env.ts'
import { logFailure } from '../logging/log.ts'
import { usableSecrets } from '../secrets/usable.ts'

/**
 * The claims of a portal token. The text of a token consists of `om_portal_`, the claims as JSON in base64url, a dot
 * and an HMAC-SHA-256. Tokens are checked by their HMAC, so the check writes no row. A token stops working when it
 * expires, or when the API key that created it stops working: each use calls the ledger object, which refuses deleted
 * keys and suspended customers. Everyone who has a token can read its claims.
 */
export interface PortalToken extends PortalRights {
  readonly customer_id: string
  readonly mode: Mode
  /** The customer's tier at the creation of the token. It selects only the platform's rate limiter. */
  readonly tier: Tier
  /** The id of the API key that created the token. */
  readonly key_id: string
  readonly expires_at_ms: number
}

/**
 * The claims in version 1. A token is valid for at most one hour. Code that reads an older version can therefore be
 * deleted one day after a version change.
 */
interface Claims extends PortalToken {
  readonly v: 1
}

const PREFIX = 'om_portal_'
/** The maximum length of a token, in characters. Every token that a request can create is shorter. */
const MAX_CHARS = 8_192
const MAC = /^[A-Za-z0-9_-]{43}$/

/**
 * The development value of `PORTAL_TOKEN_SECRET`. It is public, so it is accepted only if `ENVIRONMENT` is
 * `development`.
 */
export const DEVELOPMENT_PORTAL_TOKEN_SECRET = 'dev-portal-token-secret'

export function isPortalToken(text: string): boolean {
  return text.startsWith(PREFIX)
}

/**
 * Returns a token with the given claims, signed with the deployment's first secret. Returns undefined if the deployment
 * has no usable secret.
 */
export function signPortalToken(env: Bindings, token: PortalToken): string | undefined {
  const [secret] = secretsOf(env)
  if (secret === undefined) return undefined
  const claims: Claims = { v: 1, ...token }
  const signed = PREFIX + Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${signed}.${macOf(secret, signed)}`
}

/**
 * Returns the claims of a token that this deployment signed. Returns undefined for any other text. Does not check the
 * expiry.
 */
export function readPortalToken(env: Bindings, text: string): PortalToken | undefined {
  if (text.length > MAX_CHARS) return undefined
  const [signed = '', mac = '', ...more] = text.split('.')
  if (more.length > 0 || !isPortalToken(signed) || !MAC.test(mac)) return undefined
  // Compares the signature as text. Several texts decode to the same bytes, and each of them would count as a separate
  // token for the rate limit.
  const given = Buffer.from(mac)
  const matches = (secret: string) => timingSafeEqual(given, Buffer.from(macOf(secret, signed)))
  if (!secretsOf(env).some(matches)) return undefined
  // The signature proves that this deployment wrote the claims, so their form needs no check.
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

/**
 * Returns the id of a token for the ledger's rate limit. The id is the end of the signature, which differs for each
 * token.
 */
export function portalTokenId(text: string): string {
  return text.slice(-16)
}
