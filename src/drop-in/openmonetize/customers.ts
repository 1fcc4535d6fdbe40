import { jsonResponse } from '../../http/output/json.ts'
import { listAll } from './pages.ts'
import { type Fields, pick, type Translation } from './translation.ts'

/** The translations of the routes for customers and their users. */

function customerOf(customer: Fields): object {
  return {
    name: customer.name,
    email: customer.email,
    tier: customer.tier,
    createdAt: customer.created_at,
  }
}

function userOf(user: Fields): object {
  return {
    id: user.user_id,
    externalUserId: user.user_id,
    email: user.email ?? null,
    metadata: user.metadata ?? {},
    createdAt: user.created_at,
  }
}

export const customerTranslations: readonly Translation[] = [
  {
    method: 'post',
    path: '/v1/customers/register',
    summary: 'Register a customer',
    status: 201,
    problems: ['conflict', 'insufficient_scope', 'missing_api_key', 'invalid_api_key'],
    async run({ c, body, send }) {
      const registered = await send({
        method: 'POST',
        path: '/v1/customers/register',
        body: pick(body, { name: 'name', email: 'email', tier: 'tier' }),
      })
      const { customer_id: customerId, api_key: apiKey } = registered
      return jsonResponse(c, { data: { customerId, apiKey, ...customerOf(registered) } }, 201)
    },
  },
  {
    method: 'get',
    path: '/v1/customers/me',
    summary: 'Get the customer of the API key',
    scope: 'credits:read',
    status: 200,
    async run({ c, send }) {
      const me = await send({ method: 'GET', path: '/v1/customers/me' })
      return jsonResponse(c, { data: { id: me.customer_id, ...customerOf(me), status: me.status } })
    },
  },
  {
    method: 'get',
    path: '/v1/users',
    summary: 'List users',
    scope: 'credits:read',
    status: 200,
    query: ['limit', 'offset'],
    async run(asked) {
      const list = await listAll(asked, '/v1/users', {})
      return list instanceof Response ? list : jsonResponse(asked.c, { ...list, data: list.data.map(userOf) })
    },
  },
  {
    method: 'post',
    path: '/v1/users',
    summary: 'Create a user',
    scope: 'credits:write',
    status: 201,
    problems: ['conflict', 'idempotency_mismatch', 'too_many_open'],
    async run({ c, body, send }) {
      const fields = { external_user_id: 'user_id', email: 'email', metadata: 'metadata' }
      const created = await send({ method: 'POST', path: '/v1/users', body: pick(body, fields) })
      return jsonResponse(c, { data: userOf(created) }, 201)
    },
  },
]
