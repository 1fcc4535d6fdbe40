import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { revokeApiKey } from '../../src/api-keys/revocation.ts'
import { MINUTE_MS } from '../../src/time/durations.ts'
import { checkout, deliver, later, paymentOf, ring, withStripe } from '../payments/support.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { answered, balanceOf, expectInvalid, granted, type Json, objects, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'
import { WEBHOOK_SECRETS } from '../support/stripe.ts'
import { APP, CHECKOUT, ELSEWHERE, fromPage, make, PACKS, portalToken } from './support.ts'

/**
 * Tests portal tokens with `credit_pack_ids`. The page of an end user can sell only these credit packs, only to the
 * wallet of the token, and only at the price of the pack.
 */

const stripe = withStripe()
const URLS = { success_url: `${APP}/paid?from=top-up`, cancel_url: APP }

let customer: TestCustomer
let small: string
let large: string
beforeEach(async () => {
  customer = await createCustomer()
  small = await packOf(customer.api_key, 'Small', 100, 1)
  large = await packOf(customer.api_key, 'Large', 2000, 15)
})

async function packOf(key: string, name: string, credits: number, price_usd: number): Promise<string> {
  return textField(await answered(key, PACKS, { name, credits, price_usd }, 201), 'id')
}

function tokenOf(draft: object = {}, key = customer.api_key): Promise<string> {
  return portalToken(key, { user_id: 'ann', credit_pack_ids: [large, small], ...draft })
}

function buy(token: string, body: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return fromPage(CHECKOUT, token, APP, { body: { credit_pack_id: small, ...URLS, ...body }, headers })
}

async function bought(token: string, body: object = {}): Promise<Json> {
  const response = await buy(token, body)
  expect(response.status).toBe(201)
  return jsonOf(response)
}

/** Returns the requests for checkout pages that were sent to Stripe. */
const sessions = () => stripe.current().calls.filter(({ path }) => path === '/v1/checkout/sessions')

