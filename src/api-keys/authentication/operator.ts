import { createHash, timingSafeEqual } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { logFailure } from '../../logging/log.ts'
import { DEVELOPMENT_OPERATOR_TOKEN } from './format.ts'

/** 128 bits in hex: a token that can be guessed opens every ledger. `openssl rand -hex 32` makes twice that. */
export const MIN_OPERATOR_TOKEN_CHARS = 32

/**
 * Whether a Bearer token is the operator's: one of the two that may be valid while one replaces the other. Digests are
 * compared, in constant time, so that neither the length nor a common beginning shows. Outside development a token that
 * everybody knows, or that is short enough to guess, is nobody's.
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
  // Once an isolate: the operator, who gets a 401, looks here.
  if (!complained.has(env)) {
    complained.add(env)
    logFailure('operator_token_refused', {
      reason: `it is known, or shorter than ${MIN_OPERATOR_TOKEN_CHARS} characters`,
    })
  }
  return false
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
