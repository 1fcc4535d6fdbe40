import { scoped } from '../api-keys/authentication/authenticate.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { timeJson } from '../http/input/times.ts'
import { jsonResponse } from '../http/output/json.ts'
import { problem } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { portalTokenDraft, portalTokenSchema } from './schema.ts'
import { signPortalToken } from './token.ts'

const createTokenRoute = route({
  method: 'post',
  path: '/',
  summary: "Create a portal token: it reads one wallet from an end user's page",
  description: [
    'With the token, a page reads the balance (`GET /v1/credits/balance`), the usage (`GET /v1/analytics/usage`) and the transactions (`GET /v1/credits/transactions`) of that user or team, and nothing else.',
    'It ends with the API key that made it. Nothing is stored, so an `Idempotency-Key` has no effect: a repeat makes another token.',
  ].join(' '),
  ...scoped('portal:write'),
  request: { body: jsonRequest(portalTokenDraft) },
  answers: { 201: json('The token.', portalTokenSchema) },
  problems: ['portal_tokens_not_configured'],
})

export const portalTokensRoutes = createRouter()

portalTokensRoutes.openapi(createTokenRoute, (c) => {
  const body = c.req.valid('json')
  const { customer_id, mode, tier, key_id, ends_at_ms } = c.get('key')
  const owner = ownerOf(body)
  // The schema requires one of the two.
  if (owner.kind === 'customer') throw new Error('a portal token is for a user or a team')
  const wanted_ms = Date.now() + body.expires_in_seconds * 1_000
  const expires_at_ms = Math.min(wanted_ms, ends_at_ms ?? wanted_ms)
  const { origins } = body
  const claims = { customer_id, mode, tier, key_id, owner, origins, expires_at_ms }
  const token = signPortalToken(c.env, claims)
  if (token === undefined) {
    return problem(c, {
      code: 'portal_tokens_not_configured',
      detail:
        'This deployment has no usable secret for portal tokens. The operator sets PORTAL_TOKEN_SECRET.',
    })
  }
  return jsonResponse(c, { token, expires_at: timeJson(expires_at_ms) }, 201)
})
