import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { OPERATOR_TOKEN, unique, uniqueEmail } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { expectProblem } from '../support/problems.ts'

const register = (email: string, idempotency_key: string, key: string | undefined = OPERATOR_TOKEN) =>
  api('/v1/customers/register', {
    ...(key !== '' && { key }),
    body: { name: 'Ada', email },
    headers: { 'Idempotency-Key': idempotency_key },
  })

const keysOf = (email: string) =>
  env.DB.prepare('SELECT count(*) AS n FROM api_keys JOIN customers USING (customer_id) WHERE email = ?')
    .bind(email)
    .first<number>('n')

it("the operator's repeat gets the customer and its key again, byte for byte", async () => {
  const [email, once] = [uniqueEmail(), unique('once')]
  const responses = [await register(email, once), await register(email, once)]
  expect(responses.map(({ status }) => status)).toEqual([201, 201])
  expect(responses.map(({ headers }) => headers.get('Idempotency-Replayed'))).toEqual([null, 'true'])
  const [first = '', second] = await Promise.all(responses.map((response) => response.text()))
  expect(second).toBe(first)
  const key = textField(JSON.parse(first), 'api_key')
  expect(await jsonOf(await api('/v1/credits/balance', { key }))).toMatchObject({ balance: 10_000 })
  expect(await keysOf(email)).toBe(1)

  await expectProblem(await register(uniqueEmail(), once), 422, 'idempotency_mismatch')
  await expectProblem(await register(email, unique('another')), 409, 'conflict')
  const stored = await env.DB.prepare('SELECT body FROM stored_answers WHERE idempotency_key = ?')
    .bind(once)
    .first<string>('body')
  expect(stored).not.toContain('om_live_')
  expect(stored).not.toContain(email)
})

it('two simultaneous requests with one key get the same customer', async () => {
  const [email, once] = [uniqueEmail(), unique('once')]
  const responses = await Promise.all([1, 2, 3].map(() => register(email, once)))
  const bodies = await Promise.all(responses.map((response) => response.text()))
  const registered = bodies.filter((_, i) => responses[i]?.status === 201)
  expect(new Set(registered).size).toBe(1)
  // Concurrent requests with the same key can be refused. A later repeat returns the customer of the successful
  // request.
  expect(await (await register(email, once)).text()).toBe(registered[0])
  expect(await keysOf(email)).toBe(1)
})

it('another operator token cannot read the key again', async () => {
  const tokens = { OPERATOR_TOKEN: 'the-old-one', OPERATOR_TOKEN_NEXT: 'the-new-one' }
  const [email, once] = [uniqueEmail(), unique('once')]
  const send = (key: string) =>
    deployed(tokens, '/v1/customers/register', {
      key,
      body: { name: 'Ada', email },
      headers: { 'Idempotency-Key': once },
    })
  expect((await send('the-old-one')).status).toBe(201)
  await expectProblem(await send('the-new-one'), 409, 'conflict')
})

it('a refused registration leaves its idempotency key unused', async () => {
  const [taken, free, once] = [uniqueEmail(), uniqueEmail(), unique('once')]
  expect((await register(taken, unique('first'))).status).toBe(201)
  await expectProblem(await register(taken, once), 409, 'conflict')
  expect((await register(free, once)).status).toBe(201)
})

it('open registration replays nothing: a repeat is a conflict', async () => {
  const [email, once] = [uniqueEmail(), unique('once')]
  expect((await register(email, once, '')).status).toBe(201)
  await expectProblem(await register(email, once, ''), 409, 'conflict')
  // The operator's idempotency keys are separate from the keys of open registration, so the same key creates another
  // customer here.
  expect((await register(uniqueEmail(), once)).status).toBe(201)
})
