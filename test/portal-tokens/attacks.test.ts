import { beforeAll, describe, expect, it, vi } from 'vitest'
import { PORTAL_USES } from '../../src/portal-tokens/uses.ts'
import { api, jsonOf } from '../support/api.ts'
import { type Belongings, customerWithEverything, secretsOf, storedOf } from '../support/belongings.ts'
import { granted, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { operations } from '../support/documented.ts'
import { expectProblem } from '../support/problems.ts'
import { fill } from '../support/requests.ts'
import {
  APP,
  BALANCE,
  CHECKOUT,
  ELSEWHERE,
  fromPage,
  PACKS,
  portalToken,
  TRANSACTIONS,
  USAGE,
} from './support.ts'

/**
 * Tests requests with a portal token that must be refused: requests to other routes of the OpenAPI document, for other
 * wallets or from other pages, and requests with a changed token.
 */

let owner: Belongings
/** The portal token of a user with data. `stranger` is the token of a user without data. */
let token = ''
let stranger = ''
beforeAll(async () => {
  owner = await customerWithEverything()
  token = await portalToken(owner.api_key, { user_id: owner.user_id })
  stranger = await portalToken(owner.api_key, { user_id: 'stranger' })
})

const secured = operations.filter(({ operation }) =>
  /"(apiKey|operator)"/.test(JSON.stringify(operation.security)),
)
const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
const READS = [BALANCE, USAGE, TRANSACTIONS]
/** The operations that refuse both portal tokens. Purchases are among them, because the tokens have no credit packs. */
const closed = secured.filter((operation) => !READS.map((path) => `GET ${path}`).includes(nameOf(operation)))
/**
 * The end of the paths of the registration routes. These routes accept the operator token or no token, and treat any
 * API key as a wrong token.
 */
const REGISTRATION = '/customers/register'

it('the document names portal tokens only at the routes that accept them', () => {
  const named = operations.filter(({ operation }) =>
    JSON.stringify(operation.security)?.includes('portalToken'),
  )
  expect(named.map(nameOf).toSorted()).toEqual([...PORTAL_USES.keys()].toSorted())
})

it.each(closed)('$method $path refuses a portal token, and changes nothing', async (operation) => {
  const { method, path } = operation
  const before = await storedOf(owner.customer_id)
  for (const { path: filled, body } of fill(operation, owner).slice(0, 1)) {
    // The registration routes ignore the header X-API-Key, so the token is sent only in Authorization there.
    const places = [
      { key: token },
      ...(path.endsWith(REGISTRATION) ? [] : [{ headers: { 'X-API-Key': token } }]),
    ]
    for (const sent of places) {
      const response = await api(filled, { ...sent, method, ...(body && { body }) })
      const status = path.endsWith(REGISTRATION) ? [401, 403, 409] : [403]
      expect(status, await response.clone().text()).toContain(response.status)
      if (response.status === 403) expect(await response.text()).toContain('portal token')
    }
  }
  expect(await storedOf(owner.customer_id)).toBe(before)
})

it.each(['/gateway/openai/v1/models', '/gateway/anthropic/v1/models', '/gateway/google/v1beta/models'])(
  '%s refuses a portal token where its SDK puts the key',
  async (path) => {
    for (const headers of [
      { Authorization: `Bearer ${token}` },
      { 'x-api-key': token },
      { 'x-goog-api-key': token },
    ]) {
      expect((await deployed({}, path, { headers })).status).toBe(403)
    }
  },
)

it('an unknown path and another method refuse a portal token too', async () => {
  for (const path of ['/v1/nowhere', `${BALANCE}/`, '/v1/credits//balance']) {
    expect([403, 404], path).toContain((await api(path, { key: token })).status)
  }
  expect((await api(BALANCE, { key: token, method: 'POST', body: {} })).status).toBe(405)
})

describe('another wallet', () => {
  const others = ({ user_id, team_id, key_id }: Belongings) => [
    `${BALANCE}?user_id=${user_id}`,
    `${BALANCE}?team_id=${team_id}`,
    `${BALANCE}?user_id=stranger&user_id=${user_id}`,
    `${BALANCE}?us%65r_id=${user_id}`,
    `${BALANCE}?user_id=`,
    `${TRANSACTIONS}?user_id=${user_id}`,
    `${TRANSACTIONS}?user_id=stranger&team_id=${team_id}`,
    `${USAGE}?user=${user_id}`,
    `${USAGE}?user=stranger&user=${user_id}`,
    `${USAGE}?team=${team_id}`,
    `${USAGE}?key=${key_id}`,
    `${USAGE}?key_id=${key_id}`,
    `${USAGE}?group_by=user`,
    `${USAGE}?group_by=day,team`,
    `${USAGE}?group_by=day&group_by=key`,
  ]

  it('is refused under each of its names', async () => {
    for (const path of others(owner)) {
      const body = await expectProblem(await api(path, { key: stranger }), 403, 'insufficient_scope')
      expect(body.detail, path).toMatch(/portal token/i)
    }
  })

  it('is in no response to a request that has a token and names no wallet', async () => {
    for (const path of READS) {
      const text = await (await api(path, { key: stranger })).text()
      // Ignores the customer's id, because the token itself contains it.
      const seen = secretsOf(owner).filter((secret) => secret !== owner.customer_id && text.includes(secret))
      expect(seen, path).toEqual([])
    }
  })

  it('of the same user id at another customer is another wallet', async () => {
    const other = await createCustomer()
    await granted(other.api_key, { user_id: owner.user_id, amount: 3 })
    const key = await portalToken(other.api_key, { user_id: owner.user_id })
    expect(await read(key, BALANCE)).toMatchObject({ balance: 3, customer_id: other.customer_id })
  })

  it('of a team with the id of the user is another wallet', async () => {
    await granted(owner.api_key, { team_id: owner.user_id, amount: 4 })
    const key = await portalToken(owner.api_key, { team_id: owner.user_id })
    expect(await read(key, BALANCE)).toMatchObject({ balance: 4 })
    await expectProblem(await api(`${BALANCE}?user_id=${owner.user_id}`, { key }), 403, 'insufficient_scope')
  })
})

describe('a changed token', () => {
  const parts = () => {
    const [, claims = '', mac = ''] = /^om_portal_(.+)\.(.+)$/.exec(token) ?? []
    return { claims, mac }
  }
  const encoded = (claims: unknown) => Buffer.from(JSON.stringify(claims)).toString('base64url')

  it('is refused if any of its characters differs', async () => {
    for (let at = 'om_portal_'.length; at < token.length; at += 7) {
      const other = token[at] === 'A' ? 'B' : 'A'
      const response = await api(BALANCE, { key: token.slice(0, at) + other + token.slice(at + 1) })
      await expectProblem(response, 401, 'invalid_api_key')
    }
  })

  it('is refused with other claims, without a signature, and with more than one', async () => {
    const { claims, mac } = parts()
    const known: object = JSON.parse(Buffer.from(claims, 'base64url').toString())
    const forged = encoded({ ...known, owner: { kind: 'customer' } })
    for (const key of [
      `om_portal_${forged}.${mac}`,
      `om_portal_${forged}`,
      `om_portal_${forged}.`,
      `om_portal_${claims}.${mac}.${mac}`,
      `om_portal_${claims}.${mac}=`,
      'om_portal_',
      `om_portal_${'A'.repeat(10_000)}.${mac}`,
    ]) {
      await expectProblem(await api(BALANCE, { key }), 401, 'invalid_api_key')
    }
  })

  it('has only one text, because the unused bits of its last character count, too', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const accepted = await Promise.all(
      [...alphabet].map(async (last) => (await api(BALANCE, { key: token.slice(0, -1) + last })).status),
    )
    expect(accepted.filter((status) => status === 200)).toHaveLength(1)
  })

  it('is refused beside an API key', async () => {
    const headers = { 'X-API-Key': owner.api_key }
    await expectProblem(await api(BALANCE, { key: token, headers }), 401, 'invalid_api_key')
  })
})

