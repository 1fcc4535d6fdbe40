import type { Context } from 'hono'
import { credentialOf, scoped } from '../api-keys/authentication/authenticate.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { timeJson } from '../http/input/times.ts'
import { noSuch, problem, serviceUnavailable } from '../http/output/problem.ts'
import { type Answer, answerOnce, writeKept } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { findPacks } from '../payments/packs/store.ts'
import { type PortalTokenDraft, portalTokenDraft, portalTokenSchema } from './schema.ts'
import { signPortalToken } from './token.ts'

const createTokenRoute = route({
  method: 'post',
  path: '/',
  summary: "Create a portal token, with which an end user's page can read one wallet and sell credit packs",
  description: [
    'With the token, a page can read the balance (`GET /v1/credits/balance`), the usage (`GET /v1/analytics/usage`) and the transactions (`GET /v1/credits/transactions`) of the given user or team.',
    'With `credit_pack_ids`, the page can also read these packs (`GET /v1/credit-packs`) and open checkouts of these packs for the wallet (`POST /v1/payments/checkout`). The return URLs of a checkout must be on the origins of the token. All other requests are refused.',
    'The token stops working when the API key that created it stops working. A repeated request with the same `Idempotency-Key` returns the same token, even after its expiry.',
  ].join(' '),
  ...scoped('portal:write'),
  request: { body: jsonRequest(portalTokenDraft) },
  answers: { 201: json('The token.', portalTokenSchema) },
  problems: ['portal_tokens_not_configured', 'not_found', 'conflict', 'idempotency_mismatch'],
})

export const portalTokensRoutes = createRouter()

portalTokensRoutes.openapi(createTokenRoute, async (c) => {
  const draft = c.req.valid('json')
  const once = {
    owner: ledgerKey(ledgerOf(c)),
    operation: 'POST /v1/portal-tokens',
    credential: credentialOf(c),
  }
  try {
    return await answerOnce(c, once, async (keep) => {
      const answer = await createToken(c, draft)
      if (!(answer instanceof Response)) await writeKept(c.env, keep(answer))
      return answer
    })
  } catch (error) {
    return serviceUnavailable(c, 'portal_token_not_made', error)
  }
})

async function createToken(c: Context<AppEnv>, body: PortalTokenDraft): Promise<Answer | Response> {
  const { customer_id, mode, tier, key_id, ends_at_ms } = c.get('key')
  const owner = ownerOf(body)
  // Cannot happen, because the schema requires a user or a team.
  if (owner.kind === 'customer') throw new Error('the portal token has no user and no team')
  const { origins, credit_pack_ids } = body
  const refused = credit_pack_ids && (await refusePacks(c, credit_pack_ids))
  if (refused) return refused
  const wanted_ms = Date.now() + body.expires_in_seconds * 1_000
  const expires_at_ms = Math.min(wanted_ms, ends_at_ms ?? wanted_ms)
  const claims = {
    ...{ customer_id, mode, tier, key_id, owner, origins, expires_at_ms },
    ...(credit_pack_ids && { credit_pack_ids }),
  }
  const token = signPortalToken(c.env, claims)
  if (token === undefined) {
    return problem(c, {
      code: 'portal_tokens_not_configured',
      detail:
        'This deployment has no usable secret for portal tokens. The operator must set PORTAL_TOKEN_SECRET.',
    })
  }
  return { status: 201, body: { token, expires_at: timeJson(expires_at_ms) } }
}

/**
 * Returns a refusal if the API key lacks the scope `credits:write`, or if a credit pack does not exist in the ledger.
 * Otherwise, returns undefined.
 */
async function refusePacks(c: Context<AppEnv>, ids: readonly string[]): Promise<Response | undefined> {
  if (!c.get('key').scopes.includes('credits:write')) {
    const detail =
      'A portal token with credit_pack_ids requires an API key that also has the scope credits:write.'
    return problem(c, { code: 'insufficient_scope', detail })
  }
  const found = await findPacks(c.env, ledgerKey(ledgerOf(c)), ids)
  const missing = ids.find((id) => !found.some(({ credit_pack_id }) => credit_pack_id === id))
  return missing === undefined ? undefined : noSuch(c, 'credit pack', missing)
}
