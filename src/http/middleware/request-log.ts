import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import { configOf } from '../../config.ts'
import { measureObjectWait } from '../../ledger/client/call.ts'
import { type LogFields, logFailure, logInfo, logWarning } from '../../logging/log.ts'
import { countOutcome, writeOutcomesWhenDue } from '../../logging/outcomes.ts'
import { type AppEnv, routeOf } from '../env.ts'

/**
 * The methods that are logged by name. Others are logged as `other`, so that a client cannot fill the log with names.
 */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * Logs one line for a request and counts its outcome. Failed (5xx) and slow requests are always logged, others at the
 * rate `LOG_SAMPLE_RATE`. The clock of a deployed Worker does not advance while it computes, so both durations
 * measure waiting.
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
  // The share of requests that was logged. Divide the number of lines by it to estimate the number of requests.
  const sample_rate = failed || slow ? 1 : log_sample_rate
  log('request', { ...described(c), outcome, duration_ms, object_ms, sample_rate })
})

/** Counts changes and events, for an estimate of the platform's bill. */
function countWork(c: Context<AppEnv>, now_ms: number): void {
  if (!READING.has(c.req.method)) countOutcome('work:changes', now_ms)
  const events = c.get('accepted_events') ?? 0
  if (events > 0) countOutcome('work:events', now_ms, events)
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Returns `ok`, `replayed` or the problem code. The set of outcomes is small and fixed. */
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
