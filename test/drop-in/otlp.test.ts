import { gzipSync } from 'node:zlib'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { storedOf } from '../support/belongings.ts'
import { balanceOf, granted, type Json, listed, objects, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import {
  type Attributes,
  CHAT,
  exportOf,
  keyValues,
  metricsProtobuf,
  protobufOf,
  span,
  type TestSpan,
} from './spans.ts'

async function sent(key: string, body: unknown, headers: Record<string, string> = {}): Promise<Json> {
  const response = await api('/otlp/v1/traces', { key, body, headers })
  expect(response.status, await response.clone().text()).toBe(200)
  return jsonOf(response)
}

async function eventsOf(key: string): Promise<Json[]> {
  return listed(key, '/v1/events')
}

async function newKey(): Promise<string> {
  return (await createCustomer()).api_key
}

async function statusOf(key: string): Promise<Json> {
  const { otlp } = await read(key, '/v1/drop-in')
  return objects([otlp])[0] ?? {}
}

describe('a model call among spans', () => {
  it('is billed at its price, for its user, at its own time', async () => {
    const key = await newKey()
    const end_ms = Date.now() - 60_000
    const call = span({ ...CHAT, 'user.id': 'zoe' }, { end_ms })
    expect(await sent(key, exportOf([call]))).toEqual({})
    const [event] = await eventsOf(key)
    expect(event).toMatchObject({
      ...{ event_type: 'TOKEN_USAGE', feature_id: 'otlp', user_id: 'zoe', provider: 'OPENAI' },
      ...{ model: 'gpt-4o', usage: { input_tokens: 1000, output_tokens: 500 }, credits_burned: 15 },
      timestamp: new Date(end_ms).toISOString(),
      metadata: { trace_id: call.trace, span_id: call.id },
    })
  })

  it('is billed once, even if it is exported several times', async () => {
    const key = await newKey()
    const body = exportOf([span(CHAT), span(CHAT)])
    for (let i = 0; i < 3; i++) expect(await sent(key, body)).toEqual({})
    expect(await eventsOf(key)).toHaveLength(2)
    expect(await statusOf(key)).toMatchObject({ accepted: 2, duplicates: 4 })
  })

  it('is named by the headers of the exporter or the attributes of the resource', async () => {
    const key = await newKey()
    const headers = {
      'X-Meter-User-Attribute': 'app.tenant',
      'X-Meter-Team-Attribute': 'app.org',
      'X-Meter-Feature': 'support',
    }
    await sent(key, exportOf([span({ ...CHAT, 'app.tenant': 'zoe', 'app.org': 'red' })]), headers)
    await sent(key, exportOf([span(CHAT)], { 'enduser.id': 'kim', 'openmonetize.feature_id': 'search' }))
    const [second, first] = await eventsOf(key)
    expect(first).toMatchObject({ user_id: 'zoe', team_id: 'red', feature_id: 'support' })
    expect(second).toMatchObject({ user_id: 'kim', team_id: null, feature_id: 'search' })
  })
})

/**
 * The attributes of one model call with 1,000 input tokens and 500 output tokens, in the conventions of several
 * instrumentations. `cached` is the number of cached input tokens.
 */
const SPELLINGS: readonly (readonly [string, Attributes, { readonly cached?: number }])[] = [
  [
    'the current semantic conventions',
    { ...CHAT, 'gen_ai.usage.cache_read.input_tokens': 400 },
    { cached: 400 },
  ],
  [
    'the conventions of 2024',
    {
      ...{ 'gen_ai.system': 'openai', 'gen_ai.response.model': 'gpt-4o' },
      ...{ 'gen_ai.usage.prompt_tokens': 1000, 'gen_ai.usage.completion_tokens': 500 },
    },
    {},
  ],
  [
    'the AI SDK up to 6',
    {
      ...{ 'ai.operationId': 'ai.generateText.doGenerate', 'ai.model.provider': 'openai.chat' },
      ...{ 'ai.model.id': 'gpt-4o', 'ai.usage.promptTokens': 1000, 'ai.usage.completionTokens': 500 },
    },
    {},
  ],
  [
    'the AI SDK 5, with cached tokens',
    {
      ...{ 'ai.operationId': 'ai.streamText.doStream', 'ai.model.provider': 'openai.responses' },
      ...{ 'ai.response.model': 'gpt-4o', 'ai.usage.inputTokens': 1000, 'ai.usage.outputTokens': 500 },
      'ai.usage.cachedInputTokens': 400,
    },
    { cached: 400 },
  ],
  [
    'OpenLLMetry',
    {
      ...{ 'llm.request.type': 'chat', 'gen_ai.system': 'OpenAI', 'gen_ai.request.model': 'gpt-4o' },
      ...{ 'gen_ai.usage.prompt_tokens': 1000, 'gen_ai.usage.completion_tokens': 500 },
      ...{ 'gen_ai.usage.cache_read_input_tokens': 400, 'llm.usage.total_tokens': 1500 },
    },
    { cached: 400 },
  ],
  [
    'OpenInference',
    {
      ...{ 'openinference.span.kind': 'LLM', 'llm.provider': 'openai', 'llm.model_name': 'gpt-4o' },
      ...{ 'llm.token_count.prompt': 1000, 'llm.token_count.completion': 500, 'llm.token_count.total': 1500 },
      'llm.token_count.prompt_details.cache_read': 400,
    },
    { cached: 400 },
  ],
]

describe('usage in the spelling of', () => {
  it.each(SPELLINGS)('%s', async (_, attributes, { cached }) => {
    const key = await newKey()
    expect(await sent(key, exportOf([span(attributes)]))).toEqual({})
    const [event] = await eventsOf(key)
    expect(event).toMatchObject({
      model: 'gpt-4o',
      usage: { input_tokens: 1000, ...(cached !== undefined && { cache_read_tokens: cached }) },
      // Cached input tokens of gpt-4o cost half the price of input tokens.
      credits_burned: cached === undefined ? 15 : 14,
    })
    expect(event?.warnings ?? []).toEqual([])
  })
})

describe('a trace of an agent', () => {
  /**
   * Returns the trace of an agent that calls a model directly and calls a tool, which also calls the model. The agent's
   * own span also has a token count, which must not be billed.
   */
  function agentTrace(marks: Attributes, child: Attributes = CHAT): TestSpan[] {
    const agent = span({ ...CHAT, 'gen_ai.operation.name': 'invoke_agent', ...marks })
    const within = { trace: agent.trace, parent: agent.id }
    const tool = span({ 'gen_ai.operation.name': 'execute_tool' }, within)
    return [agent, span(child, within), tool, span(child, { ...within, parent: tool.id })]
  }

  it.each<[string, Attributes]>([
    ['the semantic conventions', {}],
    ['a workflow of OpenLLMetry', { 'gen_ai.operation.name': '', 'traceloop.span.kind': 'workflow' }],
    ['a chain of OpenInference', { 'gen_ai.operation.name': '', 'openinference.span.kind': 'CHAIN' }],
    ['the AI SDK', { 'gen_ai.operation.name': '', 'ai.operationId': 'ai.generateText' }],
    ['an agent of no operation', { 'gen_ai.operation.name': '', 'gen_ai.agent.name': 'planner' }],
  ])('is billed for its leaves once, as %s', async (_, marks) => {
    const key = await newKey()
    const trace = agentTrace(marks)
    expect(await sent(key, exportOf(trace))).toEqual({})
    // Sends the agent's span again, because it ends last and therefore often arrives in a later request.
    expect(await sent(key, exportOf(trace.slice(0, 1)))).toEqual({})
    const events = await eventsOf(key)
    expect(events.map(({ credits_burned }) => credits_burned)).toEqual([15, 15])
  })

  it('is billed for the inner call where two instrumentations record one call', async () => {
    const key = await newKey()
    const outer = span(CHAT)
    const inner = span(CHAT, { trace: outer.trace, parent: outer.id })
    await sent(key, exportOf([outer, inner]))
    const events = await eventsOf(key)
    expect(events.map(({ metadata }) => objects([metadata])[0]?.span_id)).toEqual([inner.id])
    expect(await statusOf(key)).toMatchObject({ accepted: 1, ignored: { not_a_leaf: 1 } })
  })

  it('ends for spans that name each other as parents', async () => {
    const key = await newKey()
    const one = span(CHAT, { id: '00000000000000aa', parent: '00000000000000bb' })
    const other = span(CHAT, { trace: one.trace, id: '00000000000000bb', parent: '00000000000000aa' })
    expect(await sent(key, exportOf([one, other]))).toEqual({})
  })
})

describe('a span that cannot be billed', () => {
  const cases: readonly (readonly [string, Attributes, string])[] = [
    [
      'a call without usage',
      { ...CHAT, 'gen_ai.usage.input_tokens': '', 'gen_ai.usage.output_tokens': '' },
      'no_usage',
    ],
    ['a call of an unknown provider', { ...CHAT, 'gen_ai.provider.name': 'nobody' }, 'unknown_provider'],
    ['a call without a provider', { ...CHAT, 'gen_ai.provider.name': '' }, 'no_provider'],
    ['a call without a model', { ...CHAT, 'gen_ai.request.model': '' }, 'no_model'],
    ['negative usage', { ...CHAT, 'gen_ai.usage.input_tokens': -5 }, 'invalid_request'],
    ['a user id of 300 characters', { ...CHAT, 'user.id': 'x'.repeat(300) }, 'invalid_request'],
  ]

  it.each(cases)('is rejected alone, with the reason: %s', async (_, attributes, reason) => {
    const key = await newKey()
    const { partialSuccess } = await sent(key, exportOf([span(attributes), span(CHAT)]))
    expect(partialSuccess).toMatchObject({
      rejectedSpans: 1,
      errorMessage: expect.stringContaining(reason),
    })
    expect(await eventsOf(key)).toHaveLength(1)
    expect(await statusOf(key)).toMatchObject({ accepted: 1, rejected: { [reason]: 1 } })
  })

  it('is rejected if its ids are not of OpenTelemetry', async () => {
    const key = await newKey()
    const { partialSuccess } = await sent(key, exportOf([span(CHAT, { id: 'abc' })]))
    expect(partialSuccess).toMatchObject({ rejectedSpans: 1, errorMessage: expect.stringMatching(/span id/) })
    expect(await eventsOf(key)).toEqual([])
  })

  it('is rejected 40 days after its time, and up to 35 days it is not', async () => {
    const key = await newKey()
    const days = (count: number) => ({ end_ms: Date.now() - count * 86_400_000 })
    const { partialSuccess } = await sent(key, exportOf([span(CHAT, days(40)), span(CHAT, days(30))]))
    expect(partialSuccess).toMatchObject({ rejectedSpans: 1, errorMessage: expect.stringMatching(/35 days/) })
  })

  it('is ignored if it is not a call of a model, or a failed call', async () => {
    const key = await newKey()
    const failed = span(
      { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai' },
      { error: true },
    )
    expect(await sent(key, exportOf([span({ 'http.request.method': 'GET' }), failed]))).toEqual({})
    expect(await eventsOf(key)).toEqual([])
    expect(await statusOf(key)).toMatchObject({
      rejected: {},
      ignored: { not_a_model_call: 1, failed_call: 1 },
    })
  })

  it('of an unknown model follows the burn table: flagged, or rejected', async () => {
    const key = await newKey()
    const unknown = { ...CHAT, 'gen_ai.request.model': 'gpt-99' }
    expect(await sent(key, exportOf([span(unknown)]))).toEqual({})
    expect((await eventsOf(key))[0]).toMatchObject({ model: 'gpt-99', credits_burned: 0, unrated: true })
    await api('/v1/burn-tables', { key, body: { name: 'strict', on_unpriced: 'reject' } })
    const { partialSuccess } = await sent(key, exportOf([span(unknown)]))
    expect(partialSuccess).toMatchObject({
      rejectedSpans: 1,
      errorMessage: expect.stringContaining('unpriced_model'),
    })
  })

  it('for lack of credits is rejected, and costs nothing', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'poor', amount: 1 })
    const { partialSuccess } = await sent(key, exportOf([span({ ...CHAT, 'user.id': 'poor' })]))
    expect(partialSuccess).toMatchObject({ errorMessage: expect.stringContaining('insufficient_credits') })
    expect(await balanceOf(key, '?user_id=poor')).toBe(1)
  })
})

