import { afterEach, expect, it, vi } from 'vitest'
import { listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { call } from './provider.ts'
import { CHAT, chat, END, json, playProvider, stream, word } from './support.ts'

/** Tests of usage that a provider reports in an unusual way. */

afterEach(() => {
  vi.restoreAllMocks()
})

it('a stream that is read to its end for a client that is gone may end without a line break', async () => {
  const { api_key } = await createCustomer()
  const rest = END.slice(0, 2).join('').trimEnd()
  playProvider(stream(word('Hello'), 200, rest))
  const headers = { 'X-Meter-On-Abort': 'drain' }
  const { response, settled } = await chat(api_key, { ...CHAT, stream: true }, headers)
  const reader = response.body?.getReader()
  await reader?.read()
  await reader?.cancel()
  await settled()
  const [event] = await listed(api_key, '/v1/events')
  expect(event).toMatchObject({ usage: { input_tokens: 8, output_tokens: 100 } })
})

it('events under another content type are read in a call that requested no stream', async () => {
  const { api_key } = await createCustomer()
  const text = [word('Hello'), ...END].join('')
  playProvider(() => new Response(text, { headers: { 'Content-Type': 'application/json' } }))
  const { response, settled } = await chat(api_key, CHAT)
  expect(await response.text()).toBe(text)
  await settled()
  const [event] = await listed(api_key, '/v1/events')
  expect(event).toMatchObject({ usage: { input_tokens: 8, output_tokens: 100 } })
})

it('images that the provider did not create cost nothing', async () => {
  const { api_key: key } = await createCustomer()
  playProvider(
    json({ created: 1, data: [] }),
    json({ created: 1, data: [{ url: 'https://example.com/1.png' }] }),
  )
  const body = { model: 'dall-e-3', prompt: 'A shoe', n: 4, size: '1024x1024' }
  const burned = []
  for (let image = 0; image < 2; image++) {
    const response = await call('openai/v1/images/generations', { key, body })
    burned.push([response.status, response.headers.get('X-Meter-Credits-Burned') !== null])
  }
  expect(burned).toEqual([
    [200, false],
    [200, true],
  ])
  const events = await listed(key, '/v1/events')
  expect(events.map(({ usage }) => usage)).toEqual([{ output_images: 1 }])
})