describe('the secrets of the deployment', () => {
  const OLD = 'o'.repeat(32)
  const NEW = 'n'.repeat(32)
  const at = { ENVIRONMENT: 'staging' }
  const draft = { user_id: 'ada', expires_in_seconds: 60, origins: [APP] }
  const makeWith = async (secrets: object) => {
    const response = await deployed({ ...at, ...secrets }, '/v1/portal-tokens', {
      key: owner.api_key,
      body: draft,
    })
    return String((await jsonOf(response)).token)
  }
  const statusWith = async (secrets: object, key: string) =>
    (await deployed({ ...at, ...secrets }, TRANSACTIONS, { key })).status

  it('can be replaced without ending a token, and end all tokens when they are removed', async () => {
    const old = await makeWith({ PORTAL_TOKEN_SECRET: OLD })
    const after = { PORTAL_TOKEN_SECRET: NEW, PORTAL_TOKEN_SECRET_NEXT: OLD }
    expect(await statusWith({ PORTAL_TOKEN_SECRET: OLD, PORTAL_TOKEN_SECRET_NEXT: NEW }, old)).toBe(200)
    expect(await statusWith(after, old)).toBe(200)
    expect(
      await statusWith({ PORTAL_TOKEN_SECRET: OLD, PORTAL_TOKEN_SECRET_NEXT: NEW }, await makeWith(after)),
    ).toBe(200)
    expect(await statusWith({ PORTAL_TOKEN_SECRET: NEW }, old)).toBe(401)
  })

  it('exclude the development value outside development', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(await statusWith({}, token)).toBe(401)
    expect(log.mock.calls.join()).toContain('portal_token_secret_refused')
    log.mockRestore()
  })
})