describe('a portal token with credit packs', () => {
  it('reads those packs and no others, in the order of its maker', async () => {
    await packOf(customer.api_key, 'Hidden', 1, 1)
    const { data, next_cursor } = await read(await tokenOf(), PACKS)
    expect(objects(data).map(({ id, name, credits, price_usd }) => [id, name, credits, price_usd])).toEqual([
      [large, 'Large', 2000, 15],
      [small, 'Small', 100, 1],
    ])
    expect(next_cursor).toBeNull()
  })

  it('opens a checkout of a pack that credits its own wallet once it is paid', async () => {
    const response = await buy(await tokenOf())
    expect(response.status).toBe(201)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe(APP)
    const { payment_id, url } = await jsonOf(response)
    const payment = { status: 'pending', user_id: 'ann', team_id: null, credits: 100, price_usd: 1 }
    expect(await paymentOf(customer.api_key, String(payment_id))).toMatchObject(payment)
    const [session] = sessions()
    expect(session?.fields.get('success_url')).toBe(URLS.success_url)
    expect(session?.fields.get('cancel_url')).toBe(URLS.cancel_url)
    expect(session?.fields.get('line_items[0][price_data][unit_amount]')).toBe('100')
    await deliver(stripe.current().event('payment_intent.succeeded', stripe.current().pay(String(url))))
    expect(await balanceOf(customer.api_key, '?user_id=ann')).toBe(100)
    expect(await balanceOf(customer.api_key)).toBe(10_000)
  })

  it('may name its own wallet, and may be for a team', async () => {
    const ann = await bought(await tokenOf(), { user_id: 'ann', team_id: null, credits: null })
    expect(await paymentOf(customer.api_key, String(ann.payment_id))).toMatchObject({ user_id: 'ann' })
    const red = await bought(await tokenOf({ user_id: undefined, team_id: 'red' }), { team_id: 'red' })
    expect(await paymentOf(customer.api_key, String(red.payment_id))).toMatchObject({
      user_id: null,
      team_id: 'red',
    })
  })

  it('sells at the current price of the pack, even if the price has changed since the token was made', async () => {
    const token = await tokenOf()
    await api(`${PACKS}/${small}`, { key: customer.api_key, method: 'PATCH', body: { price_usd: 2 } })
    const { payment_id } = await bought(token)
    expect(await paymentOf(customer.api_key, String(payment_id))).toMatchObject({ price_usd: 2 })
  })

  it('neither sells nor lists a deleted pack', async () => {
    const token = await tokenOf()
    await api(`${PACKS}/${small}`, { key: customer.api_key, method: 'DELETE' })
    await expectProblem(await buy(token), 404, 'not_found')
    expect(objects((await read(token, PACKS)).data).map(({ id }) => id)).toEqual([large])
    expect(sessions()).toEqual([])
  })

  it('of a test key sells the packs of the test ledger, by the test account of Stripe', async () => {
    const body = { name: 'CI', mode: 'test' }
    const made = await jsonOf(await api('/v1/api-keys', { key: customer.api_key, body }))
    const test_key = textField(made, 'api_key')
    await expectProblem(await make(test_key, { user_id: 'ann', credit_pack_ids: [small] }), 404, 'not_found')
    const pack = await packOf(test_key, 'Test', 70, 1)
    const token = await tokenOf({ credit_pack_ids: [pack] }, test_key)
    const { url } = await bought(token, { credit_pack_id: pack })
    expect(sessions()[0]?.authorization).toContain('sk_test_')
    const event = stripe.current().event('payment_intent.succeeded', stripe.current().pay(String(url)), {
      secret: WEBHOOK_SECRETS.test,
    })
    await deliver(event)
    expect(await balanceOf(test_key, '?user_id=ann')).toBe(70)
  })

  it('opens the checkout of an unknown payer, which does not show the saved card of the wallet', async () => {
    const { url } = await checkout(customer.api_key, { user_id: 'ann', save_payment_method: true })
    const { customer: payer } = stripe.current().pay(url)
    later(2 * MINUTE_MS)
    await ring(customer)
    await bought(await tokenOf())
    expect(sessions().at(-1)?.fields.has('customer')).toBe(false)
    await checkout(customer.api_key, { user_id: 'ann' })
    expect(sessions().at(-1)?.fields.get('customer')).toBe(payer)
  })
})