it('content, costs and other attributes are not stored and not returned', async () => {
  const { api_key: key, customer_id } = await createCustomer()
  const canary = 'canary-4f1d'
  const attributes: Attributes = {
    ...CHAT,
    'gen_ai.prompt.0.content': canary,
    'gen_ai.input.messages': `[{"role":"user","content":"${canary}"}]`,
    'gen_ai.usage.cost': 99,
    'llm.usage.total_cost': 99,
    'openinference.input.value': canary,
  }
  expect(JSON.stringify(await sent(key, exportOf([span(attributes)])))).not.toContain(canary)
  expect((await eventsOf(key))[0]).toMatchObject({ credits_burned: 15 })
  expect(await storedOf(customer_id)).not.toContain(canary)
})

it('a span of 10,000 attributes is billed, in both encodings', async () => {
  const key = await newKey()
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`app.attribute.${i}`, i]))
  expect(await sent(key, exportOf([span({ ...many, ...CHAT })]))).toEqual({})
  expect((await sendProtobuf(key, protobufOf([span({ ...many, ...CHAT })]))).status).toBe(200)
  expect(await eventsOf(key)).toHaveLength(2)
})

it('one request may bill more model calls than one batch holds', async () => {
  const key = await newKey()
  await granted(key, { amount: 20_000 })
  const calls = Array.from({ length: 1_500 }, () => span(CHAT))
  expect(await sent(key, exportOf(calls))).toEqual({})
  expect(await statusOf(key)).toMatchObject({ accepted: 1_500 })
})

