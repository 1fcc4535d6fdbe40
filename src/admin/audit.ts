import { z } from '@hono/zod-openapi'
import { listAudit, type StoredAudit } from '../audit/list-audit.ts'
import { AUDIT_ACTIONS } from '../audit/record.ts'
import { customerText } from '../http/input/identifiers.ts'
import { pageQuery } from '../http/input/pagination.ts'
import { timeJson, timeQuery } from '../http/input/times.ts'
import { jsonResponse } from '../http/output/json.ts'
import { serviceUnavailable } from '../http/output/problem.ts'
import { createRouter, json, OPERATOR_SECURITY, route } from '../http/route.ts'

const AUDIT_ID = /^aud_[0-9a-hjkmnp-tv-z]{26}$/

const auditQuery = z
  .strictObject({
    customer_id: customerText().optional().openapi({
      description:
        'The id of the customer whose records are listed. The value `operator` lists the records that do not concern exactly one customer.',
    }),
    actor: customerText().optional().openapi({
      description:
        'The author of the change. Either the id of an API key, or `operator`, or `operator:EMAIL` if the operator signed in with Cloudflare Access, or `public` if a customer registered without the operator token.',
    }),
    action: z.enum(AUDIT_ACTIONS).optional(),
    target: customerText().optional().openapi({
      description:
        'The id of the changed object, for example of a wallet, a burn table, a key, a customer or a price.',
    }),
    from: timeQuery().optional().openapi({ description: 'The start of the time range, inclusive.' }),
    to: timeQuery().optional().openapi({ description: 'The end of the time range, exclusive.' }),
    limit: pageQuery.limit,
    cursor: z
      .string()
      .regex(AUDIT_ID, 'must be a next_cursor from an earlier response')
      .optional()
      .openapi({ description: 'The `next_cursor` of the previous page.' }),
  })
  .superRefine(({ from, to }, ctx) => {
    if (from === undefined || to === undefined || from < to) return
    ctx.addIssue({ code: 'custom', path: ['to'], message: 'must be after from' })
  })

const state = z.record(z.string(), z.unknown()).nullable().openapi({
  description:
    'The changed fields before the change (`before`) or after the change (`after`). Null if the object did not exist, and for bulk actions.',
})

const auditSchema = z
  .object({
    id: z.string(),
    at: z.string().openapi({ format: 'date-time' }),
    customer_id: z.string().nullable().openapi({
      description: 'The id of the customer; null if the record does not concern exactly one customer.',
    }),
    mode: z.enum(['live', 'test']).nullable(),
    actor: z.string(),
    action: z.enum(AUDIT_ACTIONS),
    target: z.string(),
    ip: z.string().nullable(),
    request_id: z.string().nullable(),
    before: state,
    after: state,
  })
  .openapi('AuditRecord')

const auditPageSchema = z
  .object({ data: z.array(auditSchema), next_cursor: z.string().nullable() })
  .openapi('AuditPage')

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List the audit log, newest first',
  description: [
    'Lists the audit records. The values of `action` are the recorded changes. Each accepted change has exactly one record. Records cannot be changed',
    'or deleted. A change in a ledger appears after the next flush of the ledger, within seconds. A page can contain fewer',
    'records than `limit` although `next_cursor` is set.',
  ].join(' '),
  security: OPERATOR_SECURITY,
  request: { query: auditQuery },
  answers: { 200: json('A page of records.', auditPageSchema) },
})

export const auditRoutes = createRouter()

auditRoutes.openapi(listRoute, async (c) => {
  const { customer_id, actor, action, target, from, to, limit, cursor } = c.req.valid('query')
  try {
    const page = await listAudit(c.env.DB, {
      ...{ customer_id, actor, action, target, limit },
      from_ms: from,
      to_ms: to,
      before_id: cursor,
    })
    return jsonResponse(c, { data: page.records.map(auditJson), next_cursor: page.next_before_id })
  } catch (error) {
    return serviceUnavailable(c, 'audit_not_listed', error)
  }
})

function auditJson(record: StoredAudit): object {
  const { customer_id, mode, actor, action, target, ip, request_id, state_before, state_after } = record
  return {
    id: record.audit_id,
    at: timeJson(record.at_ms),
    ...{ customer_id, mode, actor, action, target, ip, request_id },
    before: stateJson(state_before),
    after: stateJson(state_after),
  }
}

function stateJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text)
}