describe('the pages that may use a token', () => {
  const allowed = (response: Response) => response.headers.get('Access-Control-Allow-Origin')

  it('are those of its origins: every response, even an error, allows exactly that origin', async () => {
    for (const path of READS) {
      const response = await fromPage(path, token)
      expect([response.status, allowed(response)]).toEqual([200, APP])
      expect(response.headers.get('Vary')).toContain('Origin')
      expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Retry-After')
      expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
    }
    const refused = await fromPage(`${BALANCE}?user_id=bob`, token)
    expect([refused.status, allowed(refused)]).toEqual([403, APP])
  })

  it.each([
    ELSEWHERE,
    'null',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://APP.example.com',
    'https://app.example.com.evil.example',
    '*',
  ])('exclude %s, which gets a 403', async (origin) => {
    for (const path of READS) {
      const response = await fromPage(path, token, origin)
      await expectProblem(response, 403, 'origin_not_allowed')
      expect(allowed(response)).toBeNull()
    }
  })

  it('are not the origins of CORS_ORIGINS, and not every page if it is *', async () => {
    for (const CORS_ORIGINS of ['*', ELSEWHERE]) {
      const headers = { Origin: ELSEWHERE }
      const other = await deployed({ CORS_ORIGINS }, BALANCE, { key: token, headers })
      expect([other.status, allowed(other)]).toEqual([403, null])
      const own = await deployed({ CORS_ORIGINS }, BALANCE, { key: token, headers: { Origin: APP } })
      expect([own.status, allowed(own)]).toEqual([200, APP])
      const forged = await deployed({ CORS_ORIGINS }, BALANCE, { key: `${token}x`, headers })
      expect([forged.status, allowed(forged)]).toEqual([401, null])
    }
  })

  it('may read that their token has expired', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    const response = await fromPage(BALANCE, token)
    vi.useRealTimers()
    await expectProblem(response, 401, 'expired_api_key')
    expect(allowed(response)).toBe(APP)
  })

  it('get a response to their preflight, which has no token yet, for its uses and nothing else', async () => {
    const preflight = (path: string, method: string) =>
      api(path, {
        method: 'OPTIONS',
        headers: { Origin: APP, 'Access-Control-Request-Method': method },
      })
    for (const path of READS) {
      const response = await preflight(path, 'GET')
      expect([response.status, allowed(response)]).toEqual([204, APP])
      expect(response.headers.get('Access-Control-Allow-Methods')).toBe('GET')
      expect(response.headers.get('Access-Control-Allow-Headers')).toContain('Authorization')
      expect(allowed(await preflight(path, 'DELETE'))).toBeNull()
    }
    for (const path of ['/v1/credits/grant', '/v1/events', '/v1/portal-tokens', CHECKOUT]) {
      expect(allowed(await preflight(path, 'GET')), path).toBeNull()
    }
    const post = await preflight(CHECKOUT, 'POST')
    expect([post.status, allowed(post)]).toEqual([204, APP])
    expect(post.headers.get('Access-Control-Allow-Methods')).toBe('POST')
    expect(post.headers.get('Access-Control-Allow-Headers')).toContain('Content-Type')
    expect(post.headers.get('Access-Control-Allow-Headers')).toContain('Idempotency-Key')
    for (const path of [PACKS, BALANCE]) expect(allowed(await preflight(path, 'POST')), path).toBeNull()
  })

  it('cannot use an API key after the preflight of a portal token', async () => {
    const response = await fromPage(BALANCE, owner.api_key)
    expect(allowed(response)).toBeNull()
  })
})
