import { expect, it } from 'vitest'
import { readCall } from '../../src/gateway/request/call-request.ts'
import { type Pricing, priceSpeech } from '../../src/gateway/request/prices.ts'
import { NO_OVERLAYS } from '../../src/pricing/cost/price-book.ts'

const KEY: Pricing['key'] = {
  key_id: 'key_1',
  customer_id: 'cust_1',
  mode: 'live',
  scopes: [],
  tier: 'STARTER',
  customer_status: 'ACTIVE',
  price_epochs: { operator: 0, customer: 0 },
  ends_at_ms: null,
}

/** Returns the number of characters of a text that speech is charged for. */
function charged(input: string): number | undefined {
  const endpoint = { kind: 'metered', event_type: 'AUDIO_PROCESSING', api: 'speech' } as const
  const read = readCall(endpoint, { model: 'tts-1', input })
  if (read.kind === 'invalid') throw new Error(read.message)
  const meter = { feature_id: 'gateway', clip: false, trailer: false, drain: false }
  const pricing = { key: KEY, book: NO_OVERLAYS, meter, provider: 'openai', endpoint, call: read.call }
  return priceSpeech(pricing)?.event.usage?.input_characters
}

it.each([
  ['Hello', 5],
  ['Grüße', 5],
  ['你好', 2],
  ['👋🏽', 2],
  ['\ud83d', 1],
  ['\udc4b\ud83d!', 3],
])('the speech of %j has %i characters', (text, characters) => {
  expect(charged(text)).toBe(characters)
})

it('the characters of a large text are counted without a copy of the text', () => {
  const text = 'Hello 👋 '.repeat(1_500_000)
  const before = process.memoryUsage().heapUsed
  expect(charged(text)).toBe(12_000_000)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 1024 * 1024)
})
