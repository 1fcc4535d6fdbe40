import { deflateSync, zstdCompressSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { call, providerAnswering } from './provider.ts'

/** Tests responses with a `Content-Encoding`, although the gateway requests none. */

afterEach(() => {
  vi.restoreAllMocks()
})

const usage = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const bytes = new TextEncoder().encode(JSON.stringify({ choices: [], usage }))
const answer = (encoding: string, status = 200) => {
  const compress = encoding === 'zstd' ? zstdCompressSync : deflateSync
  const headers = { 'Content-Type': 'application/json', 'Content-Encoding': encoding }
  return new Response(new Uint8Array(compress(bytes)), { status, headers })
}

describe.each(['deflate', 'zstd', 'GZIP', 'gzip, br'])('a response with the encoding %s', (encoding) => {
  it.each([
    ['openai/v1/chat/completions', 200, {}],
    ['openai/v1/chat/completions', 200, { stream: true }],
    ['openai/v1/chat/completions', 400, {}],
    ['openai/v1/models', 200, undefined],
  ])('to %s with status %i is 502, and costs nothing', async (target, status, more) => {
    const { api_key: key } = await createCustomer()
    providerAnswering(() => answer(encoding, status))
    const body = more && { model: 'gpt-4o', messages: [], ...more }
    const response = await call(target, { key, body })
    expect(response.status).toBe(502)
    const { error } = await jsonOf(response)
    expect(error).toMatchObject({ type: 'server_error', code: 'provider_unreachable' })
    expect(JSON.stringify(error)).toContain('Content-Encoding')
    await expect.poll(() => read(key, '/v1/credits/balance')).toMatchObject({ reserved_balance: 0 })
    expect((await read(key, '/v1/events')).data).toEqual([])
  })
})

it('a response with the encoding identity is relayed and charged', async () => {
  const { api_key: key } = await createCustomer()
  providerAnswering(() => new Response(bytes, { headers: { 'Content-Encoding': 'identity' } }))
  const response = await call('openai/v1/chat/completions', { key, body: { model: 'gpt-4o', messages: [] } })
  expect(await response.json()).toEqual({ choices: [], usage })
  expect(response.headers.get('X-Meter-Credits-Burned')).toBe('15')
})
