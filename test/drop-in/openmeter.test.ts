import { describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import { settle } from '../support/belongings.ts'
import { answered, balanceOf, granted, type Json, listed, objects, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

const TOKENS = {
  type: 'prompt',
  feature_id: 'chat',
  provider: '/vendor',
  model: '/model',
  input_tokens: '/tokens/in',
  output_tokens: '/tokens/out',
}
const CALLS = { type: 'api-call', feature_id: 'api', unit: 'api_calls', quantity: '/count' }

async function customerWithMappings(): Promise<{ api_key: string; customer_id: string }> {
  const customer = await createCustomer()
  const { api_key } = customer
  await answered(api_key, '/v1/drop-in/openmeter', { mappings: [TOKENS, CALLS] }, 200, 'PUT')
  const rules = [
    { match: { feature: 'api' }, method: 'per_unit', rates: { api_calls: { amount: 2, per: 1 } } },
    { method: 'cost_plus', markup_percent: 100 },
  ]
  await answered(api_key, '/v1/burn-tables', { name: 'calls', rules }, 201)
  return customer
}

let made = 0
function event(fields: Json = {}): Json {
  made += 1
  return {
    specversion: '1.0',
    id: `e${made}`,
    source: 'test',
    type: 'api-call',
    data: { count: 3 },
    ...fields,
  }
}

const PROMPT = {
  type: 'prompt',
  data: { vendor: 'openai', model: 'gpt-4o', tokens: { in: 1000, out: '500' } },
}

function sendEvents(
  key: string,
  body: unknown,
  type = 'application/cloudevents-batch+json',
  headers: Record<string, string> = {},
): Promise<Response> {
  return api('/openmeter/api/v1/events', { key, body, headers: { 'Content-Type': type, ...headers } })
}

describe('a CloudEvent', () => {
  it('is billed by its mapping: by unit, or by the tokens of a model', async () => {
    const { api_key } = await customerWithMappings()
    const time = new Date().toISOString()
    const body = [event({ subject: 'zoe', time }), event({ ...PROMPT, subject: 'kim' })]
    expect((await sendEvents(api_key, body)).status).toBe(204)
    const [second, first] = await listed(api_key, '/v1/events')
    expect(first).toMatchObject({
      ...{ event_type: 'CUSTOM', feature_id: 'api', user_id: 'zoe', usage: { custom: { api_calls: 3 } } },
      ...{ credits_burned: 6, timestamp: time },
    })
    expect(second).toMatchObject({
      ...{ event_type: 'TOKEN_USAGE', feature_id: 'chat', user_id: 'kim', provider: 'OPENAI' },
      ...{ model: 'gpt-4o', usage: { input_tokens: 1000, output_tokens: 500 }, credits_burned: 15 },
    })
  })

  it('arrives alone, as JSON, in binary mode, or with its data as text', async () => {
    const { api_key } = await customerWithMappings()
    const statuses = [
      await sendEvents(api_key, event(), 'application/cloudevents+json; charset=utf-8'),
      await sendEvents(api_key, event(), 'application/json'),
      await sendEvents(api_key, [event(), event()], 'application/json'),
      await sendEvents(api_key, [event({ data: '{"count":3}' })]),
      await sendEvents(api_key, [event({ data: undefined, data_base64: btoa('{"count":3}') })]),
      await sendEvents(api_key, { count: 3 }, 'application/json', {
        'ce-id': 'binary-1',
        'ce-source': 'test',
        'ce-type': 'api-call',
        'ce-subject': 'zo%C3%AB',
        'ce-specversion': '1.0',
      }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([204, 204, 204, 204, 204, 204])
    const events = await listed(api_key, '/v1/events')
    expect(events.map(({ credits_burned }) => credits_burned)).toEqual(Array(7).fill(6))
    expect(events[0]?.user_id).toBe('zoë')
  })

  it('is billed once for its id and source, in every mode of sending', async () => {
    const { api_key } = await customerWithMappings()
    const one = event({ time: new Date().toISOString() })
    await sendEvents(api_key, [one])
    await sendEvents(api_key, one, 'application/cloudevents+json')
    expect((await sendEvents(api_key, [one, { ...one, source: 'other' }])).status).toBe(204)
    expect(await listed(api_key, '/v1/events')).toHaveLength(2)
    expect((await read(api_key, '/v1/drop-in')).openmeter).toMatchObject({ accepted: 2, duplicates: 2 })
  })

  it.each<[string, Json, string]>([
    ['of a type without a mapping', { type: 'unheard-of' }, 'no_mapping'],
    ['without its quantity', { data: { other: 1 } }, 'wrong_data'],
    ['with a quantity that is not a number', { data: { count: 'many' } }, 'wrong_data'],
    ['without an id', { id: '' }, 'unreadable'],
    ['of another version', { specversion: '0.3' }, 'unreadable'],
    ['with a negative quantity', { data: { count: -1 } }, 'invalid_request'],
    ['of the future', { time: '2099-01-01T00:00:00Z' }, 'invalid_request'],
    ['of an unknown provider', { ...PROMPT, data: { ...PROMPT.data, vendor: 'nobody' } }, 'unknown_provider'],
  ])('%s is refused by its id, and the others are billed', async (_, fields, reason) => {
    const { api_key } = await customerWithMappings()
    const wrong = event(fields)
    const response = await sendEvents(api_key, [event(), wrong, event()])
    expect(response.status).toBe(400)
    const { detail, errors } = await response.json<Json>()
    expect(detail).toContain(`1 of 3 events`)
    expect(detail).toContain(wrong.id === '' ? '#2' : `${String(wrong.id)} (${reason})`)
    expect(objects(errors).map(({ path }) => path)).toEqual(['/1'])
    expect(await listed(api_key, '/v1/events')).toHaveLength(2)
    expect((await read(api_key, '/v1/drop-in')).openmeter).toMatchObject({
      accepted: 2,
      rejected: { [reason]: 1 },
    })
  })

  it('for lack of credits is refused', async () => {
    const { api_key } = await customerWithMappings()
    await granted(api_key, { user_id: 'poor', amount: 1 })
    const response = await sendEvents(api_key, [event({ subject: 'poor' })])
    expect(response.status).toBe(400)
    const { detail } = await response.json<Json>()
    expect(detail).toMatch(/^1 of 1 event was refused: .* \(insufficient_credits\)\.$/)
    expect(await balanceOf(api_key, '?user_id=poor')).toBe(1)
  })

  it('is billed as LiteLLM writes it', async () => {
    const { api_key } = await createCustomer()
    const mapping = {
      type: 'litellm_tokens',
      feature_id: 'litellm',
      provider: 'OPENAI',
      model: '/model',
      input_tokens: '/prompt_tokens',
      output_tokens: '/completion_tokens',
    }
    await answered(api_key, '/v1/drop-in/openmeter', { mappings: [mapping] }, 200, 'PUT')
    const body = {
      specversion: '1.0',
      type: 'litellm_tokens',
      id: 'chatcmpl-AZ1',
      // This format is the output of Python's `datetime.isoformat`, with microseconds and an offset.
      time: new Date().toISOString().replace('Z', '123+00:00'),
      subject: 'zoe',
      source: 'litellm-proxy',
      data: {
        ...{ model: 'gpt-4o', cost: 0.0075, prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 },
      },
    }
    for (let i = 0; i < 2; i++) {
      expect((await sendEvents(api_key, body, 'application/cloudevents+json')).status).toBe(204)
    }
    expect(await listed(api_key, '/v1/events')).toMatchObject([
      { user_id: 'zoe', feature_id: 'litellm', credits_burned: 15 },
    ])
  })
})

describe('the mappings', () => {
  it('are replaced as a whole, and belong to one customer and mode', async () => {
    const { api_key } = await customerWithMappings()
    expect(await read(api_key, '/v1/drop-in/openmeter')).toEqual({ mappings: [TOKENS, CALLS] })
    await answered(api_key, '/v1/drop-in/openmeter', { mappings: [CALLS] }, 200, 'PUT')
    expect(await read(api_key, '/v1/drop-in/openmeter')).toEqual({ mappings: [CALLS] })
    const other = await createCustomer()
    expect(await read(other.api_key, '/v1/drop-in/openmeter')).toEqual({ mappings: [] })
    const test = await answered(api_key, '/v1/api-keys', { name: 'CI', mode: 'test' }, 201)
    expect(await read(String(test.api_key), '/v1/drop-in/openmeter')).toEqual({ mappings: [] })
  })

  it.each<[string, Json, string]>([
    ['a mapping of nothing', { type: 'x', feature_id: 'x' }, '/mappings/0/unit'],
    ['a unit without a quantity', { ...CALLS, quantity: undefined }, '/mappings/0/quantity'],
    ['a unit and a model', { ...CALLS, model: '/model' }, '/mappings/0/unit'],
    ['a model without a provider', { ...TOKENS, provider: undefined }, '/mappings/0/provider'],
    ['an unknown provider', { ...TOKENS, provider: 'nobody' }, '/mappings/0/provider'],
    ['no pointer', { ...CALLS, quantity: 'count' }, '/mappings/0/quantity'],
    ["a provider's unit", { ...CALLS, unit: 'input_tokens' }, '/mappings/0/unit'],
    ['an unknown field', { ...CALLS, aggregation: 'SUM' }, '/mappings/0/aggregation'],
  ])('refuse %s and name the field', async (_, mapping, path) => {
    const { api_key } = await createCustomer()
    const body = { mappings: [mapping] }
    const problem = await answered(api_key, '/v1/drop-in/openmeter', body, 400, 'PUT')
    expect(objects(problem.errors).map((error) => error.path)).toContain(path)
  })

  it('are changed at most 100 times a day', async () => {
    const { api_key } = await createCustomer()
    const path = '/v1/drop-in/openmeter'
    for (let i = 0; i < 100; i++) await answered(api_key, path, { mappings: [] }, 200, 'PUT')
    const refused = await answered(api_key, path, { mappings: [CALLS] }, 409, 'PUT')
    expect(refused.detail).toMatch(/100 times today/)
    expect(await read(api_key, path)).toEqual({ mappings: [] })
  })

  it('refuse two of one type', async () => {
    const { api_key } = await createCustomer()
    await answered(api_key, '/v1/drop-in/openmeter', { mappings: [CALLS, CALLS] }, 400, 'PUT')
  })
})

describe('a meter', () => {
  it('is queried by window, subject and group', async () => {
    const { api_key, customer_id } = await customerWithMappings()
    await sendEvents(api_key, [
      ...[event({ subject: 'zoe' }), event({ subject: 'zoe' }), event({ subject: 'kim' })],
      event({ ...PROMPT, subject: 'kim' }),
    ])
    await settle(customer_id)
    const query = async (slug: string, text = '') =>
      read(api_key, `/openmeter/api/v1/meters/${slug}/query${text}`)
    expect(await query('api-call')).toMatchObject({ data: [{ value: 9, subject: null, groupBy: {} }] })
    expect(await query('api_calls', '?subject=zoe')).toMatchObject({ data: [{ value: 6, subject: 'zoe' }] })
    const by = objects((await query('api', '?groupBy=subject&windowSize=DAY')).data)
    expect(by.map(({ subject, value }) => `${String(subject)} ${String(value)}`).toSorted()).toEqual([
      'kim 3',
      'zoe 6',
    ])
    const today = `${new Date().toISOString().slice(0, 10)}T00:00:00.000Z`
    expect(by[0]).toMatchObject({ windowStart: today })
    expect(Date.parse(String(by[0]?.windowEnd)) - Date.parse(today)).toBe(86_400_000)
    expect(await query('prompt', '?groupBy=model&unknown=1')).toMatchObject({
      data: [{ value: 1500, groupBy: { model: 'gpt-4o' } }],
    })
  })

  it('without a mapping is a 404, and a wrong query a 400', async () => {
    const { api_key } = await customerWithMappings()
    const status = async (path: string) =>
      (await api(`/openmeter/api/v1/meters/${path}`, { key: api_key })).status
    expect(await status('nothing/query')).toBe(404)
    expect(await status('api/query?windowSize=SECOND')).toBe(400)
    expect(await status('api/query?groupBy=color')).toBe(400)
    expect(await status('api/query?from=yesterday')).toBe(400)
  })
})

describe('the value of an entitlement', () => {
  it('has the rest of the limit, and the usage', async () => {
    const { api_key } = await customerWithMappings()
    const limit = {
      feature_id: 'api',
      user_id: 'zoe',
      limit_type: 'HARD',
      limit_value: 10,
      period: 'MONTHLY',
    }
    await answered(api_key, '/v1/entitlements', limit, 201)
    await sendEvents(api_key, [event({ subject: 'zoe' })])
    await answered(api_key, '/v1/users', { user_id: 'kim' }, 201)
    const value = (user: string, feature: string) =>
      api(`/openmeter/api/v1/customers/${user}/entitlements/${feature}/value`, { key: api_key })
    expect(await (await value('zoe', 'api')).json()).toEqual({
      hasAccess: true,
      balance: 4,
      usage: 6,
      overage: 0,
      totalAvailableGrantAmount: 10,
    })
    expect(await (await value('kim', 'other')).json()).toEqual({ hasAccess: true })
    expect((await value('nobody', 'api')).status).toBe(404)
  })
})
