import type { Context } from 'hono'
import { logError } from '../../logging/log.ts'
import type { AppEnv } from '../env.ts'
import { problem } from './problem.ts'

/** D1, a ledger or KV could not be reached; what was done of the change stays, and a repeat does the rest. */
export function notAllReached(c: Context<AppEnv>, event: string, error: unknown): Response {
  logError(event, error, { request_id: c.get('request_id') })
  return problem(c, {
    code: 'unavailable',
    detail: 'Not everything that this takes could be reached. Repeat it with the same idempotency key.',
    headers: { 'Retry-After': '1' },
  })
}
