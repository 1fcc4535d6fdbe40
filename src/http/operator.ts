import { createHash, timingSafeEqual } from 'node:crypto'
import { type Bindings, configOf } from '../config.ts'
import { DEVELOPMENT_OPERATOR_TOKEN } from '../customers/development-key.ts'

/**
 * Whether a Bearer token is the operator's: one of the two that may be valid while one replaces the other. Digests are
 * compared, in constant time, so that neither the length nor a common beginning shows.
 */
export function isOperatorToken(env: Bindings, token: string): boolean {
  const given = digest(token)
  let matches = false
  for (const valid of [env.OPERATOR_TOKEN, env.OPERATOR_TOKEN_NEXT]) {
    if (valid === undefined || valid === '') continue
    if (valid === DEVELOPMENT_OPERATOR_TOKEN && configOf(env).environment !== 'development') continue
    if (timingSafeEqual(given, digest(valid))) matches = true
  }
  return matches
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
