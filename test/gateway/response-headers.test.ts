import { afterEach, expect, it, vi } from 'vitest'
import { createCustomer } from '../support/customers.ts'
import { call, providerAnswering } from './provider.ts'

/** Tests which headers of a provider's response reach the client. */

afterEach(() => {
  vi.restoreAllMocks()
})

const chat = { model: 'gpt-4o', messages: [] }

const RETURNED = {
  'content-type': 'application/json',
  'retry-after': '7',
  'retry-after-ms': '7000',
  'x-should-retry': 'true',
  'request-id': 'req_1',
  'apim-request-id': 'apim_1',
  'x-together-traceid': 'trace_1',
  'x-ratelimit-remaining-requests': '9',
  'x-ratelimitbysize-remaining-minute': '8',
  'anthropic-ratelimit-unified-status': 'allowed',
  'openai-processing-ms': '12',
  'openai-version': '2020-10-01',
  'openai-model': 'gpt-4o',
  'x-codex-turn-state': 'gAAAA',
  'x-goog-ext': '1',
  'x-ms-region': 'East US',
}

const REMOVED = {
  location: 'https://attacker.example/steal',
  refresh: '0;url=https://attacker.example',
  'set-cookie': 'a=b',
  'openai-organization': 'org-of-the-operator',
  'openai-project': 'proj_of_the_operator',
  'anthropic-organization-id': 'org-of-the-operator',
  'clear-site-data': '"*"',
  'www-authenticate': 'Basic',
  'proxy-authenticate': 'Basic',
  link: '<https://attacker.example>; rel=preload',
  'content-location': 'https://attacker.example',
  'content-security-policy': 'default-src *',
  'strict-transport-security': 'max-age=1',
  'access-control-allow-origin': 'https://attacker.example',
  'cross-origin-resource-policy': 'cross-origin',
  'cache-control': 'public, max-age=99',
  'alt-svc': 'h3=":443"',
  'report-to': '{}',
  connection: 'keep-alive',
  'keep-alive': 'timeout=5',
  upgrade: 'websocket',
  server: 'provider',
  'x-meter-balance': '123456',
  'x-accel-redirect': '/secret',
}

it.each([
  ['openai/v1/chat/completions', 200],
  ['openai/v1/chat/completions', 307],
  ['openai/v1/chat/completions', 429],
  ['openai/v1/models', 200],
  ['openai/v1/models', 302],
])('of %s with status %i, the client gets only safe headers', async (target, status) => {
  const { api_key: key } = await createCustomer()
  const answer = '{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
  providerAnswering(
    () => new Response(answer, { status, headers: { ...RETURNED, ...REMOVED, 'x-request-id': 'req_2' } }),
  )
  const response = await call(target, { key, ...(!target.endsWith('models') && { body: chat }) })
  expect([response.status, await response.text()]).toEqual([status, answer])
  expect(Object.fromEntries(response.headers)).toMatchObject({
    ...RETURNED,
    'x-provider-request-id': 'req_2',
    'cache-control': 'no-store',
  })
  for (const [name, value] of Object.entries(REMOVED))
    expect(response.headers.get(name), name).not.toBe(value)
  expect(response.headers.has('location')).toBe(false)
})
