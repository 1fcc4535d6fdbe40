import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'

const LOW = { type: 'balance_below', threshold: { credits: 100 } }

describe('POST /v1/alerts', () => {
  it.each([
    ['an unknown type', { ...LOW, type: 'balance_above' }, '/type'],
    ['two thresholds', { ...LOW, threshold: { credits: 1, percent: 1 } }, '/threshold'],
    ['a threshold in a unit of another type', { ...LOW, threshold: { days: 1 } }, '/threshold'],
    ['a threshold of 0', { type: 'spend_above', threshold: { credits: 0 } }, '/threshold'],
    ['too many decimals', { ...LOW, threshold: { credits: 0.0000001 } }, '/threshold/credits'],
    ['rearm_at below the threshold', { ...LOW, rearm_at: 99 }, '/rearm_at'],
    [
      'rearm_at above the threshold of spending',
      { type: 'spend_above', threshold: { credits: 5 }, rearm_at: 6 },
      '/rearm_at',
    ],
    ['a period of a balance', { ...LOW, period: 'DAILY' }, '/period'],
    ['a limit without its feature', { type: 'limit_used', threshold: { percent: 80 } }, '/feature_id'],
    ['a user and a team', { ...LOW, user_id: 'ann', team_id: 'red' }, '/team_id'],
    ['a longer cooldown than a month', { ...LOW, cooldown_seconds: 31 * 86_400 + 1 }, '/cooldown_seconds'],
    ['an unknown field', { ...LOW, email: 'ann@acme.example' }, '/email'],
  ])('refuses %s', async (_, body, path) => {
    const { api_key } = await createCustomer()
    const response = await api('/v1/alerts', { key: api_key, body })
    expect(response.status).toBe(400)
    expect(JSON.stringify(await response.json())).toContain(`"path":"${path}"`)
    expect((await jsonOf(await api('/v1/alerts', { key: api_key }))).data).toEqual([])
  })

  it('makes one alert for a repeated key', async () => {
    const { api_key } = await createCustomer()
    const once = { key: api_key, body: LOW, headers: { 'Idempotency-Key': 'once' } }
    const [first, second] = [await api('/v1/alerts', once), await api('/v1/alerts', once)]
    expect(first.status).toBe(201)
    expect(await second.text()).toBe(await first.text())
    expect((await jsonOf(await api('/v1/alerts', { key: api_key }))).data).toHaveLength(1)
  })
})

describe('PATCH /v1/alerts/{id}', () => {
  it('changes the given fields, and rearm_at with the threshold', async () => {
    const { api_key } = await createCustomer()
    const { id } = await jsonOf(await api('/v1/alerts', { key: api_key, body: { ...LOW, user_id: 'ann' } }))
    const patch = (body: object) => api(`/v1/alerts/${id}`, { key: api_key, method: 'PATCH', body })
    const changed = await jsonOf(await patch({ threshold: { percent: 20 }, cooldown_seconds: 60 }))
    const expected = { threshold: { percent: 20 }, rearm_at: 22, user_id: 'ann', cooldown_seconds: 60 }
    expect(changed).toMatchObject({ ...expected, enabled: true })
    expect(await jsonOf(await patch({ enabled: false }))).toMatchObject({ ...expected, enabled: false })
    expect((await patch({ rearm_at: 19 })).status).toBe(400)
    expect((await patch({ threshold: { days: 3 } })).status).toBe(400)
  })
})

describe('a test key', () => {
  it('has separate alerts', async () => {
    const { api_key } = await createCustomer()
    await api('/v1/alerts', { key: api_key, body: LOW })
    const made = await jsonOf(
      await api('/v1/api-keys', { key: api_key, body: { name: 'test', mode: 'test' } }),
    )
    const listed = await jsonOf(await api('/v1/alerts', { key: String(made.api_key) }))
    expect(listed.data).toEqual([])
  })
})
