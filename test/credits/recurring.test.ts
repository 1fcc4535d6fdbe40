import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/**
 * A year that is not a leap year. It is not the next year, because the clock of a test near the end of a year could
 * otherwise be ahead of the times that the test sets.
 */
const NEXT = new Date().getUTCFullYear() + 2
const YEAR = NEXT % 4 === 0 ? NEXT + 1 : NEXT

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

async function grant(key: string, recurring: object, more: object = {}) {
  const response = await api('/v1/credits/grant', {
    key,
    body: { user_id: 'u', amount: 100, recurring, ...more },
  })
  expect(response.status).toBe(201)
  return jsonOf(response)
}

const balance = async (key: string) =>
  (await jsonOf(await api('/v1/credits/balance?user_id=u', { key }))).balance

async function lines(key: string) {
  const { data } = await jsonOf(await api('/v1/credits/transactions?user_id=u', { key }))
  if (!Array.isArray(data)) throw new Error('no transactions')
  return data.map(({ type, amount, created_at }) => `${created_at.slice(0, 10)} ${type} ${amount}`).reverse()
}

describe('a recurring grant', () => {
  it('recurs every month, counted from the 31st, on the last day of shorter months', async () => {
    const { api_key: key } = await createCustomer()
    vi.setSystemTime(Date.UTC(YEAR, 0, 31, 12))
    await grant(key, { every: 'month' })
    vi.setSystemTime(Date.UTC(YEAR, 3, 30, 12))
    expect(await balance(key)).toBe(400)
    expect(await lines(key)).toEqual([
      `${YEAR}-01-31 GRANT 100`,
      `${YEAR}-02-28 GRANT 100`,
      `${YEAR}-03-31 GRANT 100`,
      `${YEAR}-04-30 GRANT 100`,
    ])
  })

  it('keeps at most the rollover maximum of the earlier lots', async () => {
    const { api_key: key } = await createCustomer()
    vi.setSystemTime(Date.UTC(YEAR, 0, 1))
    await grant(key, { every: 'day', rollover_max: 30 })
    vi.setSystemTime(Date.UTC(YEAR, 0, 3))
    expect(await balance(key)).toBe(130)
    expect(await lines(key)).toEqual([
      `${YEAR}-01-01 GRANT 100`,
      `${YEAR}-01-02 EXPIRATION -70`,
      `${YEAR}-01-02 GRANT 100`,
      `${YEAR}-01-03 EXPIRATION -30`,
      `${YEAR}-01-03 EXPIRATION -70`,
      `${YEAR}-01-03 GRANT 100`,
    ])
  })

  it('makes lots with the same lifetime as the first one', async () => {
    const { api_key: key } = await createCustomer()
    vi.setSystemTime(Date.UTC(YEAR, 0, 1))
    await grant(key, { every: 'week' }, { expires_at: `${YEAR}-01-08T00:00:00Z` })
    vi.setSystemTime(Date.UTC(YEAR, 0, 10))
    expect(await balance(key)).toBe(100)
    vi.setSystemTime(Date.UTC(YEAR, 0, 16))
    expect(await balance(key)).toBe(100)
  })

  it('recurs every quarter and every year, always counted from the first', async () => {
    const [{ api_key: quarterly }, { api_key: yearly }] = await Promise.all([
      createCustomer(),
      createCustomer(),
    ])
    vi.setSystemTime(Date.UTC(2027, 10, 30, 12))
    await grant(quarterly, { every: 'quarter' })
    vi.setSystemTime(Date.UTC(2028, 1, 29, 12))
    await grant(yearly, { every: 'year' })
    vi.setSystemTime(Date.UTC(2028, 10, 30, 12))
    await balance(quarterly)
    expect(await lines(quarterly)).toEqual([
      '2027-11-30 GRANT 100',
      '2028-02-29 GRANT 100',
      '2028-05-30 GRANT 100',
      '2028-08-30 GRANT 100',
      '2028-11-30 GRANT 100',
    ])
    vi.setSystemTime(Date.UTC(2032, 1, 29, 11, 59))
    expect(await balance(yearly)).toBe(400)
    vi.setSystemTime(Date.UTC(2032, 1, 29, 12))
    expect(await balance(yearly)).toBe(500)
    expect(await lines(yearly)).toEqual([
      '2028-02-29 GRANT 100',
      '2029-02-28 GRANT 100',
      '2030-02-28 GRANT 100',
      '2031-02-28 GRANT 100',
      '2032-02-29 GRANT 100',
    ])
  })

  it('with a target balance grants only the difference between the target and its own lots', async () => {
    const { api_key: key } = await createCustomer()
    const post = (path: string, body: object) => api(path, { key, body })
    vi.setSystemTime(Date.UTC(YEAR, 0, 1))
    await grant(key, { every: 'day', target_balance: 80 }, { priority: 1 })
    await post('/v1/credits/grant', { user_id: 'u', amount: 1000 })
    vi.setSystemTime(Date.UTC(YEAR, 0, 2))
    expect(await balance(key)).toBe(1100)
    expect((await post('/v1/credits/adjust', { user_id: 'u', amount: -70.5, reason: 'x' })).status).toBe(200)
    expect((await post('/v1/holds', { feature_id: 'f', user_id: 'u', credits: 9.5 })).status).toBe(201)
    vi.setSystemTime(Date.UTC(YEAR, 0, 3))
    // The first lot has 29.5 credits left, because the hold expires after ten minutes and returns its credits. The
    // recurring grant adds 50.5 credits, up to its target of 80.
    expect(await balance(key)).toBe(1029.5 + 50.5)
    expect(await lines(key)).toEqual([
      `${YEAR}-01-01 GRANT 100`,
      `${YEAR}-01-01 GRANT 1000`,
      `${YEAR}-01-02 ADJUSTMENT -70.5`,
      `${YEAR}-01-03 GRANT 50.5`,
    ])
    const { data } = await jsonOf(await api('/v1/credits/recurring-grants?user_id=u', { key }))
    expect(data).toMatchObject([{ amount: 100, target_balance: 80, rollover_max: null }])
  })

  it('has a target balance or a rollover maximum, not both', async () => {
    const { api_key: key } = await createCustomer()
    const recurring = { every: 'day', target_balance: 10, rollover_max: 5 }
    const problem = await expectProblem(
      await api('/v1/credits/grant', { key, body: { amount: 10, recurring } }),
      400,
      'invalid_request',
    )
    expect(problem).toMatchObject({ errors: [{ path: '/recurring/target_balance' }] })
  })

  it('is listed and cancelled, and then does not recur', async () => {
    const { api_key: key } = await createCustomer()
    const id = textField(await grant(key, { every: 'day' }), 'recurring_grant_id')
    const list = async () => (await jsonOf(await api('/v1/credits/recurring-grants', { key }))).data
    expect(await list()).toMatchObject([{ recurring_grant_id: id, every: 'day', amount: 100, user_id: 'u' }])
    const stop = () => api(`/v1/credits/recurring-grants/${id}`, { key, method: 'DELETE' })
    expect(await jsonOf(await stop())).toEqual({ recurring_grant_id: id, stopped: true })
    await expectProblem(await stop(), 404, 'not_found')
    expect(await list()).toEqual([])
    vi.setSystemTime(Date.now() + 3 * 86_400_000)
    expect(await balance(key)).toBe(100)
  })

  it('of another customer is not found', async () => {
    const [mine, theirs] = await Promise.all([createCustomer(), createCustomer()])
    const id = textField(await grant(theirs.api_key, { every: 'day' }), 'recurring_grant_id')
    const stop = await api(`/v1/credits/recurring-grants/${id}`, { key: mine.api_key, method: 'DELETE' })
    await expectProblem(stop, 404, 'not_found')
  })

  it.each([
    ['another period', { every: 'hour' }],
    ['no period', {}],
    ['a negative rollover', { every: 'day', rollover_max: -1 }],
  ])('with %s is refused', async (_, recurring) => {
    const { api_key: key } = await createCustomer()
    const response = await api('/v1/credits/grant', { key, body: { amount: 1, recurring } })
    await expectProblem(response, 400, 'invalid_request')
  })

  it('replays byte for byte, and is not made twice', async () => {
    const { api_key: key } = await createCustomer()
    const send = () =>
      api('/v1/credits/grant', {
        key,
        body: { amount: 1, recurring: { every: 'day' } },
        headers: { 'Idempotency-Key': 'r' },
      })
    expect(await (await send()).text()).toBe(await (await send()).text())
    const { data } = await jsonOf(await api('/v1/credits/recurring-grants', { key }))
    expect(data).toHaveLength(1)
  })
})
