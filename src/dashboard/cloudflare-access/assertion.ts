import { z } from 'zod'
import type { Bindings } from '../../bindings.ts'
import { configOf, oncePerBindings } from '../../config.ts'
import { AccessKeys, isSignedBy, keyId } from './keys.ts'

/**
 * The header in which Cloudflare Access sends the identity of the signed-in person. Its value is a JWT that is signed
 * with a key of the team.
 * https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/
 */
export const ASSERTION_HEADER = 'Cf-Access-Jwt-Assertion'

export type Assertion =
  | { readonly kind: 'valid'; readonly email: string; readonly expires_at_ms: number }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unavailable' }

const MAX_CHARS = 8 * 1024
/** The tolerated clock difference in ms for the claim `nbf` (not before). */
const SKEW_MS = 30_000
const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

// Refuses a token with `crit`, which lists extensions that a verifier must support. This verifier supports no
// extension.
const headerSchema = z.object({ alg: z.literal('RS256'), kid: keyId, crit: z.undefined().optional() })

const claimsSchema = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
})

/** The claim that identifies a person. The assertion of a service token has no email. */
const personSchema = z.object({ email: z.email().max(320) })

const keysOf = oncePerBindings((env) => new AccessKeys(configOf(env).access?.team_domain ?? ''))

/**
 * Verifies the assertion of a request. Returns undefined, without a network request, if there is no assertion or if the
 * deployment does not use Cloudflare Access.
 */
export async function verifyAssertion(
  env: Bindings,
  jwt: string | undefined,
  now_ms: number,
): Promise<Assertion | undefined> {
  const { access } = configOf(env)
  if (access === null || jwt === undefined) return undefined
  if (jwt.length > MAX_CHARS) return refused('The assertion is too long.')
  const [, head = '', body = '', signature = ''] = PARTS.exec(jwt) ?? []
  const header = headerSchema.safeParse(jsonOf(head))
  if (!header.success) return refused('The assertion is not a JWT with an RS256 signature.')
  const key = await keysOf(env).find(header.data.kid, now_ms)
  if (key === 'unavailable') return { kind: 'unavailable' }
  if (!key) return refused(`The assertion is not signed with a key of ${access.team_domain}.`)
  const is_signed = await isSignedBy(key, Buffer.from(signature, 'base64url'), `${head}.${body}`)
  if (!is_signed) return refused('The signature of the assertion is invalid.')
  const sent = jsonOf(body)
  const claims = claimsSchema.safeParse(sent)
  if (!claims.success) return refused('The assertion does not have the claims of Cloudflare Access.')
  const { iss, aud, exp, nbf } = claims.data
  if (iss !== `https://${access.team_domain}`) return refused('The assertion was issued by another team.')
  if (![aud].flat().includes(access.aud)) return refused('The assertion is for another application.')
  if (exp * 1_000 <= now_ms) return refused('The assertion has expired.')
  if (nbf !== undefined && nbf * 1_000 > now_ms + SKEW_MS) return refused('The assertion is not valid yet.')
  const person = personSchema.safeParse(sent)
  if (!person.success)
    return refused('The assertion contains no valid email. A service token cannot sign in to the dashboard.')
  return { kind: 'valid', email: person.data.email, expires_at_ms: exp * 1_000 }
}

function refused(reason: string): Assertion {
  return { kind: 'refused', reason }
}

function jsonOf(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return undefined
  }
}
