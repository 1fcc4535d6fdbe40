import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import type { MeteredApi } from '../../src/gateway/dialect.ts'
import { readCall } from '../../src/gateway/request/call-request.ts'
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
