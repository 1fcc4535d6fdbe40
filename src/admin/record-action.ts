import type { Context } from 'hono'
import { auditStatement } from '../audit/audit-log.ts'
import { type AuditAction, OPERATOR_ACTOR } from '../audit/record.ts'
import { auditorOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'

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