it('more than 20,000 spans are refused, even if they are small', async () => {
  const key = await newKey()
  const many = Array.from({ length: 20_001 }, () => span({}))
  const response = await sendProtobuf(key, protobufOf(many))
  expect(response.status).toBe(400)
  expect((await fieldsOf(response)).get(2)).toContain('20000')
  const spans = many.map(() => ({}))
  const body = { resourceSpans: [{ scopeSpans: [{ spans }] }] }
  expect((await api('/otlp/v1/traces', { key, body })).status).toBe(400)
})

function sendProtobuf(
  key: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  path = '/otlp/v1/traces',
): Promise<Response> {
  return api(path, { key, body, headers: { 'Content-Type': 'application/x-protobuf', ...headers } })
}

/**
 * Returns the numeric and text fields of a protobuf message by field number. With `inner`, reads the nested message
 * in the field with the number `inner`.
 */
async function fieldsOf(response: Response, inner?: number): Promise<Map<number, string | number>> {
  let reader = new BinaryReader(new Uint8Array(await response.arrayBuffer()))
  if (inner !== undefined) {
    expect(reader.tag()[0]).toBe(inner)
    reader = new BinaryReader(reader.bytes())
  }
  const fields = new Map<number, string | number>()
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    fields.set(field, type === 0 ? Number(reader.int64()) : reader.string())
  }
  return fields
}

