import { afterEach, describe, expect, it, vi } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { answered, granted, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { call, geminiAnswer, providerAnswering } from './provider.ts'

/** Tests that the gateway reads paths as providers do, which decode them. */

afterEach(() => {
  vi.restoreAllMocks()
})

const GOOGLE = 'https://generativelanguage.googleapis.com/v1beta'
const body = { contents: [{ parts: [{ text: 'Hi' }] }], generationConfig: { maxOutputTokens: 4000 } }
const SPELLINGS = [
  'models/gemini%2D2.5-pro:generateContent',
  'models/%67emini-2.5-pro:generateContent',
  'models/gemini-2.5-pro%3AgenerateContent',
  'models/gemini-2.5-pro:%67enerateContent',
  'models%2Fgemini-2.5-pro:generateContent',
]

describe('an encoded model of Gemini', () => {
  it.each(SPELLINGS)('in %s is held, priced and sent unchanged', async (path) => {
    const { api_key: key } = await createCustomer()
    await granted(key, { user_id: 'ada', amount: 0.000001 })
    const requests = providerAnswering(geminiAnswer)
    const target = `google/v1beta/${path}`
    const refused = await call(target, { key, body, headers: { 'X-Meter-User': 'ada' } })
    expect([refused.status, requests]).toEqual([402, []])
    const charged = await call(target, { key, body })
    expect(charged.status).toBe(200)
    expect(Number(charged.headers.get('X-Meter-Credits-Burned'))).toBeGreaterThan(0)
    expect(requests.map(({ url }) => url)).toEqual([`${GOOGLE}/${path}`])
    const [event] = await listed(key, '/v1/events')
    expect(event).toMatchObject({ model: 'gemini-2.5-pro' })
  })

  it.each(SPELLINGS.slice(0, 1))('in %s counts for the HARD limit of the model', async (path) => {
    const { api_key: key } = await createCustomer()
    const limit = { feature_id: 'gateway', model: 'gemini-2.5-pro', unit: 'credits', period: 'DAILY' }
    await answered(key, '/v1/entitlements', { ...limit, limit_type: 'HARD', limit_value: 0.0001 }, 201)
    const requests = providerAnswering(geminiAnswer)
    const response = await call(`google/v1beta/${path}`, { key, body })
    expect([response.status, requests]).toEqual([402, []])
    expect(await response.text()).toContain('limit_reached')
  })

  it.each(SPELLINGS)('in %s is replaced by the model of a further attempt', async (path) => {
    const { api_key: key } = await createCustomer()
    const answers = [() => new Response('{}', { status: 503 }), geminiAnswer]
    const requests = providerAnswering(() => answers.shift()?.() ?? geminiAnswer())
    const headers = { 'X-Meter-Fallback': 'retry;model=gemini-2.5-flash' }
    const response = await call(`google/v1beta/${path}`, { key, body, headers })
    expect(response.status).toBe(200)
    expect(requests[1]?.url).toBe(`${GOOGLE}/models/gemini-2.5-flash:generateContent`)
  })

  it.each(['gemini%zz', 'gemini%', 'gemini%c0%ae', 'a%3Fb', 'a%23b', 'a%00b', 'a;b', 'a%252Fb'])(
    'that is %s is 400 in the format of Google',
    async (model) => {
      const { api_key: key } = await createCustomer()
      const requests = providerAnswering(geminiAnswer)
      const response = await call(`google/v1beta/models/${model}:generateContent`, { key, body })
      const { error } = await jsonOf(response)
      expect(error).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' })
      expect(requests).toEqual([])
    },
  )
})

it.each([
  ['GET', 'openai/v1/models/..%2ffiles'],
  ['GET', 'openai/v1/models/..%2fresponses%2fresp_1'],
  ['GET', 'openai/v1/models/a%2f..%2f..%2ffiles'],
  ['GET', 'openai/v1/models/..%5cfiles'],
  ['GET', 'openai/v1/models/a%5c..%5c..%5cfiles'],
  ['GET', 'openai/v1/models/%2e%2e%2ffiles'],
  ['GET', 'openai/v1/models/%2e%2e/files'],
  ['GET', 'openai/v1/models%2F..%2Ffiles'],
  ['GET', 'openai/v1/models/a%2fb%2fc%2fd'],
  ['GET', 'anthropic/v1/models/..%2fmessages%2fbatches'],
  ['GET', 'google/v1beta/models/..%2ffiles'],
  ['GET', 'google/v1beta/models/gemini-2.5-pro/operations'],
  ['GET', 'google/v1beta/models/gemini-2.5-pro%2Foperations'],
  ['POST', 'google/v1beta/models/..%2f..%2fv1beta%2fcachedContents%2fx:generateContent'],
  ['POST', 'google/v1beta/models/a%2fb:generateContent'],
  ['POST', 'google/v1beta/models/a%3Ab:generateContent'],
  ['POST', 'google/v1beta/models/..%5cx:generateContent'],
  ['POST', 'google/v1beta/models/..%2fx:countTokens'],
])('%s %s could lead to another object, and is 404', async (method, target) => {
  const { api_key: key } = await createCustomer()
  const requests = providerAnswering(geminiAnswer)
  const response = await call(target, { key, method, ...(method === 'POST' && { body }) })
  expect([response.status, requests]).toEqual([404, []])
})

it.each(['gpt-4o', 'llama3:latest', 'openai%2Fgpt-4o', 'meta-llama/llama-3-8b', 'ft:gpt-4o:org::1'])(
  'GET models/%s is free and sent unchanged',
  async (model) => {
    const { api_key: key } = await createCustomer()
    const requests = providerAnswering(() => Response.json({}))
    expect((await call(`openai/v1/models/${model}`, { key })).status).toBe(200)
    expect(requests[0]?.url).toBe(`https://api.openai.com/v1/models/${model}`)
  },
)
