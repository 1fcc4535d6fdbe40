import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { deleteCookie, setCookie } from 'hono/cookie'
import { createMiddleware } from 'hono/factory'
import { admitApiKey } from '../api-keys/authentication/authenticate.ts'
import { DEVELOPMENT_KEY, DEVELOPMENT_OPERATOR_TOKEN } from '../api-keys/authentication/format.ts'
import { isOperatorToken, operatorTokens } from '../api-keys/authentication/operator.ts'
import { notFromOwnPage } from '../api-keys/authentication/session.ts'
import { configOf } from '../config.ts'
import type { AppEnv } from '../http/env.ts'
import { timeJson } from '../http/input/times.ts'
import { validationHook } from '../http/input/validation.ts'
import { jsonBody } from '../http/middleware/body.ts'
import { notFound } from '../http/output/problem.ts'
import { createRouter } from '../http/route.ts'
import { isOwnPage, SESSION_COOKIE, sessionTokenOf } from './access.ts'
import {
  beginSession,
  endSession,
  findSession,
  SESSION_MS,
  type Session,
  type SessionOwner,
} from './sessions.ts'

/**
 * The routes that sign in to the dashboard and out of it. They are not part of the public API: they accept no API key,
 * and no request of another origin's page.
 */
export const dashboardRoutes = createRouter()

const ownPagesOnly = createMiddleware<AppEnv>(async (c, next) => (isOwnPage(c) ? next() : notFromOwnPage(c)))

const MAX_CREDENTIAL_CHARS = 1_000
const signInSchema = z.strictObject({ credential: z.string().min(1).max(MAX_CREDENTIAL_CHARS) })

dashboardRoutes.use('/*', ownPagesOnly)

/**
 * The sign-in page calls this route first. In development it returns the public credentials, which the page
 * offers.
 */
dashboardRoutes.get('/session', async (c) => {
  const token = sessionTokenOf(c)
  const session =
    token === undefined ? undefined : await findSession(c.env, token, operatorTokens(c.env), Date.now())
  const demo = configOf(c.env).environment === 'development' ? DEMO : null
  return c.json({ session: session ? described(session) : null, demo })
})

function described(session: Session): object {
  const expires_at = timeJson(session.expires_at_ms)
  if (session.kind === 'operator') return { kind: 'operator', expires_at }
  const { key_id, mode, scopes } = session
  return { kind: 'customer', key_id, mode, scopes: scopes.split(' '), expires_at }
}

const DEMO = { api_key: DEVELOPMENT_KEY, operator_token: DEVELOPMENT_OPERATOR_TOKEN }

dashboardRoutes.post('/session', jsonBody, async (c) => {
  const body = signInSchema.safeParse(await c.req.json())
  if (!body.success) return validationHook({ ...body, target: 'json' }, c)
  const owner = await ownerOf(c, body.data.credential.trim())
  if (owner instanceof Response) return owner
  const now_ms = Date.now()
  const token = await beginSession(c.env, owner, sessionTokenOf(c), now_ms)
  setCookie(c, SESSION_COOKIE.name, token, { ...SESSION_COOKIE.options, maxAge: SESSION_MS / 1000 })
  return c.json({ expires_at: timeJson(now_ms + SESSION_MS) }, 201)
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
