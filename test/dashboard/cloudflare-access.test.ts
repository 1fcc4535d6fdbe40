import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { AccessKeys } from '../../src/dashboard/cloudflare-access/keys.ts'
import { SESSION_MS } from '../../src/dashboard/sessions.ts'
import { jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'
import { fromDashboard, ORIGIN, signIn } from './support.ts'

const TEAM = 'team.cloudflareaccess.com'
const CERTS = `https://${TEAM}/cdn-cgi/access/certs`
const AUD = 'a1'.repeat(32)
const EMAIL = 'ada@example.com'
const RS256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

interface Pair {
  readonly kid: string
  readonly keys: CryptoKeyPair
}

let current: Pair
let next: Pair

beforeAll(async () => {
  current = await newPair('current')
  next = await newPair('next')
})

/**
 * The response from the simulated certs endpoint of Cloudflare Access. `requests` counts the requests to it. All other
 * outgoing requests of the Worker fail.
 */
let certs: () => Response | Promise<Response>
let requests = 0

beforeEach(async () => {
  requests = 0
  await serve(current)
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
    requests += 1
    if (String(input) !== CERTS) throw new Error(`a request to ${String(input)}`)
    return certs()
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

describe('an operator whom Cloudflare Access names', () => {
  it('is offered the sign-in, and gets a session of the operator that the audit log names', async () => {
    const fetch = worker()
    const headers = await assertion()
    expect(await jsonOf(await fromDashboard('/session', { fetch, headers }))).toMatchObject({
      session: null,
      access: { email: EMAIL, problem: null },
    })
    const session = await signInByAccess(fetch, headers)
    expect(await jsonOf(await fromDashboard('/session', { fetch, session }))).toMatchObject({
      session: { kind: 'operator', email: EMAIL },
    })
    expect((await fromDashboard('/v1/admin/stats', { fetch, session })).status).toBe(200)
    await expectProblem(
      await fromDashboard('/v1/credits/balance', { fetch, session }),
      401,
      'invalid_api_key',
    )

    const { customer_id } = await createCustomer()
    const change = { method: 'PATCH', body: { tier: 'GROWTH' }, fetch, session }
    expect((await fromDashboard(`/v1/admin/customers/${customer_id}`, change)).status).toBe(200)
    const by = encodeURIComponent(`operator:${EMAIL}`)
    const log = await fromDashboard(`/v1/admin/audit?customer_id=${customer_id}&actor=${by}`, {
      fetch,
      session,
    })
    expect(await jsonOf(log)).toMatchObject({ data: [{ action: 'customers.change', target: customer_id }] })
    expect(requests).toBe(1)
  })

  it('has a session as long as the assertion, and at most twelve hours', async () => {
    const fetch = worker()
    const ends = Math.floor(Date.now() / 1_000) + 600
    for (const [exp, most_s] of [
      [ends, 600],
      [ends + 90_000, SESSION_MS / 1_000],
    ] as const) {
      const headers = await assertion({ exp })
      const response = await fromDashboard('/session', { fetch, headers, body: { access: true } })
      const [, age = ''] = /Max-Age=(\d+)/.exec(response.headers.get('Set-Cookie') ?? '') ?? []
      expect(Number(age)).toBeLessThanOrEqual(most_s)
      expect(Number(age)).toBeGreaterThan(most_s - 60)
    }
  })

  it('loses the session when the deployment has another application, or none', async () => {
    const session = await signInByAccess(worker(), await assertion())
    for (const variables of [{ ACCESS_AUD: 'b2'.repeat(32) }, { ACCESS_AUD: '', ACCESS_TEAM_DOMAIN: '' }]) {
      const read = await fromDashboard('/v1/admin/audit', { fetch: worker(variables), session })
      await expectProblem(read, 401, 'invalid_api_key')
    }
    expect((await fromDashboard('/v1/admin/audit', { fetch: worker(), session })).status).toBe(200)
  })

  it('is not signed in by a page of another origin', async () => {
    const fetch = worker()
    const headers = await assertion()
    for (const origin of [null, 'https://evil.example', 'null']) {
      const response = await fromDashboard('/session', { fetch, headers, origin, body: { access: true } })
      await expectProblem(response, 403, 'origin_not_allowed')
      expect(response.headers.has('Set-Cookie')).toBe(false)
    }
  })

  it('needs the session: the assertion alone opens no route', async () => {
    const fetch = worker()
    const headers = await assertion()
    await expectProblem(await fromDashboard('/v1/admin/stats', { fetch, headers }), 401, 'missing_api_key')
    const direct = await fetch(new Request(`${ORIGIN}/v1/admin/stats`, { headers }))
    await expectProblem(direct, 401, 'missing_api_key')
  })
})

describe('an assertion is refused', () => {
  const now_s = () => Math.floor(Date.now() / 1_000)
  it.each<[string, () => Promise<string>, RegExp]>([
    ['that has expired', () => jwt({ exp: now_s() - 1 }), /has expired/],
    ['that is not valid yet', () => jwt({ nbf: now_s() + 120 }), /not valid yet/],
    ['for another application', () => jwt({ aud: ['c3'.repeat(32)] }), /another application/],
    ['of another team', () => jwt({ iss: 'https://evil.cloudflareaccess.com' }), /another team/],
    ['without an expiry', () => jwt({ exp: undefined }), /claims/],
    ['of a service token', () => jwt({ email: undefined, common_name: 'ci' }), /contains no valid email/],
    ['with a text that is no email', () => jwt({ email: 'operator\nadmin' }), /contains no valid email/],
    [
      'without a signature',
      () => jwt({}, { alg: 'none' }).then((text) => text.replace(/[^.]+$/, '')),
      /not a JWT/,
    ],
    ['with alg none', () => jwt({}, { alg: 'none' }), /RS256/],
    ['with alg HS256 and the public key as its secret', () => signedByPublicKey(), /RS256/],
    ['with an extension that must be known', () => jwt({}, { crit: ['b64'] }), /RS256/],
    ['of an unknown key', () => jwt({}, { kid: 'unknown' }), /not signed with a key/],
    ['signed by another key of the same id', () => jwt({}, {}, { ...next, kid: current.kid }), /signature/],
    ['with changed claims', () => changed(), /signature/],
    ['that is too long', () => jwt({ padding: 'x'.repeat(9_000) }), /too long/],
    ['that is no JWT', async () => 'a.b', /not a JWT/],
  ])('%s', async (_, make, reason) => {
    const fetch = worker()
    const headers = { 'Cf-Access-Jwt-Assertion': await make() }
    const response = await fromDashboard('/session', { fetch, headers, body: { access: true } })
    expect(response.headers.has('Set-Cookie')).toBe(false)
    expect(await expectProblem(response, 401, 'invalid_api_key')).toMatchObject({
      detail: expect.stringMatching(reason),
    })
    expect(await jsonOf(await fromDashboard('/session', { fetch, headers }))).toMatchObject({
      access: { email: null, problem: expect.stringMatching(reason) },
    })
  })

  it('that is missing', async () => {
    const response = await fromDashboard('/session', { fetch: worker(), body: { access: true } })
    await expectProblem(response, 401, 'missing_api_key')
  })
})

describe('the keys of a team', () => {
  it('are not read where Cloudflare Access is not configured', async () => {
    const fetch = worker({ ACCESS_TEAM_DOMAIN: '', ACCESS_AUD: '' })
    const headers = await assertion()
    expect(await jsonOf(await fromDashboard('/session', { fetch, headers }))).toMatchObject({ access: null })
    const response = await fromDashboard('/session', { fetch, headers, body: { access: true } })
    await expectProblem(response, 401, 'missing_api_key')
    expect(requests).toBe(0)
  })

  it('are read again for an unknown id, at most once a minute', async () => {
    const keys = new AccessKeys(TEAM)
    expect(await keys.find('current', 0)).toBeInstanceOf(CryptoKey)
    await serve(current, next)
    expect(await keys.find('next', 59_999)).toBeUndefined()
    expect(requests).toBe(1)
    expect(await keys.find('next', 60_000)).toBeInstanceOf(CryptoKey)
    for (let i = 0; i < 20; i++) expect(await keys.find(`invented-${i}`, 60_001 + i)).toBeUndefined()
    expect(requests).toBe(2)
  })

  it('are forgotten after a rotation without them', async () => {
    const keys = new AccessKeys(TEAM)
    await keys.find('current', 0)
    await serve(next)
    expect(await keys.find('current', 3_599_999)).toBeInstanceOf(CryptoKey)
    expect(await keys.find('current', 3_600_000)).toBeUndefined()
    expect(await keys.find('next', 3_600_001)).toBeInstanceOf(CryptoKey)
    expect(requests).toBe(2)
  })

  it('are used for a day while they cannot be read', async () => {
    const keys = new AccessKeys(TEAM)
    await keys.find('current', 0)
    certs = () => new Response('', { status: 500 })
    expect(await keys.find('current', 86_399_999)).toBeInstanceOf(CryptoKey)
    expect(await keys.find('current', 86_460_000)).toBe('unavailable')
  })

  it('are read once by many requests at a time', async () => {
    const keys = new AccessKeys(TEAM)
    const found = await Promise.all(Array.from({ length: 10 }, () => keys.find('current', 0)))
    for (const key of found) expect(key).toBeInstanceOf(CryptoKey)
    expect(requests).toBe(1)
  })

  const jwk = { kid: 'k', kty: 'RSA', n: 'A'.repeat(342), e: 'AQAB' }
  it.each<[string, () => Response | Promise<Response>]>([
    ['the endpoint is down', () => Promise.reject(new Error('connection refused'))],
    ['it returns an error', () => new Response('{"keys":[]}', { status: 503 })],
    ['it leads elsewhere', () => Response.redirect('https://evil.example/certs', 302)],
    ['it returns no JSON', () => new Response('<html>')],
    ['it has no key', () => Response.json({ keys: [] })],
    ['it has too many keys', () => Response.json({ keys: Array.from({ length: 21 }, () => jwk) })],
    ['a key is short', () => Response.json({ keys: [{ ...jwk, n: 'A'.repeat(171) }] })],
    ['a key is symmetric', () => Response.json({ keys: [{ kid: 'k', kty: 'oct', k: 'AAAA' }] })],
    ['the response is oversized', () => Response.json({ keys: [jwk], padding: 'x'.repeat(70_000) })],
  ])('are missing while %s, and the operator token still signs in', async (_, answer) => {
    certs = answer
    const fetch = worker()
    const headers = await assertion()
    const response = await fromDashboard('/session', { fetch, headers, body: { access: true } })
    expect(response.headers.has('Set-Cookie')).toBe(false)
    await expectProblem(response, 503, 'unavailable')
    expect(await jsonOf(await fromDashboard('/session', { fetch, headers }))).toMatchObject({
      access: { email: null, problem: expect.stringContaining('Try again in a minute') },
    })
    expect(requests).toBe(1)
    expect(await signIn(String(env.OPERATOR_TOKEN), { fetch, headers })).toHaveLength(43)
  })
})

it('a half or wrong configuration is refused', () => {
  expect(() => readConfig({ ACCESS_TEAM_DOMAIN: TEAM })).toThrow('Set both')
  expect(() => readConfig({ ACCESS_AUD: AUD })).toThrow('Set both')
  for (const team of ['https://team.cloudflareaccess.com', 'team', 'team.test/path', 'a:b@team.test'])
    expect(() => readConfig({ ACCESS_TEAM_DOMAIN: team, ACCESS_AUD: AUD })).toThrow('must be a host')
  expect(() => readConfig({ ACCESS_TEAM_DOMAIN: TEAM, ACCESS_AUD: 'mine' })).toThrow('64 hexadecimal digits')
  expect(readConfig({}).access).toBeNull()
})

/** Returns the fetch function of a new Worker with Cloudflare Access and without cached keys. */
function worker(variables: Partial<typeof env> = {}): (request: Request) => Promise<Response> {
  const app = createApp()
  const bindings = { ...env, ACCESS_TEAM_DOMAIN: TEAM, ACCESS_AUD: AUD, ...variables }
  return async (request) =>
    app.fetch(request, bindings, { waitUntil() {}, passThroughOnException() {}, props: {} })
}

async function signInByAccess(
  fetch: ReturnType<typeof worker>,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const response = await fromDashboard('/session', { fetch, headers, body: { access: true } })
  expect(response.status).toBe(201)
  const [, token = ''] = /^__Host-om_session=([^;]+);/.exec(response.headers.get('Set-Cookie') ?? '') ?? []
  return token
}

async function newPair(kid: string): Promise<Pair> {
  const algorithm = { ...RS256, modulusLength: 2_048, publicExponent: new Uint8Array([1, 0, 1]) }
  return {
    kid,
    keys: (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair,
  }
}

/** Makes the certs endpoint return the public keys of these pairs. */
async function serve(...pairs: readonly Pair[]): Promise<void> {
  const keys = await Promise.all(
    pairs.map(async ({ kid, keys: { publicKey } }) => {
      const exported = (await crypto.subtle.exportKey('jwk', publicKey)) as JsonWebKey
      return { kid, kty: 'RSA', alg: 'RS256', use: 'sig', e: exported.e, n: exported.n }
    }),
  )
  certs = () => Response.json({ keys, public_cert: {}, public_certs: [] })
}

async function assertion(claims: object = {}): Promise<Readonly<Record<string, string>>> {
  return { 'Cf-Access-Jwt-Assertion': await jwt(claims) }
}

async function jwt(claims: object = {}, header: object = {}, by: Pair = current): Promise<string> {
  const text = unsigned(claims, { kid: by.kid, ...header })
  const signature = await crypto.subtle.sign(RS256.name, by.keys.privateKey, Buffer.from(text))
  return `${text}.${Buffer.from(signature).toString('base64url')}`
}

function unsigned(claims: object, header: object): string {
  const now_s = Math.floor(Date.now() / 1_000)
  const body = {
    ...{ aud: [AUD], email: EMAIL, exp: now_s + 3_600, iat: now_s, nbf: now_s, iss: `https://${TEAM}` },
    ...{ type: 'app', sub: '7335d417-61da-459d-899c-0a01c76a2f94', country: 'DE' },
    ...claims,
  }
  return [{ alg: 'RS256', typ: 'JWT', ...header }, body]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
}

/** Returns a forged token for an algorithm confusion attack. Its HMAC signature uses the public key as the secret. */
async function signedByPublicKey(): Promise<string> {
  const text = unsigned({}, { alg: 'HS256', kid: current.kid })
  const spki = (await crypto.subtle.exportKey('spki', current.keys.publicKey)) as ArrayBuffer
  const key = await crypto.subtle.importKey('raw', spki, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', key, Buffer.from(text))
  return `${text}.${Buffer.from(signature).toString('base64url')}`
}

async function changed(): Promise<string> {
  const [head, , signature] = (await jwt()).split('.')
  const [, body] = unsigned({ email: 'eve@example.com' }, {}).split('.')
  return [head, body, signature].join('.')
}
