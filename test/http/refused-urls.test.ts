import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api } from '../support/api.ts'
import { expectInvalid } from '../support/client.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer } from '../support/customers.ts'
import { REFUSED } from './refused-urls.ts'

/** Tests that each route that accepts a URL from a customer refuses all forbidden URLs. */

beforeEach(() => {
  listenToConsole()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const DOORS = [
  ['/v1/webhook-endpoints', 'url', { types: ['*'] }],
  ['/v1/provider-keys', 'base_url', { provider: 'openai', name: 'test', key: 'sk-test' }],
] as const

it.each(DOORS)(
  'POST %s refuses each of them in its field %s, without a DNS query',
  async (path, field, rest) => {
    const { api_key } = await createCustomer()
    const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('nothing is fetched here'))
    for (const [url] of REFUSED) {
      const response = await api(path, { key: api_key, body: { ...rest, [field]: url } })
      expect(response.status, url).toBe(400)
      await expectInvalid(response, `/${field}`)
    }
    expect(fetched).not.toHaveBeenCalled()
  },
)
