import { expect, it } from 'vitest'
import type { MeteredApi } from '../../src/gateway/dialect.ts'
import { mediaRates, modalityOf } from '../../src/gateway/request/media.ts'
import { deliveredByTools, deliveredUsage, NOTHING } from '../../src/gateway/stream/delivered.ts'
import { deliveredText, readingOf } from '../../src/gateway/stream/readings.ts'
import { usageIn } from '../../src/gateway/stream/response-reader.ts'

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

it.each([
  [
    'zeros',
    { input_tokens: 0, cache_read_input_tokens: 0 },
    { input_tokens: 700, cache_read_input_tokens: 30 },
  ],
  ['nulls', { input_tokens: null }, { input_tokens: 700, cache_read_input_tokens: 30 }],
  ['more', { input_tokens: 900 }, { input_tokens: 900, cache_read_input_tokens: 30 }],
  [
    'only cached input',
    { input_tokens: 0, cache_read_input_tokens: 730 },
    { input_tokens: 0, cache_read_input_tokens: 730 },
  ],
])('the input at the end of a message replaces the one at its start: %s', (_, input, expected) => {
  const reading = readingOf('messages')
  const usage = { input_tokens: 700, cache_read_input_tokens: 30, output_tokens: 1 }
  reading.take(JSON.stringify({ type: 'message_start', message: { usage } }))
  const end = { type: 'message_delta', delta: { stop_reason: 'end_turn' } }
  reading.take(JSON.stringify({ ...end, usage: { ...input, output_tokens: 20 } }))
  expect(reading.reported()).toMatchObject({ usage: { ...expected, output_tokens: 20 } })
})

it('the usage in a completion is read', () => {
  const usage = { prompt_tokens: 19, completion_tokens: 13, total_tokens: 32 }
  const reading = readingOf('chat')
  reading.take(JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage }] }))
  expect(reading.complete).toBe(true)
  expect(reading.reported()).toMatchObject({ usage })
})

type Body = Readonly<Record<string, unknown>>

function readingOfLines(api: MeteredApi, lines: readonly object[]) {
  const reading = readingOf(api)
  for (const line of lines) reading.take(JSON.stringify(line))
  return reading.delivered
}

/** Returns the usage that is estimated from the lines of an interrupted stream, without the images of tools. */
function delivered(api: MeteredApi, body: Body, ...lines: readonly object[]) {
  return deliveredUsage(readingOfLines(api, lines), mediaRates(api, body))
}

/** Returns the usage of tools that is estimated from the lines of an interrupted response. */
function byTools(body: Body, ...lines: readonly object[]) {
  return deliveredByTools(readingOfLines('responses', lines), mediaRates('responses', body))
}
/**
 * Returns this number of bytes in base64. The bytes contain the name of a field, which does not appear in the base64
 * text.
 */
const base64 = (bytes: number) => Buffer.alloc(bytes, 'audio.delta').toString('base64')
/** Returns the output that is counted in the first `length` characters of an event whose rest was not delivered. */
function interrupted(api: MeteredApi, line: object, length: number) {
  const reading = readingOf(api)
  reading.takeInterrupted(JSON.stringify(line).slice(0, length))
  return deliveredUsage(reading.delivered, mediaRates(api, {}))
}
const chat = (delta: object) => ({ choices: [{ index: 0, delta, finish_reason: null }] })
const parts = (...all: readonly object[]) => ({ candidates: [{ content: { parts: all } }] })
const part = (mimeType: string, bytes: number) => ({ inlineData: { mimeType, data: base64(bytes) } })

it.each([
  ['one token a line', { pieces: 5, bytes: 6 }, { output_tokens: 5 }],
  ['four bytes a token', { pieces: 1, bytes: 41 }, { output_tokens: 11 }],
  ['nothing', {}, {}],
])('delivered text is estimated: %s', (_, counted, usage) => {
  expect(deliveredUsage({ ...NOTHING, ...counted }, mediaRates('chat', {}))).toEqual(usage)
})

