import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { PORTAL_REQUESTS_A_MINUTE } from '../../src/ledger/admission/rate-limit.ts'
import { api } from '../support/api.ts'
import { granted } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { rateHeaders } from '../support/limits.ts'
import { BALANCE, portalToken } from './support.ts'

const NOON = Date.UTC(2026, 10, 23, 12)
const STARTER = 100

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOON })
})
afterEach(() => {
  vi.useRealTimers()
})

async function passed(key: string, requests: number): Promise<number> {
  const all = await Promise.all(Array.from({ length: requests }, () => api(BALANCE, { key })))
  return all.filter(({ status }) => status === 200).length
}

it('portal tokens have separate limits: for each token and for all together, apart from those of API keys', async () => {
  const { api_key } = await createCustomer({ tier: 'STARTER' })
  await granted(api_key, { user_id: 'ann', amount: 1 })
  await granted(api_key, { user_id: 'bob', amount: 1 })
  const [ann, bob] = [
    await portalToken(api_key, { user_id: 'ann' }),
    await portalToken(api_key, { user_id: 'bob' }),
  ]
  expect(await passed(ann, PORTAL_REQUESTS_A_MINUTE + 50)).toBe(PORTAL_REQUESTS_A_MINUTE)
  // The requests of ann's token that were refused do not count against the customer's limit.
  expect(await passed(bob, PORTAL_REQUESTS_A_MINUTE - 10)).toBe(STARTER - PORTAL_REQUESTS_A_MINUTE)
  expect(rateHeaders(await api(BALANCE, { key: bob }))).toMatchObject({
    policy: `"default";q=${STARTER};w=60`,
  })
  expect(rateHeaders(await api(BALANCE, { key: api_key }))).toMatchObject({ rate: '"default";r=97;t=60' })

  vi.setSystemTime(NOON + 60_000)
  expect(rateHeaders(await api(BALANCE, { key: ann }))).toMatchObject({
    policy: `"default";q=${PORTAL_REQUESTS_A_MINUTE};w=60`,
    rate: `"default";r=${PORTAL_REQUESTS_A_MINUTE - 1};t=60`,
  })
})
