import { afterEach, expect, it, vi } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { call, geminiAnswer, providerAnswering } from './provider.ts'

/** Tests which query parameters reach a provider. */

afterEach(() => {
  vi.restoreAllMocks()
})

const GEMINI = 'google/v1beta/models/gemini-2.5-pro:generateContent'
const CHAT = 'openai/v1/chat/completions'
const chat = { model: 'gpt-4o', messages: [] }

it.each([
  [GEMINI, 'fields=candidates', 'fields'],
  [GEMINI, '%66ields=candidates', 'fields'],
  [GEMINI, 'alt=sse&$fields=candidates(content)', '$fields'],
  [GEMINI, '%24fields=candidates', '$fields'],
  [GEMINI, 'prettyPrint=true;fields=candidates', 'fields'],
  [GEMINI, 'alt=proto', 'alt'],
  [GEMINI, 'alt=json&alt=media', 'alt'],
  [GEMINI, '$alt=proto', '$alt'],
  [GEMINI, 'callback=f', 'callback'],
  [GEMINI, '$callback=f', '$callback'],
  [GEMINI, '$httpMethod=DELETE', '$httpMethod'],
  [GEMINI, 'access_token=ya29.x', 'access_token'],
  [GEMINI, 'oauth_token=ya29.x', 'oauth_token'],
  [GEMINI, 'unknown=1', 'unknown'],
  ['google/v1beta/models', '$httpMethod=POST', '$httpMethod'],
  [CHAT, 'fields=choices', 'fields'],
  [CHAT, '$fields=choices', '$fields'],
  [CHAT, 'alt=proto', 'alt'],
  ['anthropic/v1/messages', 'callback=f', 'callback'],
])('%s?%s is 400 and names the parameter', async (path, query, name) => {
  const { api_key: key } = await createCustomer()
  const requests = providerAnswering(geminiAnswer)
  const body = path.endsWith('models') ? undefined : { ...chat, contents: [] }
  const response = await call(`${path}?${query}`, { key, body })
  const { error } = await jsonOf(response)
  expect([response.status, requests]).toEqual([400, []])
  expect(JSON.stringify(error)).toContain(`the query parameter ${name} `)
  if (path === GEMINI) expect(error).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' })
})

it.each([
  [GEMINI, '?alt=json&prettyPrint=false', '?alt=json&prettyPrint=false'],
  [GEMINI, '?%61lt=sse&quotaUser=b%20c+d', '?%61lt=sse&quotaUser=b%20c+d'],
  [GEMINI, '?$alt=json%3Benum-encoding%3Dint', ''],
  ['google/v1beta/models', '?pageSize=5&pageToken=a%2Fb%3D', '?pageSize=5&pageToken=a%2Fb%3D'],
  [CHAT, '?api-version=2024-10-21&a=b%20c&d=%7e&&e', '?api-version=2024-10-21&a=b%20c&d=%7e&&e'],
  ['anthropic/v1/messages', '?beta=true', '?beta=true'],
])('%s%s is sent with the query "%s"', async (path, query, passed) => {
  const { api_key: key } = await createCustomer()
  const requests = providerAnswering(geminiAnswer)
  const body = path.endsWith('models') ? undefined : { ...chat, contents: [] }
  expect((await call(path + query, { key, body })).status).toBe(200)
  expect(new URL(requests[0]?.url ?? '').search).toBe(passed)
})

it('the parameter key is not sent, in any spelling and number', async () => {
  const { api_key } = await createCustomer()
  const requests = providerAnswering(geminiAnswer)
  const query = `?key=${api_key}&alt=sse&key=x&%6bey=y&k%65y`
  expect((await call(GEMINI + query, { body: { contents: [] } })).status).toBe(200)
  expect(new URL(requests[0]?.url ?? '').search).toBe('?alt=sse')
})
