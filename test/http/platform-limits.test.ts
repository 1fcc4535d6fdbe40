import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { composeApiKey } from '../../src/api-keys/authentication/format.ts'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import type { Bindings } from '../../src/bindings.ts'
import { networkOf } from '../../src/http/middleware/platform-limits.ts'
import { newId } from '../../src/ids.ts'
import type { ApiOptions } from '../support/api.ts'
import { GPT_4O } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique, uniqueEmail } from '../support/customers.ts'
import { d1Double } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { createKey } from '../support/keys.ts'
import { rateHeaders } from '../support/limits.ts'
import { expectProblem } from '../support/problems.ts'

/**
 * A simulated rate limiter that admits each key `allowed` times. Only the last test uses the real rate limiter of the
 * platform.
 */
class Limiter implements RateLimit {
  readonly keys: string[] = []
  private readonly allowed: number

  constructor(allowed: number) {
    this.allowed = allowed
  }

  async limit({ key }: RateLimitOptions): Promise<RateLimitOutcome> {
    this.keys.push(key)
    return { success: this.keys.filter((other) => other === key).length <= this.allowed }
  }
}

const OPEN: Partial<Bindings> = {}
const BALANCE = '/v1/credits/balance'
const ADDRESS = '203.0.113.7'

/** Returns a well-formed API key that does not exist. */
function unknownKey(): string {
  return composeApiKey('live', newId('key'), crypto.getRandomValues(new Uint8Array(32)))
}

function registration(): ApiOptions {
  return { body: { name: 'Stranger', email: uniqueEmail() } }
}

function from(address: string, options: ApiOptions = {}): ApiOptions {
  return { ...options, headers: { ...options.headers, 'CF-Connecting-IP': address } }
}

/** Returns a D1 database that counts its queries. */
function countingD1(): { readonly db: D1Database; asked: () => number } {
  let asked = 0
  const db = d1Double({
    prepare: (query: string) => {
      asked++
      return env.DB.prepare(query)
    },
  })
  return { db, asked: () => asked }
}

beforeEach(() => forgetCachedKeys())

