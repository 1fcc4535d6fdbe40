import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { api, textField } from '../support/api.ts'
import { granted } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'
import { APP, BALANCE, fromPage } from './support.ts'

const DRAFT = { user_id: 'ada', expires_in_seconds: 600, origins: [APP] }

const make = (key: string, idempotency_key?: string, more: object = {}) =>
  api('/v1/portal-tokens', {
    key,
    body: { ...DRAFT, ...more },
    headers: idempotency_key === undefined ? {} : { 'Idempotency-Key': idempotency_key },
  })

const storedFor = (owner: string) =>
  env.DB.prepare('SELECT body FROM stored_answers WHERE owner = ?').bind(owner).all<{ body: string }>()

it('a repeat with the same idempotency key gets the same token, byte for byte', async () => {
  const { api_key: key, customer_id } = await createCustomer()
  await granted(key, { user_id: 'ada', amount: 5 })
  const responses = [await make(key, 'page 1'), await make(key, 'page 1')]
  expect(responses.map(({ status }) => status)).toEqual([201, 201])
  expect(responses.map(({ headers }) => headers.get('Idempotency-Replayed'))).toEqual([null, 'true'])
  const [first = '', second] = await Promise.all(responses.map((response) => response.text()))
  expect(second).toBe(first)
  const token = textField(JSON.parse(first), 'token')
  expect((await fromPage(BALANCE, token)).status).toBe(200)
  await expectProblem(await make(key, 'page 1', { user_id: 'bob' }), 422, 'idempotency_mismatch')
  // The stored response contains the token only in encrypted form.
  const { results } = await storedFor(customer_id)
  expect(results).toHaveLength(1)
  expect(results[0]?.body).not.toContain('om_portal_')
})

it('another API key of the customer cannot read the token again', async () => {
  const { api_key: key, customer_id } = await createCustomer()
  const other = await createKey(customer_id)
  expect((await make(key, 'k')).status).toBe(201)
  await expectProblem(await make(other.api_key, 'k'), 409, 'conflict')
})

it('a refused request leaves its idempotency key unused', async () => {
  const { api_key: key } = await createCustomer()
  await expectProblem(await make(key, 'k', { credit_pack_ids: ['pack_none'] }), 404, 'not_found')
  expect((await make(key, 'k')).status).toBe(201)
})

it('nothing is stored without an idempotency key', async () => {
  const { api_key: key, customer_id } = await createCustomer()
  expect((await make(key)).status).toBe(201)
  expect((await storedFor(customer_id)).results).toEqual([])
})
