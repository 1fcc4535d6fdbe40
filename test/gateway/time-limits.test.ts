import { afterEach, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { CHAT, COMPLETION, chat, END, json, playProvider, stream, word } from './support.ts'

/** Tests that a hold does not expire while its call runs, and the time limit for clients that do not read. */

afterEach(() => {
  vi.restoreAllMocks()
})

const HOLD = { GATEWAY_HOLD_MS: '1200' }
/** A time after which a hold that is not extended has expired. */
const LONG_MS = 2_000
const STREAMED = { ...CHAT, stream: true }

async function reserved(api_key: string): Promise<unknown> {
  return (await jsonOf(await api('/v1/credits/balance', { key: api_key }))).reserved_balance
}

/** Returns the events of a customer. */
async function eventsOf(api_key: string): Promise<readonly Record<string, unknown>[]> {
  const { data } = await jsonOf(await api('/v1/events', { key: api_key }))
  return Array.isArray(data) ? data : []
}

/** Returns the charge of a call whose provider reports the usage `COMPLETION.usage`. */
async function reportedCharge(): Promise<unknown> {
  const { api_key } = await createCustomer()
  playProvider(json(COMPLETION))
  const { settled } = await chat(api_key, CHAT)
  await settled()
  return (await eventsOf(api_key))[0]?.credits_burned
}

it('a stream whose client pauses for longer than the lifetime of its hold is charged its reported usage', async () => {
  const charge = await reportedCharge()
  const { api_key } = await createCustomer()
  playProvider(stream(word('Hello'), word(' there'), ...END))
  const { response, settled } = await chat(api_key, STREAMED, {}, HOLD)
  const reader = response.body?.getReader()
  await reader?.read()
  for (let i = 0; i < 2; i++) {
    await scheduler.wait(LONG_MS)
    expect(await reserved(api_key)).toBeGreaterThan(0)
  }
  while (reader && !(await reader.read()).done);
  await settled()
  const [event, ...others] = await eventsOf(api_key)
  expect([event?.credits_burned, event?.warnings, others]).toEqual([charge, undefined, []])
  expect(await reserved(api_key)).toBe(0)
})

it.each([
  ['a stream', STREAMED, stream(LONG_MS, word('Hello'), LONG_MS, ...END), {}],
  [
    'a stream with further attempts',
    STREAMED,
    stream(LONG_MS, word('Hello'), ...END),
    { 'X-Meter-Fallback': 'retry' },
  ],
  ['a response that is not a stream', CHAT, json(COMPLETION), {}],
])('the hold of %s is extended during each wait for the provider', async (_, body, answer, headers) => {
  const charge = await reportedCharge()
  const { api_key } = await createCustomer()
  playProvider(async (signal) => {
    await scheduler.wait(LONG_MS)
    return answer(signal)
  })
  const call = chat(api_key, body, headers, HOLD)
  await scheduler.wait(LONG_MS)
  expect(await reserved(api_key)).toBeGreaterThan(0)
  const { response, settled } = await call
  await response.text()
  await settled()
  const [event, ...others] = await eventsOf(api_key)
  // A charge after the expiry of the hold has the warning `hold_not_open`.
  expect([event?.credits_burned, event?.warnings, others]).toEqual([charge, undefined, []])
})

it('a client that reads nothing for too long is charged the delivered part, and its stream ends with an error', async () => {
  const { api_key } = await createCustomer()
  let aborted = false
  playProvider((signal) => {
    signal.addEventListener('abort', () => {
      aborted = true
    })
    return stream(word('Hello'), word(' there'), ...END)(signal)
  })
  const { response, settled } = await chat(api_key, STREAMED, {}, { GATEWAY_CLIENT_TIMEOUT_MS: '300' })
  const reader = response.body?.getReader()
  await reader?.read()
  await settled()
  expect((await eventsOf(api_key)).map(({ warnings }) => warnings)).toEqual([['estimated', 'client_gone']])
  expect([aborted, await reserved(api_key)]).toEqual([true, 0])
  await expect(reader?.read()).rejects.toThrow('did not read')
})

it('a stream that is drained is read to its end when its client stops reading', async () => {
  const charge = await reportedCharge()
  const { api_key } = await createCustomer()
  playProvider(stream(word('Hello'), word(' there'), ...END))
  const headers = { 'X-Meter-On-Abort': 'drain' }
  const { response, settled } = await chat(api_key, STREAMED, headers, { GATEWAY_CLIENT_TIMEOUT_MS: '300' })
  const reader = response.body?.getReader()
  await reader?.read()
  await settled()
  const [event] = await eventsOf(api_key)
  expect([event?.credits_burned, event?.warnings]).toEqual([charge, undefined])
  await expect(reader?.read()).rejects.toThrow('did not read')
})

it('a stream that is drained is read completely, even if the stream is still pulled after its client has left', async () => {
  const charge = await reportedCharge()
  const { api_key } = await createCustomer()
  playProvider(stream(word('Hello'), ...END))
  const leave = new AbortController()
  const headers = { 'X-Meter-On-Abort': 'drain' }
  const { response, settled } = await chat(api_key, STREAMED, headers, {}, leave.signal)
  const reader = response.body?.getReader()
  await reader?.read()
  leave.abort()
  void reader?.read()
  await settled()
  const [event] = await eventsOf(api_key)
  expect([event?.credits_burned, event?.warnings]).toEqual([charge, undefined])
})

it('a client that does not even read the first chunk is charged the input, and its hold is closed', async () => {
  const { api_key } = await createCustomer()
  playProvider(stream(word('Hello'), ...END))
  const { settled } = await chat(api_key, STREAMED, {}, { GATEWAY_CLIENT_TIMEOUT_MS: '300' })
  await settled()
  expect((await eventsOf(api_key)).map(({ warnings }) => warnings)).toEqual([['estimated', 'client_gone']])
  expect(await reserved(api_key)).toBe(0)
})
