import type { Context } from 'hono'
import { type AuditAction, OPERATOR_ACTOR } from '../audit/record.ts'
import { auditorOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { answerOnce } from '../http/output/stored-answers.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'

/**
 * Records work of the operator's that is many changes, before it begins: whatever becomes of it, the log says that it
 * was asked for. `customer_id` undefined: it is about all of them.
 */
export async function recordAction(
  c: Context<AppEnv>,
  action: AuditAction & `admin.${string}`,
  customer_id: string | undefined,
): Promise<void> {
  const place = { customer_id: customer_id ?? null, mode: null }
  const record = { ...auditorOf(c, OPERATOR_ACTOR), action, target: customer_id ?? 'all' }
  await auditStatement(c.env.DB, place, { ...record, before: null, after: null }, Date.now()).run()
}

/** Work of the operator's, as it is recorded and answered. */
export interface OperatorWork {
  readonly action: AuditAction & `admin.${string}`
  /** Method and path. */
  readonly operation: string
  /** Whom it is about; undefined: all of them. */
  readonly customer_id: string | undefined
}

/**
 * Records work, does it, and answers what came of it: once per idempotency key. The work itself is many changes, each
 * of which can be done twice; a repeat after a failure goes on where it was.
 */
export function answerWork(
  c: Context<AppEnv>,
  { action, operation, customer_id }: OperatorWork,
  work: () => Promise<object>,
): Promise<Response> {
  return answerOnce(c, { owner: OPERATOR_ACTOR, operation }, async (keep) => {
    await recordAction(c, action, customer_id)
    const answer = { status: 200, body: await work() } as const
    const kept = keep(answer)
    if (kept.length > 0) await c.env.DB.batch(kept)
    return answer
  })
}
