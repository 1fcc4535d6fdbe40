import type { Context } from 'hono'
import { createdOrRefused, recordedAndKept } from '../../api-keys/answers.ts'
import { credentialOf } from '../../api-keys/authentication/authenticate.ts'
import { createApiKey } from '../../api-keys/changes.ts'
import { createdKeySchema, issuedKeySchema } from '../../api-keys/schema.ts'
import { OPERATOR_ACTOR } from '../../audit/record.ts'
import { type Customer, changeAccount, listCustomers, readCustomer } from '../../customers/accounts.ts'
import { auditorOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../../http/input/pagination.ts'
import { timeJson } from '../../http/input/times.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { noSuch, problem, serviceUnavailable } from '../../http/output/problem.ts'
import { answerOnce } from '../../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, OPERATOR_SECURITY, route } from '../../http/route.ts'
import { auditStatement } from '../../ledger/flush/audit-log.ts'
import {
  accountChangeSchema,
  adminCustomerSchema,
  adminCustomersSchema,
  customerPath,
  customersQuery,
} from './schema.ts'

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List customers, newest first',
  description:
    'The registration of a PENDING customer is incomplete. To complete it, repeat the registration with the same email.',
  security: OPERATOR_SECURITY,
  request: { query: customersQuery },
  answers: { 200: json('A page of customers.', adminCustomersSchema) },
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get a customer',
  security: OPERATOR_SECURITY,
  request: { params: customerPath },
  answers: { 200: json('The customer.', adminCustomerSchema) },
  problems: ['not_found'],
})

const changeRoute = route({
  method: 'patch',
  path: '/{id}',
  summary: "Change a customer's tier, or suspend, close or reactivate it",
  description: [
    'The ledgers of the customer apply the change before the response is sent. The rest of the API applies it within 90 s.',
    'Keys of a SUSPENDED or CLOSED customer can only read. Both statuses have the same effect. No data is deleted.',
    'After a 503, repeat the request to complete the change.',
  ].join(' '),
  security: OPERATOR_SECURITY,
  request: { params: customerPath, body: jsonRequest(accountChangeSchema) },
  answers: { 200: json('The changed customer.', adminCustomerSchema) },
  problems: ['not_found', 'conflict'],
})

const issueRoute = route({
  method: 'post',
  path: '/{id}/api-keys',
  summary: 'Issue an API key to a customer, for example to replace a lost key',
  description: [
    'Only this response contains the text of the key. If the response is lost, repeat the request with the same',
    '`Idempotency-Key` and the same operator token. The stored response is encrypted with this token.',
    "The customer's other keys are unaffected.",
  ].join(' '),
  security: OPERATOR_SECURITY,
  request: { params: customerPath, body: jsonRequest(issuedKeySchema) },
  answers: { 201: json('The key.', createdKeySchema) },
  problems: ['not_found', 'conflict', 'idempotency_mismatch', 'overloaded'],
})

export const adminCustomersRoutes = createRouter()

adminCustomersRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit, ...filter } = c.req.valid('query')
  try {
    const page = { before_id: cursor ?? BEHIND_ALL_IDS, limit: limit + 1 }
    const found = await listCustomers(c.env, filter, page)
    const { rows, next_cursor } = idPage(found, limit, (customer) => customer.customer_id)
    return jsonResponse(c, { data: rows.map(customerJson), next_cursor })
  } catch (error) {
    return serviceUnavailable(c, 'customers_not_listed', error)
  }
})

adminCustomersRoutes.openapi(getRoute, async (c) => {
  const { id } = c.req.valid('param')
  try {
    const customer = await readCustomer(c.env, id)
    return customer ? jsonResponse(c, customerJson(customer)) : noSuch(c, 'customer', id)
  } catch (error) {
    return serviceUnavailable(c, 'customer_not_read', error)
  }
})

adminCustomersRoutes.openapi(changeRoute, async (c) => {
  const { id } = c.req.valid('param')
  try {
    const outcome = await changeAccount(c.env, id, c.req.valid('json'), (before, after) => [
      auditChangedAccount(c, before, after),
    ])
    switch (outcome.kind) {
      case 'changed':
        return jsonResponse(c, customerJson(outcome.customer))
      case 'not_found':
        return noSuch(c, 'customer', id)
      case 'unfinished':
        return problem(c, {
          code: 'conflict',
          detail:
            "This customer's registration is incomplete. First repeat the registration with the same email.",
        })
    }
  } catch (error) {
    return serviceUnavailable(c, 'customer_not_changed', error)
  }
})

adminCustomersRoutes.openapi(issueRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { expires_at: expires_at_ms, ...draft } = c.req.valid('json')
  const actor = { customer_id: id, key_id: undefined }
  const once = {
    owner: OPERATOR_ACTOR,
    operation: `POST /v1/admin/customers/${id}/api-keys`,
    credential: credentialOf(c),
  }
  try {
    return await answerOnce(c, once, async (keep) => {
      const also = recordedAndKept(c, actor, keep)
      const made = await createApiKey(c.env, actor, { ...draft, expires_at_ms }, Date.now(), also)
      return createdOrRefused(c, made)
    })
  } catch (error) {
    return serviceUnavailable(c, 'key_not_issued', error)
  }
})

/**
 * Returns the statement that adds the audit record of a change. The statement must directly follow the statement that
 * makes the change. It adds no record if the change affected no row.
 */
function auditChangedAccount(c: Context<AppEnv>, before: Customer, after: Customer): D1PreparedStatement {
  const { customer_id } = before
  const record = {
    ...auditorOf(c, OPERATOR_ACTOR),
    action: 'customers.change',
    target: customer_id,
    before: { tier: before.tier, status: before.status },
    after: { tier: after.tier, status: after.status },
  } as const
  return auditStatement(c.env.DB, { customer_id, mode: null }, record, Date.now(), { if_changed: true })
}

function customerJson({ created_at_ms, ...customer }: Customer): object {
  return { ...customer, created_at: timeJson(created_at_ms) }
}