describe('in protobuf', () => {
  it('a call is billed as in JSON, also compressed, and once in both encodings', async () => {
    const key = await newKey()
    const calls = [span({ ...CHAT, 'user.id': 'zoe' }), span(CHAT)]
    const end_ms = Date.now()
    const timed = calls.map((call) => ({ ...call, end_ms }))
    const response = await sendProtobuf(key, new Uint8Array(gzipSync(protobufOf(timed))), {
      'Content-Encoding': 'gzip',
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toBe('application/x-protobuf')
    expect((await response.arrayBuffer()).byteLength).toBe(0)
    expect(await sent(key, exportOf(timed))).toEqual({})
    const events = await eventsOf(key)
    expect(events.map(({ user_id, credits_burned }) => [user_id, credits_burned])).toEqual([
      [null, 15],
      ['zoe', 15],
    ])
  })

  it('a rejected span is named in the partial success', async () => {
    const key = await newKey()
    const response = await sendProtobuf(
      key,
      protobufOf([span({ ...CHAT, 'gen_ai.provider.name': 'nobody' })]),
    )
    const fields = await fieldsOf(response, 1)
    expect(fields.get(1)).toBe(1)
    expect(fields.get(2)).toContain('unknown_provider')
  })

  it('a request that is cut anywhere is refused with a status, or billed for its complete spans', async () => {
    const key = await newKey()
    const whole = protobufOf([span(CHAT)])
    for (let length = 1; length < whole.length; length += 7) {
      const response = await sendProtobuf(key, whole.slice(0, length))
      expect(response.status, String(length)).toBe(400)
      expect(response.headers.get('Content-Type')).toBe('application/x-protobuf')
      const fields = await fieldsOf(response)
      expect(fields.get(1)).toBe(3)
      expect(fields.get(2)).toContain('protobuf')
    }
    expect(await eventsOf(key)).toEqual([])
    expect(await statusOf(key)).toMatchObject({ accepted: 0, rejected: { unreadable: expect.any(Number) } })
  })

  it('a request with a flipped byte never causes an error', async () => {
    const key = await newKey()
    const whole = protobufOf([span(CHAT)])
    for (let at = 0; at < whole.length; at += 3) {
      const changed = whole.slice()
      changed[at] = (changed[at] ?? 0) ^ 0x81
      const { status } = await sendProtobuf(key, changed)
      expect([200, 400], String(at)).toContain(status)
    }
  })

  it('a refused key gets a response with a status', async () => {
    const response = await sendProtobuf('om_live_nobody', protobufOf([span(CHAT)]))
    expect(response.status).toBe(401)
    expect((await fieldsOf(response)).get(1)).toBe(16)
  })
})

describe('a request that is no export', () => {
  it.each(['[]', '"text"', '{"resourceSpans": 5}', '{'])('%s is a 400 with a message', async (body) => {
    const response = await api('/otlp/v1/traces', { key: await newKey(), body })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ status: 400, message: expect.stringMatching(/./) })
  })

  it('of another content type is a 415', async () => {
    const headers = { 'Content-Type': 'text/plain' }
    const response = await api('/otlp/v1/traces', { key: await newKey(), body: 'x', headers })
    expect(response.status).toBe(415)
  })

  it('above 4 MB is a 413, also when it is small before it is decoded', async () => {
    const key = await newKey()
    const body = new Uint8Array(gzipSync(new Uint8Array(5 * 1024 * 1024)))
    expect((await sendProtobuf(key, body, { 'Content-Encoding': 'gzip' })).status).toBe(413)
  })

  it('needs the scope events:write and nothing else', async () => {
    const { customer_id } = await createCustomer()
    const ingestOnly = await createKey(customer_id, { scopes: ['events:write'] })
    expect(await sent(ingestOnly.api_key, exportOf([span(CHAT)]))).toEqual({})
    expect((await api('/v1/drop-in', { key: ingestOnly.api_key })).status).toBe(403)
  })
})