describe('a portal token with credit packs cannot', () => {
  it.each([
    ['choose an amount', { credit_pack_id: undefined, credits: 1000, price_usd: 1 }],
    ['choose an amount beside a pack', { credits: 1000 }],
    ['choose a price', { price_usd: 0.5 }],
    ['save a card', { save_payment_method: true }],
    ['buy for another user', { user_id: 'bob' }],
    ['buy for the user with an empty id', { user_id: '' }],
    ['buy for a team', { team_id: 'red' }],
    ['buy another pack of its customer', { credit_pack_id: 'hidden' }],
  ])('%s', async (_, change) => {
    const hidden = await packOf(customer.api_key, 'Hidden', 1, 1)
    const token = await tokenOf()
    const body = 'credit_pack_id' in change && change.credit_pack_id ? { credit_pack_id: hidden } : change
    await expectProblem(await buy(token, body), 403, 'insufficient_scope')
    expect(sessions()).toEqual([])
  })

  it("buy another customer's pack", async () => {
    const other = await createCustomer()
    const pack = await packOf(other.api_key, 'Cheap', 1_000_000, 1)
    await expectProblem(await buy(await tokenOf(), { credit_pack_id: pack }), 403, 'insufficient_scope')
  })

  it.each([
    ELSEWHERE,
    `${APP}.evil.example/`,
    `${APP}:8443/paid`,
    `${APP}@evil.example/`,
    `${APP}\\@evil.example/`,
    `${APP}?next=/`,
    `https://user@app.example.com/`,
    'http://app.example.com/paid',
    'https://APP.example.com/paid',
    'https:app.example.com/paid',
    'https:///app.example.com/paid',
    '//app.example.com/paid',
    ` ${APP}/paid`,
    `javascript:location='${APP}/'`,
    '',
  ])('return to %s', async (url) => {
    const token = await tokenOf()
    for (const name of ['success_url', 'cancel_url']) {
      const body = await expectProblem(await buy(token, { [name]: url }), 403, 'origin_not_allowed')
      expect(body.detail).toContain(name)
    }
    expect(sessions()).toEqual([])
  })

  it('send values that no checkout accepts', async () => {
    const token = await tokenOf()
    await expectInvalid(await buy(token, { credit_pack_id: 7 }), '/credit_pack_id')
    await expectInvalid(await buy(token, { credit_pack_id: [small] }), '/credit_pack_id')
    await expectInvalid(await buy(token, { success_url: [URLS.success_url] }), '/success_url')
    await expectInvalid(await buy(token, { success_url: `${APP}/ü` }), '/success_url')
    await expectInvalid(await buy(token, { cancel_url: undefined }), '/cancel_url')
    await expectInvalid(await buy(token, { amount: 1 }), '/amount')
    expect((await fromPage(CHECKOUT, token, APP, { body: [{ credit_pack_id: small }] })).status).toBe(400)
    expect((await fromPage(CHECKOUT, token, APP, { body: '{"credit_pack_id":' })).status).toBe(400)
    expect(sessions()).toEqual([])
  })

  it('change packs, read one by its id or page through them', async () => {
    const token = await tokenOf()
    const refusals = [
      fromPage(PACKS, token, APP, { body: { name: 'Free', credits: 1, price_usd: 1 } }),
      fromPage(`${PACKS}/${small}`, token, APP, { method: 'PATCH', body: { price_usd: 0.5 } }),
      fromPage(`${PACKS}/${small}`, token, APP, { method: 'DELETE' }),
      fromPage(`${PACKS}/${small}`, token),
      fromPage(`${PACKS}?limit=1`, token),
      fromPage(`${PACKS}?cursor=x`, token),
      fromPage('/v1/payments', token),
    ]
    for (const refused of await Promise.all(refusals)) await expectProblem(refused, 403, 'insufficient_scope')
  })

  it('be used from another page', async () => {
    const body = { credit_pack_id: small, ...URLS }
    const response = await fromPage(CHECKOUT, await tokenOf(), ELSEWHERE, { body })
    await expectProblem(response, 403, 'origin_not_allowed')
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull()
    expect(sessions()).toEqual([])
  })

  it('open more than ten unpaid checkouts of its wallet', async () => {
    const token = await tokenOf()
    for (let opened = 0; opened < 10; opened++) await bought(token)
    const full = await buy(token)
    await expectProblem(full, 409, 'too_many_open')
    expect(full.headers.get('Access-Control-Allow-Origin')).toBe(APP)
  })
})

describe('the idempotency keys of portal tokens', () => {
  const once = { 'Idempotency-Key': 'top-up' }

  it('open one checkout, also with the next token of the same wallet', async () => {
    const first = await buy(await tokenOf(), {}, once)
    const again = await buy(await tokenOf({ expires_in_seconds: 900 }), { user_id: 'ann' }, once)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
    expect(sessions()).toHaveLength(1)
    await expectProblem(
      await buy(await tokenOf(), { credit_pack_id: large }, once),
      422,
      'idempotency_mismatch',
    )
  })

  it('belong to one wallet and are separate from those of other wallets and of API keys', async () => {
    const ann = await jsonOf(await buy(await tokenOf(), {}, once))
    const bob = await jsonOf(await buy(await tokenOf({ user_id: 'bob' }), {}, once))
    const team = await jsonOf(await buy(await tokenOf({ user_id: undefined, team_id: 'ann' }), {}, once))
    const body = { credit_pack_id: small, ...URLS, user_id: 'ann' }
    const backend = await jsonOf(await api(CHECKOUT, { key: customer.api_key, body, headers: once }))
    const opened = [ann, bob, team, backend].map(({ payment_id }) => payment_id)
    expect(new Set(opened).size).toBe(4)
    expect(sessions()).toHaveLength(4)
  })
})

