import { expect, it } from 'vitest'
import { readCall } from '../../src/gateway/request/call-request.ts'
import { priceSpeech } from '../../src/gateway/request/prices.ts'
import { pricingOfCall } from './pricings.ts'

/** Returns the number of characters of a text that speech is charged for. */
function charged(input: string): number | undefined {
  const endpoint = { kind: 'metered', event_type: 'AUDIO_PROCESSING', api: 'speech' } as const
  const read = readCall(endpoint, { model: 'tts-1', input })
  if (read.kind === 'invalid') throw new Error(read.message)
  return priceSpeech(pricingOfCall(endpoint, read.call))?.event.usage?.input_characters
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
