import { beforeAll, describe, expect, it } from 'vitest'
import { isRecord } from '../../src/ledger/model/json.ts'
import { api, jsonOf } from '../support/api.ts'
import { type Belongings, customerWithEverything } from '../support/belongings.ts'
import { GPT_4O } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { operations, resolve } from '../support/documented.ts'
import { bodySchema, fill } from '../support/requests.ts'

/** Tests that null for an optional field of a body has the same effect as leaving the field out. */

const withBody = operations.filter(({ operation }) => bodySchema(operation) !== undefined)

/** Returns the optional fields for which null has no meaning of its own. */
function nullable(properties: Readonly<Record<string, unknown>>, required: readonly string[]): string[] {
  return Object.keys(properties).filter((name) => {
    const schema = JSON.stringify(resolve(properties[name]))
    return !required.includes(name) && schema !== '{}' && !schema.includes('"null"')
  })
}

let owner: Belongings
beforeAll(async () => {
  owner = await customerWithEverything()
})

describe.each(withBody)('$method $path', (operation) => {
  it('accepts null in every optional field', async () => {
    const { method, path } = operation
    const schema = bodySchema(operation.operation)
    const [request] = fill(operation, owner)
    const names = nullable(schema?.properties ?? {}, schema?.required ?? [])
    const absent = names.filter((name) => !Object.hasOwn(request?.body ?? {}, name))
    const nulls = Object.fromEntries(absent.map((name) => [name, null]))
    const key = path.startsWith('/v1/admin/') || path.endsWith('/register') ? OPERATOR_TOKEN : owner.api_key
    const response = await api(request?.path ?? '', { key, method, body: { ...request?.body, ...nulls } })
    const answer = await jsonOf(response)
    const errors: unknown[] = Array.isArray(answer.errors) ? answer.errors : []
    const refused = errors.filter((error) => isRecord(error) && absent.includes(String(error.path).slice(1)))
    // Only errors about missing fields are allowed: a `PATCH` without fields is refused, and so is a body that needs
    // one of several fields.
    const allowed = /required|must have|must give|requires|give /
    expect(refused.filter((error) => !allowed.test(JSON.stringify(error)))).toEqual([])
  })
})

describe('null', () => {
  it('is the same payload as a missing field, for an idempotency key', async () => {
    const { api_key } = await createCustomer()
    const headers = { 'Idempotency-Key': crypto.randomUUID() }
    const grant = { user_id: 'w', amount: 1 }
    const nulls = { expires_at: null, reason: null, metadata: null, recurring: null }
    const first = await api('/v1/credits/grant', { key: api_key, headers, body: grant })
    const second = await api('/v1/credits/grant', { key: api_key, headers, body: { ...grant, ...nulls } })
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
  })

  it('is the same payload as a missing field in an event, alone, in a batch and in a batch with its own key', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, idempotency_key: 'e' }
    const nulls = { user_id: null, team_id: null, hold_id: null, timestamp: null, metadata: null }
    const ingest = (body: unknown, headers = {}) => api('/v1/events/ingest', { key: api_key, headers, body })
    const first = await ingest(event)
    const again = await ingest({ ...event, ...nulls })
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
    expect(await jsonOf(await ingest({ events: [{ ...event, ...nulls }] }))).toMatchObject({ duplicates: 1 })
    const headers = { 'Idempotency-Key': 'batch' }
    await ingest({ events: [GPT_4O] }, headers)
    const replay = await ingest({ events: [{ ...GPT_4O, ...nulls }] }, headers)
    expect(replay.headers.get('Idempotency-Replayed')).toBe('true')
  })

  it('is the same payload as a missing field for the events of a single event and for custom units', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, usage: { custom: { calls: 2 } }, idempotency_key: 'e' }
    const first = await api('/v1/events/ingest', { key: api_key, body: event })
    expect(first.status).toBe(200)
    const nulls = { ...event, usage: { custom: { calls: 2, other: null } }, events: null }
    const again = await api('/v1/events/ingest', { key: api_key, body: nulls })
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
  })

  it('is accepted wherever a response has it, so an entitlement can be sent back as it was read', async () => {
    const { api_key } = await createCustomer()
    const rules = { limit_type: 'HARD', limit_value: 5, unit: 'events', period: 'DAILY' }
    const created = await jsonOf(
      await api('/v1/entitlements', { key: api_key, body: { feature_id: 'f', ...rules } }),
    )
    const { id, created_at: _, updated_at: __, ...read } = created
    const response = await api(`/v1/entitlements/${String(id)}`, { key: api_key, method: 'PUT', body: read })
    expect(response.status).toBe(200)
    expect(await jsonOf(response)).toMatchObject(read)
  })

  it('keeps its meaning in the last tier, in fields that PATCH clears, and in metadata', async () => {
    const { api_key } = await createCustomer()
    const tiers = [{ up_to: null, unit_amount: 1, flat_amount: null }]
    const rule = { method: 'tiered', mode: 'graduated', unit: 'calls', free: null, period: null, tiers }
    const table = await api('/v1/burn-tables', { key: api_key, body: { name: 't', rules: [rule] } })
    expect(table.status).toBe(201)
    const profile = { user_id: 'ann', email: 'ann@acme.example', metadata: { plan: null, team: 'a' } }
    const user = await jsonOf(await api('/v1/users', { key: api_key, body: profile }))
    expect(user.metadata).toEqual({ plan: null, team: 'a' })
    const cleared = await api('/v1/users/ann', { key: api_key, method: 'PATCH', body: { email: null } })
    expect(await jsonOf(cleared)).not.toHaveProperty('email')
  })
})