it('unknown and odd fields of an export are accepted', async () => {
  const key = await newKey()
  const body = {
    schemaUrl: 'https://opentelemetry.io/schemas/1.40.0',
    resourceSpans: [
      null,
      { scopeSpans: 'none' },
      { scopeSpans: [{ spans: [null, 5, { traceId: 7, attributes: {}, droppedAttributesCount: 3 }] }] },
    ],
  }
  expect(await sent(key, body)).toEqual({})
})

/**
 * Returns an OTLP metrics export of Claude Code for one interval. Its token metric has a data point for each kind of
 * token.
 */
function tokenMetric(
  key: string,
  fields: { temporality?: number; kinds?: Record<string, number> } = {},
): Json {
  const { temporality = 1, kinds = { input: 100, output: 500, cacheRead: 400, cacheCreation: 500 } } = fields
  const end_ms = Date.now()
  const dataPoints = Object.entries(kinds).map(([type, value]) => ({
    attributes: keyValues({
      type,
      ...{ model: 'claude-sonnet-4-5-20250929', 'session.id': key, 'user.id': 'zoe', 'app.version': '2.1.0' },
    }),
    startTimeUnixNano: `${end_ms - 60_000}000000`,
    timeUnixNano: `${end_ms}000000`,
    asDouble: value,
  }))
  const tokens = { name: 'claude_code.token.usage', sum: { aggregationTemporality: temporality, dataPoints } }
  const cost = { name: 'claude_code.cost.usage', sum: { aggregationTemporality: 1, dataPoints } }
  return { resourceMetrics: [{ resource: {}, scopeMetrics: [{ metrics: [tokens, cost] }] }] }
}

