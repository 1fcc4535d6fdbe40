import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { deleteCookie, setCookie } from 'hono/cookie'
import { admitApiKey, notFromOwnPage } from '../api-keys/authentication/authenticate.ts'
import { DEVELOPMENT_KEY, DEVELOPMENT_OPERATOR_TOKEN } from '../api-keys/authentication/format.ts'
import { isOperatorToken, operatorsOf } from '../api-keys/authentication/operator.ts'
import { configOf } from '../config.ts'
import { type AppEnv, guard } from '../http/env.ts'
import { timeJson } from '../http/input/times.ts'
import { validationHook } from '../http/input/validation.ts'
import { jsonBody } from '../http/middleware/body.ts'
import { unauthorized } from '../http/middleware/platform-limits.ts'
import { notFound, problem } from '../http/output/problem.ts'
import { createRouter } from '../http/route.ts'
import { logFailure } from '../logging/log.ts'
import { isOwnPage, SESSION_COOKIE, sessionTokenOf } from './access.ts'
import { ASSERTION_HEADER, type Assertion, verifyAssertion } from './cloudflare-access/assertion.ts'
import { beginSession, endSession, findSession, type Session, type SessionOwner } from './sessions.ts'

/**
 * The routes with which the dashboard signs in and out. They are not part of the public API. They do not accept an API
 * key in a header, and refuse requests from pages of another origin.
 */
export const dashboardRoutes = createRouter()

const ownPagesOnly = guard((c) => (isOwnPage(c) ? undefined : notFromOwnPage(c)))

const MAX_CREDENTIAL_CHARS = 1_000
const signInSchema = z.union([
  z.strictObject({ credential: z.string().min(1).max(MAX_CREDENTIAL_CHARS) }),
  // The body of a sign-in with Cloudflare Access. The request contains the assertion in a header.
  z.strictObject({ access: z.literal(true) }),
])

dashboardRoutes.use('/*', ownPagesOnly)

/**
 * Returns the current session. If there is no session but an assertion of Cloudflare Access, the response contains the
 * email from the assertion, or the reason why the assertion cannot be used. In development, the response also contains
 * the public demo credentials.
 */
dashboardRoutes.get('/session', async (c) => {
  const token = sessionTokenOf(c)
  const session =
    token === undefined ? undefined : await findSession(c.env, token, operatorsOf(c.env), Date.now())
  const demo = configOf(c.env).environment === 'development' ? DEMO : null
  if (session) return c.json({ session: described(session), demo, access: null })
  return c.json({ session: null, demo, access: offered(await assertionOf(c)) })
})

function described(session: Session): object {
  const expires_at = timeJson(session.expires_at_ms)
  if (session.kind === 'operator') return { kind: 'operator', email: session.email, expires_at }
  const { key_id, mode, scopes } = session
  return { kind: 'customer', key_id, mode, scopes: scopes.split(' '), expires_at }
}

const DEMO = { api_key: DEVELOPMENT_KEY, operator_token: DEVELOPMENT_OPERATOR_TOKEN }

dashboardRoutes.post('/session', jsonBody, async (c) => {
  const body = signInSchema.safeParse(await c.req.json())
  if (!body.success) return validationHook({ ...body, target: 'json' }, c)
  const { data } = body
  const owner = 'access' in data ? await ownerByAccess(c) : await ownerOf(c, data.credential.trim())
  if (owner instanceof Response) return owner
  const now_ms = Date.now()
  const { token, expires_at_ms } = await beginSession(c.env, owner, sessionTokenOf(c), now_ms)
  const maxAge = Math.floor((expires_at_ms - now_ms) / 1000)
  setCookie(c, SESSION_COOKIE.name, token, { ...SESSION_COOKIE.options, maxAge })
  return c.json({ expires_at: timeJson(expires_at_ms) }, 201)
})

dashboardRoutes.delete('/session', async (c) => {
  const token = sessionTokenOf(c)
  if (token !== undefined) await endSession(c.env, token)
  deleteCookie(c, SESSION_COOKIE.name, SESSION_COOKIE.options)
  return c.body(null, 204)
})

dashboardRoutes.all('/*', notFound)

async function ownerOf(c: Context<AppEnv>, credential: string): Promise<SessionOwner | Response> {
  if (isOperatorToken(c.env, credential)) return { kind: 'operator', token: credential }
  const refused = await admitApiKey(c, credential)
  return refused ?? { kind: 'key', key_id: c.get('key').key_id }
}

function assertionOf(c: Context<AppEnv>): Promise<Assertion | undefined> {
  return verifyAssertion(c.env, c.req.header(ASSERTION_HEADER), Date.now())
}

const UNAVAILABLE = 'The keys of Cloudflare Access cannot be read. Try again in a minute.'

function offered(assertion: Assertion | undefined): object | null {
  switch (assertion?.kind) {
    case undefined:
      return null
    case 'valid':
      return { email: assertion.email, problem: null }
    case 'refused':
      return { email: null, problem: assertion.reason }
    case 'unavailable':
      return { email: null, problem: UNAVAILABLE }
  }
}

async function ownerByAccess(c: Context<AppEnv>): Promise<SessionOwner | Response> {
  const { access } = configOf(c.env)
  const assertion = await assertionOf(c)
  if (access === null || !assertion) {
    return unauthorized(
      c,
      'missing_api_key',
      'This request did not come through Cloudflare Access. Sign in with a credential.',
    )
  }
  if (assertion.kind === 'unavailable') return problem(c, { code: 'unavailable', detail: UNAVAILABLE })
  if (assertion.kind === 'refused') {
    logFailure('access_refused', { reason: assertion.reason })
    return unauthorized(
      c,
      'invalid_api_key',
      `The assertion of Cloudflare Access is refused. ${assertion.reason}`,
    )
  }
  const { email, expires_at_ms } = assertion
  return { kind: 'access', access, email, expires_at_ms }
}
