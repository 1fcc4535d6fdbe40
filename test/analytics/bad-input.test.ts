import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { expectInvalid } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

const many = (field: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${field}=v${index}`).join('&')

describe.each(['/v1/analytics/usage', '/v1/analytics/costs'])('%s', (route) => {
  it.each([
    ['from after to', 'from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z', '/from', /before to/],
    ['from the same as to', 'from=2026-02-01T00:10:00Z&to=2026-02-01T00:10:00Z', '/from', /before to/],
    ['a minute backwards', 'from=2026-02-01T00:10:00Z&to=2026-02-01T00:09:00Z', '/from', /before to/],
    ['ten years', 'from=2016-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', '/from', /366 days/],
    [
      'a quarter by the hour',
      'group_by=hour&from=2026-01-01T00:00:00Z&to=2026-04-01T00:00:00Z',
      '/from',
      /31 days/,
    ],
    ['a year by user', 'group_by=user&from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', '/from', /92 days/],
    [
      'days that are no longer kept',
      'from=2022-01-01T00:00:00Z&to=2022-01-02T00:00:00Z',
      '/from',
      /must not be before 20\d\d-\d\d-\d\dT00:00:00.000Z: older days are deleted/,
    ],
    ['an invalid time', 'from=yesterday', '/from', /RFC 3339/],
    ['a day without a time', 'from=2026-01-01', '/from', /RFC 3339/],
    ['two times', 'from=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z', '/from', /./],
    ['an unknown group', 'group_by=color', '/group_by/0', /one of hour, day/],
    ['a group of prototypes', 'group_by=constructor', '/group_by/0', /one of/],
    ['an empty group', 'group_by=', '/group_by/0', /one of/],
    ['four groups', 'group_by=day,feature,provider,model', '/group_by', /at most 3/],
    ['a group twice', 'group_by=feature,feature', '/group_by', /twice/],
    ['two windows', 'group_by=day,hour', '/group_by', /at most one of/],
    ['a filter of 101 values', many('feature', 101), '/feature', /at most 100/],
    ['a filter of 10,000 values', many('user', 10_000), '/user', /at most 100/],
    ['an empty filter', 'feature=', '/feature', /1 to 255/],
    ['a filter of 256 characters', `model=${'m'.repeat(256)}`, '/model', /1 to 255/],
    ['a filter with a control character', 'user=a%00b', '/user', /control/],
    ['an unknown event type', 'event_type=COFFEE', '/event_type', /./],
    ['a parameter that does not exist', 'feature_id=chat', '/feature_id', /unknown parameter/],
  ])('refuses %s', async (_, query, path, message) => {
    await expectInvalid(await api(`${route}?${query}`, { key }), path, message)
  })

  it.each([
    ["'; DROP TABLE rollup_days; --", 'feature'],
    ["' OR 1=1 --", 'user'],
    ['") UNION SELECT key_hash FROM api_keys --', 'team'],
    ['%', 'model'],
    ['\\', 'provider'],
    ['{"$ne":null}', 'model'],
  ])('accepts %s as a name without usage', async (value, field) => {
    const response = await api(`${route}?${field}=${encodeURIComponent(value)}&group_by=${field}`, { key })
    expect(response.status).toBe(200)
    expect(await jsonOf(response)).toMatchObject({ data: [] })
  })

  it('needs the scope analytics:read', async () => {
    const { customer_id } = await createCustomer()
    const narrow = await createKey(customer_id, { scopes: ['credits:read', 'events:write'] })
    await expectProblem(await api(route, { key: narrow.api_key }), 403, 'insufficient_scope')
    await expectProblem(await api(`${route}?from=never`, { key: narrow.api_key }), 403, 'insufficient_scope')
    await expectProblem(await api(route), 401, 'missing_api_key')
  })
})

describe('/v1/analytics/burn-rate', () => {
  it.each([
    ['a user and a team', 'user=a&team=b', '/team', /must be omitted/],
    ['an empty user', 'user=', '/user', /1 to 255/],
    ['two users', 'user=a&user=b', '/user', /must be given once/],
    ['a range', 'from=2026-01-01T00:00:00Z', '/from', /unknown parameter/],
  ])('refuses %s', async (_, query, path, message) => {
    await expectInvalid(await api(`/v1/analytics/burn-rate?${query}`, { key }), path, message)
  })

  it('of a user without a wallet is a 404', async () => {
    await expectProblem(await api('/v1/analytics/burn-rate?user=nobody', { key }), 404, 'not_found')
  })
})
