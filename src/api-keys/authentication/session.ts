import type { Context } from 'hono'
import { dashboardRequestOf } from '../../dashboard/access.ts'
import { findSession, type Session } from '../../dashboard/sessions.ts'
import type { AppEnv } from '../../http/env.ts'
import { unauthorized } from '../../http/middleware/platform-limits.ts'
import { problem } from '../../http/output/problem.ts'
import { operatorsOf } from './operator.ts'

/**
 * Returns the session of a request of the dashboard. Refuses a request from a page of another origin or without a
 * valid session.
 */
export async function sessionOf(c: Context<AppEnv>): Promise<Session | Response> {
  const request = dashboardRequestOf(c)
  if (request && !request.is_own_page) return notFromOwnPage(c)
  const token = request?.session
  if (token === undefined) {
    return unauthorized(c, 'missing_api_key', 'There is no session. Sign in to the dashboard.')
  }
  const session = await findSession(c.env, token, operatorsOf(c.env), Date.now())
  if (session) return session
  const detail = 'This session has ended, or its key was deleted or replaced. Sign in again.'
  return unauthorized(c, 'invalid_api_key', detail)
}

export function notFromOwnPage(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'origin_not_allowed',
    detail:
      'Only pages of the dashboard may use its session. Open the dashboard and repeat the action there.',
  })
}
