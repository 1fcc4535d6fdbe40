import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import type { MeteredApi } from '../../src/gateway/dialect.ts'
import { type CallRequest, readCall } from '../../src/gateway/request/call-request.ts'
import { anyJson } from '../support/any-json.ts'

const { seed, runs } = inject('fuzz')
const options = { numRuns: runs ?? 1000, ...(seed !== undefined && { seed }) }

const APIS: readonly MeteredApi[] = [
  'chat',
  'responses',
  'messages',
  'generate',
  'embeddings',
  'images',
  'speech',
]
const FIELDS = [
  'max_tokens',
  'max_output_tokens',
  'n',
  'tools',
  'stream_options',
  'generationConfig',
  'modalities',
  'audio',
  'size',
  'quality',
  'service_tier',
  'speed',
  'inference_geo',
  'max_tool_calls',
  'generation_config',
]

it('a call is read with any values in its fields', () => {
  fc.assert(
    fc.property(fc.constantFrom(...APIS), fc.constantFrom(...FIELDS), anyJson, (api, field, value) => {
      const read = readCall(
        { kind: 'metered', event_type: 'TOKEN_USAGE', api },
        { model: 'm', [field]: value },
      )
      expect(read).toMatchObject({ kind: 'read', call: { model: 'm', answers: expect.any(Number) } })
    }),
    options,
  )
})

function read(api: MeteredApi, body: object, model = 'm'): CallRequest {
  const result = readCall({ kind: 'metered', event_type: 'TOKEN_USAGE', api }, { model, ...body })
  if (result.kind !== 'read') throw new Error(result.message)
  return result.call
}

const config = (fields: object) => ({ generationConfig: fields })
const snake = (fields: object) => ({ generation_config: fields })

it.each<readonly [MeteredApi, object, Partial<CallRequest>]>([
  ['generate', config({ candidateCount: 8 }), { answers: 8 }],
  ['generate', config({ candidate_count: '8' }), { answers: 8 }],
  ['generate', snake({ candidate_count: 8.0 }), { answers: 8 }],
  ['generate', { ...config({ candidateCount: 1 }), ...snake({ candidate_count: 8 }) }, { answers: 8 }],
  ['generate', config({ maxOutputTokens: '65536' }), { max_output: 65_536 }],
  ['generate', snake({ max_output_tokens: '6.5536e4' }), { max_output: 65_536 }],
  [
    'generate',
    snake({ maxOutputTokens: 9 }),
    { limits: [{ path: ['generation_config', 'maxOutputTokens'] }] },
  ],
  ['generate', snake({}), { limits: [{ path: ['generation_config', 'maxOutputTokens'] }] }],
  ['generate', {}, { limits: [{ path: ['generationConfig', 'maxOutputTokens'] }] }],
  ['generate', config({ responseModalities: ['AUDIO'] }), { modality: 'audio' }],
  ['generate', snake({ response_modalities: ['AUDIO'] }), { modality: 'audio' }],
  ['generate', config({ response_modalities: 'AUDIO' }), { modality: 'audio' }],
  ['generate', config({ responseModalities: [1, 2] }), { modality: 'image' }],
  ['generate', { tools: [{ google_search: {} }] }, { searches: { web_searches: 5 } }],
  ['generate', { tools: { googleSearch: {} } }, { searches: { web_searches: 5 } }],
  ['generate', { tools: [{ googleMaps: {} }] }, { searches: { map_searches: 5 } }],
  ['generate', { tools: [{ functionDeclarations: [{ description: 'Asks Google' }] }] }, { searches: {} }],
  ['generate', { serviceTier: 'SERVICE_TIER_PRIORITY' }, { service_tier: 'PRIORITY' }],
  ['generate', { service_tier: 'flex' }, { service_tier: 'flex' }],
  [
    'chat',
    { max_tokens: 900, max_completion_tokens: 1 },
    {
      max_output: 900,
      limits: [
        { path: ['max_completion_tokens'], tokens: 1 },
        { path: ['max_tokens'], tokens: 900 },
      ],
    },
  ],
  ['chat', { max_tokens: 900, max_completion_tokens: null }, { max_output: 900 }],
  ['chat', { max_tokens: '900', n: '3' }, { max_output: 900, answers: 3 }],
  ['chat', {}, { limits: [{ path: ['max_completion_tokens'] }] }],
  ['chat', { web_search_options: {} }, { searches: { web_searches: 5 } }],
  ['responses', { tools: [{ type: 'file_search' }] }, { searches: { storage_searches: 5 } }],
  [
    'responses',
    { tools: [{ type: 'web_search_preview' }, { type: 'file_search' }], max_tool_calls: 9 },
    { searches: { web_searches: 9, storage_searches: 9 } },
  ],
  ['responses', { tools: [{ type: 'x_search' }] }, { searches: { social_searches: 5 } }],
  ['responses', { tools: [{ type: 'code_interpreter' }] }, { searches: { code_executions: 5 } }],
  ['chat', { tools: [{ type: 'openrouter:web_search' }] }, { searches: { web_searches: 5 } }],
  ['chat', { plugins: [{ id: 'web', max_results: 3 }] }, { searches: { web_searches: 5 } }],
  ['chat', { plugins: [{ id: 'file-parser' }] }, { searches: {} }],
  [
    'messages',
    { tools: [{ type: 'web_search_20250305', max_uses: '7' }] },
    { searches: { web_searches: 7 } },
  ],
  ['messages', { inference_geo: 'us' }, { region: 'us' }],
  ['messages', { speed: 'fast', service_tier: 'auto' }, { service_tier: 'fast' }],
  ['images', { n: '3', model: 'dall-e-3' }, { beside: { output_images: 3 } }],
])('a call of %s is read with every spelling of a field: %j', (api, body, fields) => {
  expect(read(api, body, Object.hasOwn(body, 'model') ? 'dall-e-3' : 'm')).toMatchObject(fields)
})

it.each(['auto', 'Default', 'SERVICE_TIER_STANDARD', 'unspecified', 'batch'])(
  'the tier %s has the price of the standard tier until the response names another one',
  (service_tier) => {
    expect(read('chat', { service_tier })).not.toHaveProperty('service_tier')
  },
)

it.each(['4K', '1K'])('an image of Gemini in %s has the same tokens in both spellings', (imageSize) => {
  const image_tokens = imageSize === '4K' ? 2_000 : 1_290
  expect(read('generate', config({ imageConfig: { imageSize } })).media).toMatchObject({ image_tokens })
  const spelled = snake({ image_config: { image_size: imageSize } })
  expect(read('generate', spelled).media).toMatchObject({ image_tokens })
})

it.each(['x'.repeat(65), 'x'.repeat(3_000_000), '1024\u00001024', '\ud800', ''])(
  'a name that an event cannot contain is not read: %#',
  (name) => {
    const call = read('images', { size: name, quality: name, service_tier: name })
    expect(call).not.toHaveProperty('image_size')
    expect(call).not.toHaveProperty('quality')
    expect(call).not.toHaveProperty('service_tier')
  },
)

it.each(['', 'x'.repeat(256), 'gpt-4o\n', 'gpt\u0000', '\ud800', 7, null])(
  'a call with the model %j is refused',
  (model) => {
    const endpoint = { kind: 'metered', event_type: 'TOKEN_USAGE', api: 'chat' } as const
    expect(readCall(endpoint, { model })).toEqual({
      kind: 'invalid',
      path: '/model',
      message: 'must be the name of a model, of 1 to 255 characters, without control characters',
    })
  },
)
