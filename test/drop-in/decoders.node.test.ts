import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { itemOfPayload } from '../../src/drop-in/litellm/payload.ts'
import { receive } from '../../src/drop-in/openmeter/cloud-events.ts'
import { spansOfJson } from '../../src/drop-in/otlp/json.ts'
import { itemsOfSpans } from '../../src/drop-in/otlp/model-calls.ts'
import { pointsOfJson } from '../../src/drop-in/otlp/points.ts'
import { spansOfProtobuf } from '../../src/drop-in/otlp/protobuf.ts'
import { wantedAttributes } from '../../src/drop-in/otlp/span.ts'
import { itemsOfPoints } from '../../src/drop-in/otlp/token-metrics.ts'
import { anyJson } from '../support/any-json.ts'
import { CHAT, exportOf, protobufOf, span } from './spans.ts'

/**
 * Checks with random inputs that the readers of other systems' formats never throw an error, and never return an event
 * without an idempotency key.
 */

const { seed, runs } = inject('fuzz')
const options = { numRuns: runs ?? 500, ...(seed !== undefined && { seed }) }

const isWanted = wantedAttributes(['app.user'])
const none = { user_attribute: 'app.user', team_attribute: undefined, feature_id: undefined }

function expectItems(spans: ReturnType<typeof spansOfJson>): void {
  if (!Array.isArray(spans)) {
    expect(spans.problem).toMatch(/./)
    return
  }
  for (const item of itemsOfSpans(spans, none)) {
    if (item.kind === 'event') expect(item.event.idempotency_key).toMatch(/^otlp:[0-9a-f]{32}:[0-9a-f]{16}$/)
  }
}

describe('the reader of', () => {
  it('protobuf accepts any bytes without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
        expectItems(spansOfProtobuf(bytes, isWanted)),
      ),
      options,
    )
  })

  it('protobuf accepts an export with any bytes changed', () => {
    const whole = protobufOf([span({ ...CHAT, 'app.user': 'zoe' }), span({ 'http.method': 'GET' })])
    const change = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(change, (changes) => {
        const bytes = whole.slice()
        for (const [at, byte] of changes) bytes[at] = byte
        expectItems(spansOfProtobuf(bytes, isWanted))
      }),
      options,
    )
  })

  it('JSON accepts any value, even in place of any part of an export', () => {
    const text = JSON.stringify(exportOf([span({ ...CHAT, 'app.user': 'zoe' })]))
    const parts = [...text.matchAll(/"[^"]*"|\d+/g)].map(([part]) => part)
    fc.assert(
      fc.property(anyJson, fc.nat(parts.length - 1), (value, index) => {
        expectItems(spansOfJson(value, isWanted))
        const changed = text.replace(parts[index] ?? '', () => JSON.stringify(value))
        const parsed = safeParse(changed)
        if (parsed !== undefined) expectItems(spansOfJson(parsed, isWanted))
      }),
      options,
    )
  })

  it('token metrics accept any value in any field of a point', () => {
    const fields = ['attributes', 'startTimeUnixNano', 'timeUnixNano', 'asInt', 'asDouble']
    const attributes = [{ key: 'type', value: { stringValue: 'input' } }]
    const point = { attributes, startTimeUnixNano: '1', timeUnixNano: '2', asInt: '3' }
    fc.assert(
      fc.property(fc.constantFrom(...fields), anyJson, (field, value) => {
        const changed = { ...point, asInt: field === 'asDouble' ? undefined : point.asInt, [field]: value }
        const metric = {
          name: 'claude_code.token.usage',
          sum: { aggregationTemporality: 1, dataPoints: [changed] },
        }
        const points = pointsOfJson({ resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] })
        if (!Array.isArray(points)) throw new Error(points.problem)
        for (const item of itemsOfPoints(points, none)) {
          if (item.item.kind === 'event') expect(item.item.event.idempotency_key).toMatch(/^otlp:/)
        }
      }),
      options,
    )
  })

  it("LiteLLM's log accepts any value in any field", () => {
    const fields = [
      'id',
      'model',
      'metadata',
      'response',
      'end_user',
      'endTime',
      'custom_llm_provider',
      'usage',
      'call_type',
      'prompt_tokens',
    ]
    const payload = {
      ...{ id: 'x', model: 'gpt-4o', custom_llm_provider: 'openai', prompt_tokens: 1, completion_tokens: 1 },
    }
    fc.assert(
      fc.property(fc.constantFrom(...fields), anyJson, (field, value) => {
        const item = itemOfPayload({ ...payload, [field]: value }, 'litellm')
        if (item.kind === 'event') expect(item.event.idempotency_key).toMatch(/^litellm:/)
        const response = { usage: { prompt_tokens: value, total_tokens: 2 } }
        itemOfPayload({ ...payload, custom_llm_provider: 'xai', response }, 'litellm')
        itemOfPayload(value, 'litellm')
      }),
      options,
    )
  })

  it('CloudEvents accepts any value in any attribute', () => {
    const mapping = { type: 't', feature_id: 'f', unit: 'u', quantity: '/a/0' }
    const event = { id: 'x', source: 's', type: 't', data: { a: [1] } }
    const fields = ['id', 'source', 'type', 'subject', 'time', 'specversion', 'data', 'data_base64']
    fc.assert(
      fc.property(fc.constantFrom(...fields), anyJson, (field, value) => {
        const { item } = receive({ ...event, [field]: value }, 0, [mapping])
        if (item.kind === 'event') expect(item.event.idempotency_key).toMatch(/^openmeter:/)
        receive(value, 0, [mapping])
      }),
      options,
    )
  })
})

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
