import { describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { operations } from '../support/documented.ts'
import { expectProblem } from '../support/problems.ts'

/** The operations of the OpenAPI document by path. */
const paths = Map.groupBy(operations, ({ path }) => path)
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

function allowOf(response: Response): string[] {
  return (response.headers.get('Allow') ?? '').split(', ').toSorted()
}

describe.each([...paths])('%s', (path, known) => {
  const methods = known.map(({ method }) => method)
  const allowed = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].toSorted()
  const filled = path.replaceAll(/\{\w+\}/g, 'some-id')

  it('returns 405 and Allow for every other method, before it requires a key', async () => {
    for (const method of METHODS.filter((other) => !methods.includes(other))) {
      const response = await api(filled, { method })
      await expectProblem(response, 405, 'method_not_allowed')
      expect(allowOf(response), method).toEqual(allowed)
    }
  })

  it('returns its methods for OPTIONS', async () => {
    const response = await api(filled, { method: 'OPTIONS' })
    expect(response.status).toBe(204)
    expect(allowOf(response)).toEqual(allowed)
  })
})

it('a separate path is not an id of another path', async () => {
  const { api_key } = await createCustomer()
  await expectProblem(await api('/v1/events/ingest', { key: api_key }), 405, 'method_not_allowed')
  const deleted = await api('/v1/burn-tables/active', { key: api_key, method: 'DELETE' })
  await expectProblem(deleted, 405, 'method_not_allowed')
})

it('HEAD is GET without a body', async () => {
  const { api_key } = await createCustomer()
  const response = await api('/v1/credits/balance', { key: api_key, method: 'HEAD' })
  expect(response.status).toBe(200)
  expect(await response.text()).toBe('')
})

it('an unknown path stays a 401 without a key and a 404 with one', async () => {
  const { api_key } = await createCustomer()
  await expectProblem(await api('/v1/nothing', { method: 'PUT' }), 401, 'missing_api_key')
  await expectProblem(await api('/v1/nothing', { method: 'PUT', key: api_key }), 404, 'not_found')
  await expectProblem(await api('/v1/admin/nothing', { key: OPERATOR_TOKEN }), 404, 'not_found')
})