it('audio of chat completions is a token for 2,400 bytes of PCM or 800 of MP3, beside its transcript', () => {
  const lines = [chat({ audio: { id: 'a', transcript: 'Hello' } }), chat({ audio: { data: base64(48_000) } })]
  const usage = { output_tokens: 22, output_audio_tokens: 20 }
  expect(delivered('chat', { audio: { format: 'pcm16' } }, ...lines)).toEqual(usage)
  expect(delivered('chat', { audio: { format: 'mp3' } }, ...lines)).toMatchObject({ output_audio_tokens: 60 })
})

it.each(['response.audio.delta', 'response.output_audio.delta'])('audio of responses: %s', (type) => {
  const transcript = { type: type.replace('.delta', '_transcript.delta'), delta: 'Hello' }
  const usage = { output_tokens: 22, output_audio_tokens: 20 }
  expect(delivered('responses', {}, { type, delta: base64(48_000) }, transcript)).toEqual(usage)
})

it.each([
  ['low', '1024x1024', 272],
  ['medium', '1024x1536', 1_584],
  ['high', '1024x1024', 4_160],
  ['auto', 'auto', 6_240],
])('an unfinished image is its tokens, and 100 for each part: %s, %s', (quality, size, tokens) => {
  const partial = (index: number) => ({ partial_image_index: index, quality, size })
  const of_images = [0, 1].map((index) => ({
    type: 'image_generation.partial_image',
    b64_json: base64(90_000),
    ...partial(index),
  }))
  const output = (images: number, parts: number) => {
    const output_tokens = images * tokens + parts * 100
    return { output_tokens, output_image_tokens: output_tokens }
  }
  const body = { model: 'gpt-image-1', quality, size }
  expect(delivered('images', body, ...of_images)).toEqual(output(1, 2))
  const end = { type: 'image_generation.completed', b64_json: base64(90_000) }
  expect(delivered('images', body, ...of_images, end)).toEqual(output(1, 2))
  const of_tool = [0, 1, 0].map((index) => ({
    type: 'response.image_generation_call.partial_image',
    partial_image_b64: base64(90_000),
    ...partial(index),
  }))
  const tools = [{ type: 'function' }, { type: 'image_generation', quality, size }]
  const using = { model: 'gpt-5', tools }
  expect(byTools(using, ...of_tool)).toEqual([{ model: 'gpt-image-1', usage: output(2, 3) }])
  expect(delivered('responses', using, ...of_tool)).toEqual({})
})

const ofImage = (type: string, more: object) => ({ type: `response.${type}`, output_index: 0, ...more })
const preview = (item_id: string, partial_image_index: number) =>
  ofImage('image_generation_call.partial_image', {
    item_id,
    partial_image_index,
    partial_image_b64: base64(99),
  })
const completed = (item_id: string) => ofImage('image_generation_call.completed', { item_id })
const finished = (id: string, result: string | null = base64(900)) =>
  ofImage('output_item.done', { item: { id, type: 'image_generation_call', status: 'completed', result } })

it.each([
  ['only its end', [finished('a')], 1, 0],
  ['its events at the end', [completed('a'), finished('a')], 1, 0],
  ['a preview and its end', [preview('a', 0), preview('a', 1), completed('a'), finished('a')], 1, 2],
  ['two images at once', [preview('a', 0), preview('b', 0), finished('b'), finished('a')], 2, 2],
  ['an image after another', [preview('a', 0), finished('a'), finished('b')], 2, 1],
  ['an image that failed', [finished('a', null)], 0, 0],
  ['an image that was begun', [ofImage('image_generation_call.generating', { item_id: 'a' })], 0, 0],
] as const)('an image of a tool is counted once: %s', (_, lines, images, previews) => {
  const tools = [{ type: 'image_generation', model: 'gpt-image-2', quality: 'low', size: '1024x1024' }]
  const tokens = images * 272 + previews * 100
  const usage = { output_tokens: tokens, output_image_tokens: tokens }
  expect(byTools({ tools }, ...lines)).toEqual(images === 0 ? [] : [{ model: 'gpt-image-2', usage }])
})

it('an image without usage is counted, for models that are priced by image', () => {
  const images = { data: [{ b64_json: base64(9) }, { url: 'https://example.com/1.png' }] }
  expect(delivered('images', { model: 'dall-e-3' }, images)).toEqual({ output_images: 2 })
})

