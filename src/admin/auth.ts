import { createMiddleware } from 'hono/factory'
import { authenticate, bearerToken, unauthorized } from '../api-keys/authentication/authenticate.ts'
import { isWellFormed } from '../api-keys/authentication/format.ts'
import { isOperatorToken } from '../api-keys/authentication/operator.ts'
import type { AppEnv } from '../http/env.ts'
import { problem } from '../http/output/problem.ts'

/**
 * Lets the operator pass. A customer's valid key is told that it is not enough (403), everything else that it is not
 * known (401), and nothing behind this reads a body before that.
 */
export const requireOperator = createMiddleware<AppEnv>(async (c, next) => {
  const token = bearerToken(c.req.header('Authorization'))
  if (token !== undefined && isOperatorToken(c.env, token)) return next()
  const key = token ?? c.req.header('X-API-Key')
  if (key === undefined || key === '') {
    return unauthorized(c, 'missing_api_key', "Send the operator's token as Authorization: Bearer TOKEN.")
  }
  if (!isWellFormed(key)) return unauthorized(c, 'invalid_api_key', "This is not the operator's token.")
  let is_customer = false
  const refused = await authenticate(c, async () => {
    is_customer = true
  })
  if (!is_customer) return refused
  return problem(c, {
    code: 'insufficient_scope',
    detail: "This takes the operator's token. An API key of a customer cannot do it, whatever its scopes.",
  })
})
