import type { Context } from 'hono'
import { type AuditAction, OPERATOR_ACTOR } from '../audit/record.ts'
import { auditorOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { answerOnce, writeKept } from '../http/output/stored-answers.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'

/**
 * Writes the audit record of an operator's bulk action. Call this function before the action begins: the audit log then
 * has the record even if the action fails. If `customer_id` is undefined, the action concerns all customers.
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

/** The data of an operator's bulk action that its audit record and its stored response need. */
export interface OperatorWork {
  readonly action: AuditAction & `admin.${string}`
  /** The method and path of the request. */
  readonly operation: string
  /** The customer that the action concerns; undefined for all customers. */
  readonly customer_id: string | undefined
}

/**
 * Writes the audit record of an action, runs the action and returns its result. After a success, a request with the
 * same idempotency key gets the stored response. After a failure, a retry writes another audit record and continues
 * where the action stopped: the action makes many separate changes and can be repeated safely.
 */
export function answerWork(
  c: Context<AppEnv>,
  { action, operation, customer_id }: OperatorWork,
  work: () => Promise<object>,
): Promise<Response> {
  return answerOnce(c, { owner: OPERATOR_ACTOR, operation }, async (keep) => {
    await recordAction(c, action, customer_id)
    const answer = { status: 200, body: await work() } as const
    await writeKept(c.env, keep(answer))
    return answer
  })
}