it('media of Gemini are a token for 1,920 bytes of audio, and 1,290 or 2,000 for an image', () => {
  const audio = parts(part('audio/L16;codec=pcm;rate=24000', 48_000))
  expect(delivered('generate', {}, audio)).toEqual({ output_tokens: 25, output_audio_tokens: 25 })
  const image = parts({ text: 'Here' }, part('image/png', 90_000))
  expect(delivered('generate', {}, image)).toEqual({ output_tokens: 1_291, output_image_tokens: 1_290 })
  const large = { generationConfig: { imageConfig: { imageSize: '4K' } } }
  expect(delivered('generate', large, image)).toMatchObject({ output_image_tokens: 2_000 })
})

it('the output in an interrupted event is counted', () => {
  const text = chat({ content: 'x'.repeat(4_000) })
  expect(interrupted('chat', text, 2_000).output_tokens).toBeGreaterThan(450)
  const images = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${base64(90_000)}` } }]
  expect(interrupted('chat', chat({ images }), 100_000)).toMatchObject({ output_image_tokens: 6_240 })
  const call = parts({ functionCall: { name: 'write', args: { content: 'x'.repeat(4_000) } } })
  expect(interrupted('generate', call, 4_050).output_tokens).toBeGreaterThan(990)
  const audio = parts(part('audio/L16;codec=pcm;rate=24000', 48_000))
  expect(interrupted('generate', audio, 50_000).output_audio_tokens).toBeGreaterThan(18)
  const image = { type: 'image_generation.completed', b64_json: base64(90_000), usage: {} }
  expect(interrupted('images', image, 90_000)).toEqual({ output_images: 1 })
})

it('text of several megabytes with escapes is counted', () => {
  const content = '\n'.repeat(6_000_000)
  expect(delivered('chat', {}, chat({ content }))).toEqual({ output_tokens: 3_000_000 })
})

it('a line that repeats a pattern takes linear time', () => {
  const reading = readingOf('messages')
  const start_ms = performance.now()
  reading.take(`"content_block_start" ${'"type":"server_tool_use"'.repeat(100_000)}`)
  expect(performance.now() - start_ms).toBeLessThan(2_000)
})

it('a call that is nested very deeply is counted', () => {
  const depth = 100_000
  const reading = readingOf('generate')
  const args = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  reading.take(`{"candidates":[{"content":{"parts":[{"functionCall":{"args":${args}}}]}}]}`)
  expect(reading.delivered.bytes).toBeGreaterThan(6 * depth)
  const chunk = readingOf('chat')
  chunk.take(`{"choices":[{"message":{},"delta":{"content":"four","extra":${args}}}]}`)
  expect(chunk.delivered.bytes).toBe(4)
})

it('the input of a custom tool is output', () => {
  const tool_calls = [{ index: 0, type: 'custom', custom: { name: 'run', input: 'x'.repeat(40) } }]
  expect(delivered('chat', {}, chat({ tool_calls }))).toEqual({ output_tokens: 10 })
  expect(deliveredText('openai', JSON.stringify({ choices: [{ message: { tool_calls } }] })).bytes).toBe(40)
})

it('the arguments of function calls of Gemini are output', () => {
  const args = { content: 'x'.repeat(400) }
  expect(delivered('generate', {}, parts({ functionCall: { name: 'write', args } }))).toEqual({
    output_tokens: Math.ceil(JSON.stringify({ name: 'write', args }).length / 4),
  })
})

it('an image in a chat completion is an image', () => {
  const images = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${base64(90_000)}` } }]
  expect(delivered('chat', {}, chat({ images }))).toEqual({
    output_tokens: 6_240,
    output_image_tokens: 6_240,
  })
})

it('text that a chunk contains twice is counted once', () => {
  const reasoning = 'x'.repeat(40)
  expect(delivered('chat', {}, chat({ reasoning, reasoning_content: reasoning }))).toEqual({
    output_tokens: 10,
  })
  expect(delivered('chat', {}, chat({ reasoning, reasoning_content: null }))).toEqual({ output_tokens: 10 })
  expect(delivered('chat', {}, chat({ reasoning, reasoning_content: '' }))).toEqual({ output_tokens: 10 })
  // Perplexity sends all text so far with each chunk.
  const chunk = (count: number) => {
    const message = { role: 'assistant', content: 'x'.repeat(40 * count) }
    return { choices: [{ index: 0, message, delta: { content: 'x'.repeat(40) } }] }
  }
  expect(delivered('chat', {}, chunk(1), chunk(2), chunk(3))).toEqual({ output_tokens: 30 })
  expect(delivered('chat', {}, { choices: [{ message: { content: 'x'.repeat(40) } }] })).toEqual({
    output_tokens: 10,
  })
})

