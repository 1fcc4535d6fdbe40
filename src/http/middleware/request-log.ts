import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import { configOf } from '../../config.ts'
import { measureObjectWait } from '../../ledger/client/call.ts'
import { type LogFields, logFailure, logInfo, logWarning } from '../../logging/log.ts'
import { countOutcome, writeOutcomesWhenDue } from '../../logging/outcomes.ts'
import { type AppEnv, routeOf } from '../env.ts'

/**
 * The HTTP methods that are logged by name. All others are logged as `other`, so that a client cannot write arbitrary
 * text into the log.
 */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * Middleware that counts the outcome of a request and logs at most one line for it. Failed (5xx) and slow requests are
 * always logged. Of the other requests, only the share `LOG_SAMPLE_RATE` is logged. The clock of a deployed Worker does
 * not advance during computation, so `duration_ms` and `object_ms` include only waiting time.
 */
export const requestLog = createMiddleware<AppEnv>(async (c, next) => {
  const { log_sample_rate, slow_request_ms } = configOf(c.env)
  const started_ms = Date.now()
  const object_ms = await measureObjectWait(next)
  const now_ms = Date.now()
  const duration_ms = now_ms - started_ms
  const outcome = outcomeOf(c)
  countOutcome(outcome, now_ms)
  for (const [code, events] of c.get('rejected_events') ?? []) countOutcome(`event:${code}`, now_ms, events)
  if (outcome === 'ok') countWork(c, now_ms)
  writeOutcomesWhenDue(c.env, now_ms, (work) => c.executionCtx.waitUntil(work))

  const failed = c.res.status >= 500
  const slow = duration_ms >= slow_request_ms
  const sampled = Math.random() < log_sample_rate
  if (!failed && !slow && !sampled) return
  const log = failed ? logFailure : slow ? logWarning : logInfo
  // The share of similar requests that is logged. To estimate the number of requests, divide the number of lines by it.
  const sample_rate = failed || slow ? 1 : log_sample_rate
  log('request', { ...described(c), outcome, duration_ms, object_ms, sample_rate })
})

/**
 * Counts a request with the outcome `ok` if its method can make changes, and counts the accepted events of an ingest
 * request. The estimate of the platform's cost uses these counts.
 */
function countWork(c: Context<AppEnv>, now_ms: number): void {
  if (!READING.has(c.req.method)) countOutcome('work:changes', now_ms)
  const events = c.get('accepted_events') ?? 0
  if (events > 0) countOutcome('work:events', now_ms, events)
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Returns the outcome of a request: `ok`, `replayed` or the problem code. The set of outcomes is small and fixed. */
function outcomeOf(c: Context<AppEnv>): string {
  const code = c.get('problem_code')
  if (code !== undefined) return code
  if (c.res.status >= 500) return 'internal_error'
  return c.res.headers.get('Idempotency-Replayed') === 'true' ? 'replayed' : 'ok'
}

function described(c: Context<AppEnv>): LogFields {
  const key: AuthenticatedKey | undefined = c.get('key')
  return {
    request_id: c.get('request_id'),
    method: METHODS.has(c.req.method) ? c.req.method : 'other',
    route: routeOf(c),
    status: c.res.status,
    code: c.get('problem_code'),
    customer_id: key?.customer_id,
    mode: key?.mode,
    key_id: key?.key_id,
  }
}
