import { createHash, timingSafeEqual } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { logFailure } from '../../logging/log.ts'
import { DEVELOPMENT_OPERATOR_TOKEN } from './format.ts'

/** 128 bits in hex. `openssl rand -hex 32` gives twice that. */
export const MIN_OPERATOR_TOKEN_CHARS = 32

/**
 * Whether a Bearer token is one of the two operator tokens, which may both be valid during a rotation. Digests are
 * compared in constant time, so neither length nor prefix leaks. Outside development, a public or short token is
 * never valid.
 */
export function isOperatorToken(env: Bindings, token: string): boolean {
  const given = digest(token)
  let matches = false
  for (const valid of [env.OPERATOR_TOKEN, env.OPERATOR_TOKEN_NEXT]) {
    if (valid === undefined || valid === '' || !isStrongEnough(env, valid)) continue
    if (timingSafeEqual(given, digest(valid))) matches = true
  }
  return matches
}

const complained = new WeakSet<object>()

function isStrongEnough(env: Bindings, valid: string): boolean {
  if (configOf(env).environment === 'development') return true
  if (valid !== DEVELOPMENT_OPERATOR_TOKEN && valid.length >= MIN_OPERATOR_TOKEN_CHARS) return true
  // Once per isolate: the operator, who gets a 401, finds the reason in the log.
  if (!complained.has(env)) {
    complained.add(env)
    logFailure('operator_token_refused', {
      reason: `it is public, or shorter than ${MIN_OPERATOR_TOKEN_CHARS} characters`,
    })
  }
  return false
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