describe('without a valid key', () => {
  const strangers: readonly (readonly [string, string, () => ApiOptions, number])[] = [
    ['no key', BALANCE, () => ({}), 401],
    ['a broken key', BALANCE, () => ({ key: 'om_live_nonsense' }), 401],
    ['an unknown key', BALANCE, () => ({ key: unknownKey() }), 401],
    ['two keys', BALANCE, () => ({ key: 'a', headers: { 'X-API-Key': 'b' } }), 401],
    ['no key for a write', '/v1/events/ingest', () => ({ body: GPT_4O }), 401],
    ['no token for the operator', '/v1/admin/provider-costs', () => ({}), 401],
    ['a wrong token of the operator', '/v1/admin/provider-costs', () => ({ key: 'wrong' }), 401],
    ['a registration', '/v1/customers/register', registration, 201],
    [
      'a registration with a wrong token',
      '/v1/customers/register',
      () => ({ key: 'wrong', method: 'POST' }),
      401,
    ],
    ['a broken registration', '/v1/customers/register', () => ({ body: {} }), 400],
  ]

  it.each(strangers)(
    '%s gets its own status up to the limit, and then 429',
    async (_, path, options, status) => {
      const limits = { IP_LIMIT: new Limiter(2) }
      expect((await deployed(limits, path, from(ADDRESS, options()))).status).toBe(status)
      expect((await deployed(limits, path, from(ADDRESS, options()))).status).toBe(status)
      const refused = await deployed(limits, path, from(ADDRESS, options()))
      expect(rateHeaders(refused)).toEqual({ policy: null, rate: null, retry_after: '60' })
      await expectProblem(refused, 429, 'rate_limited')
      // Each request counts once against the limit, although it can look up several keys.
      expect(limits.IP_LIMIT.keys).toEqual([ADDRESS, ADDRESS, ADDRESS])
      expect((await deployed(limits, path, from('203.0.113.8', options()))).status).toBe(status)
    },
  )

  it('a deleted key and an expired key are not valid keys', async () => {
    const { customer_id } = await createCustomer()
    const expired = await createKey(customer_id, { expires_at_ms: 1 })
    const limits = { IP_LIMIT: new Limiter(1) }
    const first = await deployed(limits, BALANCE, from(ADDRESS, { key: expired.api_key }))
    await expectProblem(first, 401, 'expired_api_key')
    const second = await deployed(limits, BALANCE, from(ADDRESS, { key: expired.api_key }))
    await expectProblem(second, 429, 'rate_limited')
  })

  it('D1 gets no more look-ups of keys than the number of requests that an IP address can send', async () => {
    const { db, asked } = countingD1()
    const limits = { IP_LIMIT: new Limiter(3), DB: db }
    for (let count = 0; count < 20; count++) {
      await deployed(limits, BALANCE, from(ADDRESS, { key: unknownKey() }))
    }
    expect(asked()).toBe(3)
  })

  it('KV gets no more look-ups of keys than the flood limit allows', async () => {
    let asked = 0
    const kv: KVNamespace = Object.create(env.API_KEYS, {
      get: {
        value: async () => {
          asked++
          return null
        },
      },
    })
    const limits = { LOOKUP_SHIELD: new Limiter(4), API_KEYS: kv }
    const statuses: number[] = []
    for (let count = 0; count < 10; count++) {
      const response = await deployed(limits, BALANCE, from(ADDRESS, { key: unknownKey() }))
      statuses.push(response.status)
    }
    expect(statuses).toEqual([...Array(4).fill(401), ...Array(6).fill(429)])
    // Four look-ups are allowed, and each reads two KV entries: the record of the key and the epoch of the operator.
    expect(asked).toBe(8)
  })

  it('an address is a network of IPv6, and all local requests are one', async () => {
    const limits = { IP_LIMIT: new Limiter(1) }
    await deployed(limits, BALANCE, from('2001:db8:1:2::1'))
    expect((await deployed(limits, BALANCE, from('2001:db8:1:2:ffff::9'))).status).toBe(429)
    expect((await deployed(limits, BALANCE, from('2001:db8:1:3::1'))).status).toBe(401)
    expect((await deployed(limits, BALANCE)).status).toBe(401)
    expect((await deployed(limits, BALANCE)).status).toBe(429)
    // Outside Cloudflare, any client can set the header `CF-Connecting-IP`, so a value that is not an IP address is
    // ignored.
    expect((await deployed(limits, BALANCE, from('x'.repeat(9000)))).status).toBe(429)
  })
})

describe('exempt', () => {
  it('is a valid key, at any address that has used up its minute', async () => {
    const { api_key } = await createCustomer()
    const limits = { IP_LIMIT: new Limiter(0) }
    for (let count = 0; count < 3; count++) {
      const response = await deployed(limits, BALANCE, from(ADDRESS, { key: api_key }))
      expect(response.status).toBe(200)
    }
    expect(limits.IP_LIMIT.keys).toEqual([])
  })

  it('is the operator, even at registration', async () => {
    const limits = { IP_LIMIT: new Limiter(0), LOOKUP_SHIELD: new Limiter(0) }
    const listed = await deployed(limits, '/v1/admin/provider-costs', from(ADDRESS, { key: OPERATOR_TOKEN }))
    expect(listed.status).toBe(200)
    const registered = await deployed(
      limits,
      '/v1/customers/register',
      from(ADDRESS, { key: OPERATOR_TOKEN, ...registration() }),
    )
    expect(registered.status).toBe(201)
    expect(limits.IP_LIMIT.keys).toEqual([])
  })

  it.each(['/health', '/ready'])('is %s', async (path) => {
    const closed = new Limiter(0)
    const limits = { IP_LIMIT: closed, LOOKUP_SHIELD: closed, SHIELD_STARTER: closed }
    expect((await deployed(limits, path, from(ADDRESS))).status).toBe(200)
    expect(closed.keys).toEqual([])
  })
})

