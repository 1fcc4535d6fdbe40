import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { estimateInput } from '../../src/gateway/request/estimate.ts'
import type { Dialect } from '../../src/provider-keys/providers.ts'
import { anyJson } from '../support/any-json.ts'

const { seed, runs } = inject('fuzz')
const options = { numRuns: runs ?? 1000, ...(seed !== undefined && { seed }) }

const PROSE = 'word '.repeat(20_000)
const FILE = Buffer.from(PROSE).toString('base64')
const LINES = FILE.replace(/(.{76})/g, '$1\r\n')

function held(dialect: Dialect, body: object): number {
  const text = JSON.stringify(body)
  return estimateInput(dialect, body, { text, bytes: Buffer.byteLength(text) }).held
}

const asText = (body: object) => Math.ceil(JSON.stringify(body).length / 3)
const user = (...content: object[]) => ({ messages: [{ role: 'user', content }] })
const parts = (...all: object[]) => ({ contents: [{ role: 'user', parts: all }] })
const input = (...content: object[]) => ({ input: [{ role: 'user', content }] })
const source = (more: object) => user({ type: 'document', source: { type: 'base64', ...more } })

const TEXTS: readonly (readonly [string, Dialect, object])[] = [
  ['a text with the prefix of a data URL', 'openai', user({ type: 'text', text: `data:image/ ${PROSE}` })],
  ['a text that begins with data:', 'openai', { messages: [{ role: 'user', content: `data: ${PROSE}` }] }],
  ['a whole data URL as text', 'openai', user({ type: 'text', text: `data:image/png;base64,${FILE}` })],
  ['prose in an image URL', 'openai', user({ image_url: { url: `data:image/png;base64,${PROSE}` } })],
  ['an image URL without base64', 'openai', user({ image_url: { url: `data:image/svg+xml,${PROSE}` } })],
  ['prose in a file', 'openai', user({ file: { file_data: PROSE } })],
  ['prose as audio', 'openai', user({ input_audio: { data: PROSE, format: 'wav' } })],
  ['a web address in an annotation', 'openai', input({ annotations: [{ url: 'https://example.com' }] })],
  [
    'a result of a function',
    'google',
    parts({ functionResponse: { response: { data: PROSE, format: 'csv' } } }),
  ],
  ['an image in a result', 'google', parts({ functionResponse: { response: { inlineData: png(FILE) } } })],
  ['an image in arguments', 'google', parts({ functionCall: { args: { inlineData: png(FILE) } } })],
  ['prose as inline data', 'google', parts({ inlineData: { mimeType: 'image/png', data: PROSE } })],
  ['a source of plain text', 'anthropic', source({ type: 'text', media_type: 'image/png', data: FILE })],
  [
    'arguments of a tool',
    'anthropic',
    user({ type: 'tool_use', input: { source: { media_type: 'image/png', data: FILE } } }),
  ],
  [
    'an example in a schema',
    'openai',
    { tools: [{ parameters: { image_url: `data:image/png;base64,${FILE}` } }] },
  ],
  ['a type that is no string', 'anthropic', user({ type: { toString: 1 }, input: { data: PROSE } })],
]

function png(data: string) {
  return { mimeType: 'image/png', data }
}

it.each(TEXTS)('is held as text: %s', (_, dialect, body) => {
  expect(held(dialect, body)).toBe(asText(body))
})

const BYTES = Math.floor(FILE.length * 0.75)
const FILES: readonly (readonly [string, Dialect, (file: string) => object, number])[] = [
  [
    'an image of chat completions',
    'openai',
    (file) => user({ image_url: { url: `data:image/png;base64,${file}` } }),
    3_000,
  ],
  [
    'an image of responses',
    'openai',
    (file) => input({ image_url: `DATA:IMAGE/PNG;x=1;base64,${file}` }),
    3_000,
  ],
  ['a document', 'openai', (file) => input({ file_data: `data:application/pdf;base64,${file}` }), BYTES / 5],
  ['a document without a prefix', 'openai', (file) => user({ file: { file_data: file } }), BYTES / 5],
  [
    'a document that claims to be an image',
    'openai',
    (file) => input({ file_data: `data:image/png;base64,${file}` }),
    BYTES / 5,
  ],
  ['audio', 'openai', (file) => user({ input_audio: { data: file, format: 'wav' } }), BYTES / 50],
  [
    'audio as a data URL',
    'openai',
    (file) => user({ input_audio: { data: `data:;base64,${file}` } }),
    BYTES / 50,
  ],
  ['an image of Anthropic', 'anthropic', (file) => source({ media_type: 'image/png', data: file }), 5_000],
  [
    'an image in a result of a tool',
    'anthropic',
    (file) => user({ type: 'tool_result', content: [{ source: { media_type: 'image/png', data: file } }] }),
    5_000,
  ],
  [
    'a text file',
    'google',
    (file) => parts({ inline_data: { mime_type: 'text/csv', data: file } }),
    BYTES / 3,
  ],
  [
    'a JSON file',
    'google',
    (file) => parts({ inlineData: { mimeType: 'application/json', data: file } }),
    BYTES / 3,
  ],
  ['a video', 'google', (file) => parts({ inlineData: { mimeType: 'video/mp4', data: file } }), BYTES / 150],
  [
    'an image of a function',
    'google',
    (file) => parts({ functionResponse: { response: {}, parts: [{ inlineData: png(file) }] } }),
    3_000,
  ],
]

it.each(FILES)('is held as a file: %s', (_, dialect, bodyOf, tokens) => {
  const around = asText(bodyOf(''))
  expect(Math.abs(held(dialect, bodyOf(FILE)) - (around + tokens))).toBeLessThan(30)
  expect(held(dialect, bodyOf(LINES))).toBeLessThan(asText(bodyOf(LINES)) * 0.85)
  expect(held(dialect, bodyOf(PROSE))).toBe(asText(bodyOf(PROSE)))
})

it('holds the tokens of a reference for each file that the body names by URL', () => {
  const web = 'https://example.com/file'
  const bodies = [
    user({ image_url: { url: web } }),
    input({ image_url: web }, { file_url: web }),
    user({ type: 'file', file: { file_data: web } }),
    user({ type: 'image', source: { type: 'url', url: web } }),
    parts({ fileData: { fileUri: web } }),
  ]
  const references = bodies.map((body) => (held('openai', body) - asText(body)) / 16_000)
  expect(references).toEqual([1, 2, 1, 1, 1])
})

it('any JSON has an estimate', () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      const body = { contents: value, input: value }
      expect(held('google', body)).toBeGreaterThanOrEqual(0)
    }),
    options,
  )
})