it('a summary of a compacted conversation is output', () => {
  const delta = { type: 'compaction_delta', content: 'x'.repeat(40) }
  expect(delivered('messages', {}, { type: 'content_block_delta', index: 0, delta })).toEqual({
    output_tokens: 10,
  })
})

it('reasoning in a list of parts is output', () => {
  const thinking = [{ type: 'text', text: 'x'.repeat(40) }]
  const content = [
    { type: 'thinking', thinking },
    { type: 'text', text: 'yes!' },
  ]
  expect(delivered('chat', {}, chat({ content }))).toEqual({ output_tokens: 11 })
})

it('searches are counted where a stream shows them', () => {
  const call = { type: 'response.web_search_call.in_progress', item_id: 'ws_1' }
  const done = { type: 'response.web_search_call.completed', item_id: 'ws_1' }
  expect(delivered('responses', {}, call, done)).toEqual({ web_searches: 1 })
  const file = (state: string) => ({ type: `response.file_search_call.${state}`, item_id: 'fs_1' })
  const lines = ['in_progress', 'searching', 'completed'].map(file)
  expect(delivered('responses', {}, ...lines)).toEqual({ storage_searches: 1 })
  const content_block = { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }
  expect(delivered('messages', {}, { type: 'content_block_start', index: 1, content_block })).toEqual({
    web_searches: 1,
  })
})

it('encrypted reasoning is output as far as it is longer than what was readable of it', () => {
  const item = { type: 'reasoning', summary: [], encrypted_content: base64(399) }
  const sealed = { type: 'response.output_item.done', item }
  const summary = { type: 'response.reasoning_summary_text.delta', delta: 'x'.repeat(300) }
  expect(delivered('responses', {}, sealed)).toEqual({ output_tokens: 100 })
  expect(delivered('responses', {}, summary, sealed)).toEqual({ output_tokens: 100 })
  expect(delivered('responses', {}, summary, sealed, sealed)).toEqual({ output_tokens: 200 })
  const thinking = {
    type: 'content_block_delta',
    delta: { type: 'thinking_delta', thinking: 'x'.repeat(800) },
  }
  const signature = {
    type: 'content_block_delta',
    delta: { type: 'signature_delta', signature: base64(399) },
  }
  expect(delivered('messages', {}, signature)).toEqual({ output_tokens: 100 })
  expect(delivered('messages', {}, thinking, signature)).toEqual({ output_tokens: 200 })
  const content_block = { type: 'redacted_thinking', data: base64(399) }
  expect(delivered('messages', {}, { type: 'content_block_start', content_block })).toEqual({
    output_tokens: 100,
  })
})

it.each([
  ['gpt-audio', { modalities: ['text', 'audio'] }, 'audio'],
  ['gpt-5', {}, undefined],
  ['gpt-5', { modalities: [1, null] }, undefined],
  ['gemini-2.5-flash-image', {}, 'image'],
  ['gemini-2.5-flash-image', { generationConfig: { responseModalities: ['TEXT'] } }, undefined],
  ['gemini-2.5-flash-preview-tts', { generationConfig: { responseModalities: ['AUDIO'] } }, 'audio'],
])('the hold of %s with %j is that of %s', (model, body, modality) => {
  expect(modalityOf(model, body)).toBe(modality)
})

it('the usage of a long response is read without a copy of its images', () => {
  const usage = { input_tokens: 50, output_tokens: 8320, total_tokens: 8370 }
  const images = Array.from({ length: 2 }, () => ({ b64_json: 'A'.repeat(1024 * 1024) }))
  const format = { api: 'images', dialect: 'openai', type: 'application/json' } as const
  const bytes = new TextEncoder().encode(JSON.stringify({ created: 1, data: images, usage }))
  const { reported, complete } = usageIn({ ...format, cuts: false, upload: undefined }, bytes)
  expect(complete).toBe(true)
  expect(reported).toEqual({ created: 1, data: [{ b64_json: '' }, { b64_json: '' }], usage })
})