describe('the flood limit of a customer', () => {
  it('is that of its tier, separately for live and test keys', async () => {
    const { api_key, customer_id } = await createCustomer({ tier: 'GROWTH' })
    const test = await createKey(customer_id, { mode: 'test' })
    const limits = {
      SHIELD_STARTER: new Limiter(0),
      SHIELD_GROWTH: new Limiter(2),
      SHIELD_ENTERPRISE: new Limiter(0),
    }
    const status = async (key: string, path = BALANCE) => (await deployed(limits, path, { key })).status
    expect([await status(api_key), await status(api_key)]).toEqual([200, 200])
    const refused = await deployed(limits, BALANCE, { key: api_key })
    expect(rateHeaders(refused)).toEqual({ policy: null, rate: null, retry_after: '60' })
    await expectProblem(refused, 429, 'rate_limited')
    // The flood limit also applies to routes that call no ledger object.
    expect(await status(api_key, '/v1/customers/me')).toBe(429)
    expect(await status(api_key, '/v1/rating/pricing')).toBe(429)
    expect(await status(test.api_key)).not.toBe(429)
    expect(limits.SHIELD_GROWTH.keys).toContain(`${customer_id}:live`)
    expect(limits.SHIELD_GROWTH.keys).toContain(`${customer_id}:test`)
  })

  it('runs before any I/O if the isolate has cached the key', async () => {
    const { api_key } = await createCustomer()
    await deployed(OPEN, BALANCE, { key: api_key })
    const { db, asked } = countingD1()
    const kv: KVNamespace = Object.create(env.API_KEYS, {
      get: {
        value: () => {
          throw new Error('KV was asked')
        },
      },
    })
    const refused = await deployed({ DB: db, API_KEYS: kv, SHIELD_ENTERPRISE: new Limiter(0) }, BALANCE, {
      key: api_key,
    })
    expect(refused.status).toBe(429)
    expect(asked()).toBe(0)
  })

  it('cannot be used up by an attacker who knows the id of a key', async () => {
    const { api_key, customer_id } = await createCustomer()
    const { key_id } = await createKey(customer_id)
    const limits = { SHIELD_ENTERPRISE: new Limiter(3), IP_LIMIT: new Limiter(100) }
    for (let count = 0; count < 10; count++) {
      const forged = composeApiKey('live', key_id, crypto.getRandomValues(new Uint8Array(32)))
      expect((await deployed(limits, BALANCE, from(ADDRESS, { key: forged }))).status).toBe(401)
    }
    expect((await deployed(limits, BALANCE, { key: api_key })).status).toBe(200)
  })
})

describe('a limiter', () => {
  it('that is not bound limits no request', async () => {
    const { api_key } = await createCustomer()
    const none = Object.fromEntries(
      ['IP_LIMIT', 'LOOKUP_SHIELD', 'SHIELD_STARTER', 'SHIELD_GROWTH', 'SHIELD_ENTERPRISE'].map((name) => [
        name,
        undefined,
      ]),
    )
    expect((await deployed(none, BALANCE, { key: api_key })).status).toBe(200)
    expect((await deployed(none, BALANCE)).status).toBe(401)
    expect((await deployed(none, BALANCE, { key: unknownKey() })).status).toBe(401)
  })

  it('that fails limits no request', async () => {
    const { api_key } = await createCustomer()
    const broken: RateLimit = {
      limit: async () => {
        throw new Error('internal error of the platform')
      },
    }
    const limits = { IP_LIMIT: broken, LOOKUP_SHIELD: broken, SHIELD_ENTERPRISE: broken }
    expect((await deployed(limits, BALANCE, { key: api_key })).status).toBe(200)
    expect((await deployed(limits, BALANCE)).status).toBe(401)
  })

  it('of the platform refuses some of 7 requests at a limit of 3 a minute, at any time of the minute', async () => {
    const address = `198.51.100.${1 + Math.floor(Math.random() * 250)}`
    const statuses: number[] = []
    for (let count = 0; count < 7; count++) {
      const response = await deployed({ IP_LIMIT: env.LIMIT_OF_3 }, BALANCE, from(address))
      statuses.push(response.status)
    }
    expect(statuses.slice(0, 3)).toEqual([401, 401, 401])
    expect(statuses).toContain(429)
    const other = await deployed({ IP_LIMIT: env.LIMIT_OF_3 }, BALANCE, from(unique('192.0.2').slice(0, 9)))
    expect(other.status).toBe(401)
  })
})

describe('the network of an address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:02::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['::ffff:203.0.113.7', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:203.0.113.7', '1:2:3:4::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})
