import { createHash, timingSafeEqual } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import { configOf, oncePerBindings } from '../../config.ts'
import type { Operators } from '../../dashboard/sessions.ts'
import { logFailure } from '../../logging/log.ts'
import { usableSecrets } from '../../secrets/usable.ts'
import { DEVELOPMENT_OPERATOR_TOKEN } from './format.ts'

/**
 * Reports whether a Bearer token is one of the two operator tokens. Both may be valid during a rotation. Compares
 * digests in constant time, so that length and prefix do not leak. Outside development, a public or short token is
 * never valid.
 */
export function isOperatorToken(env: Bindings, token: string): boolean {
  const given = digest(token)
  let matches = false
  for (const valid of validDigests(env)) if (timingSafeEqual(given, valid)) matches = true
  return matches
}

/** Returns the operator tokens and the settings of Cloudflare Access, for the sessions of the dashboard. */
export function operatorsOf(env: Bindings): Operators {
  return { tokens: operatorTokens(env), access: configOf(env).access }
}

/**
 * The valid operator tokens. If a token in the settings is not usable, the reason is logged once per isolate, because a
 * request with this token gets only a 401 response.
 */
const operatorTokens = oncePerBindings((env): readonly string[] =>
  usableSecrets(env, [env.OPERATOR_TOKEN, env.OPERATOR_TOKEN_NEXT], {
    development_value: DEVELOPMENT_OPERATOR_TOKEN,
    onRefused: (reason) => logFailure('operator_token_refused', { reason }),
  }),
)

const validDigests = oncePerBindings((env): readonly Uint8Array[] => operatorTokens(env).map(digest))

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