/** Returns the export with only the data points of one kind of token. Some collectors split exports in this way. */
function onlyKind(body: Json, kind: string): unknown {
  return JSON.parse(JSON.stringify(body), (name, value) =>
    name === 'dataPoints'
      ? value.filter((point: unknown) => JSON.stringify(point).includes(`"${kind}"`))
      : value,
  )
}

async function sentMetrics(key: string, body: unknown): Promise<Json> {
  const response = await api('/otlp/v1/metrics', { key, body })
  expect(response.status, await response.clone().text()).toBe(200)
  return jsonOf(response)
}

describe('the token counters of Claude Code', () => {
  it('name the user of the resource, and not the installation that each data point names', async () => {
    const key = await newKey()
    const resource = { attributes: keyValues({ 'openmonetize.user_id': 'ann', 'user.id': 'host' }) }
    const [metrics] = (tokenMetric(key) as { resourceMetrics: [object] }).resourceMetrics
    expect(await sentMetrics(key, { resourceMetrics: [{ ...metrics, resource }] })).toEqual({})
    for (const event of await eventsOf(key)) expect(event).toMatchObject({ user_id: 'ann' })
  })

  it('become one event for each kind, model and interval, billed once in any form of sending', async () => {
    const key = await newKey()
    const body = tokenMetric(key)
    for (let i = 0; i < 2; i++) expect(await sentMetrics(key, body)).toEqual({})
    for (const kind of ['cacheRead', 'output'])
      expect(await sentMetrics(key, onlyKind(body, kind))).toEqual({})
    const events = await eventsOf(key)
    const of = { feature_id: 'claude_code', user_id: 'zoe', provider: 'ANTHROPIC' }
    for (const event of events) expect(event).toMatchObject({ ...of, model: 'claude-sonnet-4-5-20250929' })
    // The prices per million tokens are 3 USD for input, 15 USD for output, 0.30 USD for cache reads and 3.75 USD for
    // cache writes. The markup is 100 %.
    const billed = events.map(({ usage, credits_burned }) => [JSON.stringify(usage), credits_burned])
    expect(Object.fromEntries(billed)).toEqual({
      '{"input_tokens":100}': 0.6,
      '{"output_tokens":500}': 15,
      '{"input_tokens":400,"cache_read_tokens":400}': 0.24,
      '{"input_tokens":500,"cache_write_tokens":500}': 3.75,
    })
    expect(await statusOf(key)).toMatchObject({ accepted: 4, duplicates: 6 })
  })

  it('that are cumulative, or of no kind, are rejected', async () => {
    const key = await newKey()
    const cumulative = await sentMetrics(key, tokenMetric(key, { temporality: 2 }))
    expect(cumulative.partialSuccess).toMatchObject({
      rejectedDataPoints: 4,
      errorMessage: expect.stringContaining('delta'),
    })
    const unknown = await sentMetrics(key, tokenMetric(key, { kinds: { dreams: 5, output: 10 } }))
    expect(unknown.partialSuccess).toMatchObject({ rejectedDataPoints: 1 })
    expect(await eventsOf(key)).toMatchObject([{ usage: { output_tokens: 10 } }])
  })

  it('are read in protobuf too, and one event in both encodings', async () => {
    const key = await newKey()
    const body = tokenMetric(key)
    expect((await sendProtobuf(key, metricsProtobuf(body), {}, '/otlp/v1/metrics')).status).toBe(200)
    expect(await sentMetrics(key, body)).toEqual({})
    expect(await eventsOf(key)).toHaveLength(4)
    const broken = metricsProtobuf(body).slice(0, 40)
    expect((await sendProtobuf(key, broken, {}, '/otlp/v1/metrics')).status).toBe(400)
  })

  it('in a malformed export are a 400', async () => {
    const response = await api('/otlp/v1/metrics', { key: await newKey(), body: { resourceMetrics: 5 } })
    expect(response.status).toBe(400)
  })
})
