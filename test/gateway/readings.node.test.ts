import { expect, it } from 'vitest'
import { readingOf } from '../../src/gateway/stream/readings.ts'

it('the input of a message is the one that its start reports, for any names of tools', () => {
  const reading = readingOf('messages')
  const usage = { input_tokens: 700, cache_read_input_tokens: 30, output_tokens: 1 }
  for (const line of [
    { type: 'message_start', message: { model: 'claude-sonnet-4-5', usage } },
    { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', name: 'message_start' } },
    { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 20 } },
  ]) {
    reading.take(JSON.stringify(line))
  }
  expect(reading.complete).toBe(true)
  expect(reading.reported()).toMatchObject({ usage: { ...usage, output_tokens: 20 } })
})