describe('a portal token with credit packs ends', () => {
  const uses = (token: string) => [
    () => fromPage(PACKS, token),
    () => buy(token),
    () => buy(token, {}, { 'Idempotency-Key': 'earlier' }),
  ]

  it('at once when the key that made it is deleted, for repeated requests too', async () => {
    const { api_key, key_id } = await createKey(customer.customer_id)
    const token = await tokenOf({}, api_key)
    expect((await buy(token, {}, { 'Idempotency-Key': 'earlier' })).status).toBe(201)
    await revokeApiKey(env, customer.customer_id, key_id, Date.now())
    for (const use of uses(token)) await expectProblem(await use(), 401, 'revoked_api_key')
    expect(sessions()).toHaveLength(1)
  })

  it('at once when its customer is suspended', async () => {
    const token = await tokenOf()
    expect((await buy(token, {}, { 'Idempotency-Key': 'earlier' })).status).toBe(201)
    await api(`/v1/admin/customers/${customer.customer_id}`, {
      key: OPERATOR_TOKEN,
      method: 'PATCH',
      body: { status: 'SUSPENDED' },
    })
    for (const use of uses(token)) await expectProblem(await use(), 403, 'customer_suspended')
  })

  it('at its time', async () => {
    const token = await tokenOf({ expires_in_seconds: 60 })
    vi.setSystemTime(Date.now() + 60_000)
    for (const use of uses(token)) await expectProblem(await use(), 401, 'expired_api_key')
  })
})

it('a request with a portal token counts once, although it asks the ledger twice', async () => {
  const token = await tokenOf()
  await granted(customer.api_key, { user_id: 'ann', amount: 1 })
  const response = await buy(token)
  expect(response.headers.get('RateLimit')).toContain('r=59;')
})

describe('POST /v1/portal-tokens with credit_pack_ids', () => {
  it('requires the scope credits:write too', async () => {
    const weak = await createKey(customer.customer_id, { scopes: ['portal:write', 'credits:read'] })
    const refused = await make(weak.api_key, { user_id: 'ann', credit_pack_ids: [small] })
    const body = await expectProblem(refused, 403, 'insufficient_scope')
    expect(body.detail).toContain('credits:write')
    const strong = await createKey(customer.customer_id, { scopes: ['portal:write', 'credits:write'] })
    expect((await make(strong.api_key, { user_id: 'ann', credit_pack_ids: [small] })).status).toBe(201)
  })

  it('refuses packs that the ledger does not have, of another customer too', async () => {
    const other = await createCustomer()
    const foreign = await packOf(other.api_key, 'Foreign', 1, 1)
    for (const id of [foreign, 'pack_unknown', '']) {
      const refused = await make(customer.api_key, { user_id: 'ann', credit_pack_ids: [small, id] })
      const body = await expectProblem(refused, 404, 'not_found')
      expect(body.detail).toContain(id)
    }
  })

  it.each([
    ['none', []],
    ['one twice', ['pack_a', 'pack_a']],
    ['more than ten', Array.from({ length: 11 }, (_, i) => `pack_${i}`)],
  ])('refuses %s', async (_, credit_pack_ids) => {
    await expectInvalid(await make(customer.api_key, { user_id: 'ann', credit_pack_ids }), '/credit_pack_ids')
  })

  it('fits the longest token into the limit of its text', async () => {
    const ids = await Promise.all(
      Array.from({ length: 10 }, (_, i) => packOf(customer.api_key, `Pack ${i}`, 1, 1)),
    )
    const origins = Array.from(
      { length: 10 },
      (_, i) => `https://${`${i}`.repeat(60)}.${'a'.repeat(178)}.example`,
    )
    const user_id = '🦊'.repeat(255)
    const made = await make(customer.api_key, { user_id, origins, credit_pack_ids: ids })
    const token = textField(await jsonOf(made), 'token')
    const { data } = await read(token, PACKS)
    expect(objects(data)).toHaveLength(10)
  })
})
