import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { OpenTelemetry } from '@ai-sdk/otel'
import { OpenMeter } from '@openmeter/sdk'
import { SpanStatusCode, type Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import { CloudEvent, emitterFor, httpTransport, Mode } from 'cloudevents'
import Stripe from 'stripe'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { sharedServer } from '../support/shared-server.ts'
import { CHAT } from './spans.ts'

/** Runs the unmodified clients of other metering systems against the server of `npm start`. */

type Json = Readonly<Record<string, unknown>>

let url = ''
let key = ''

beforeAll(async () => {
  url = await sharedServer()
}, 120_000)

beforeEach(async () => {
  const { api_key } = await post('/v1/customers/register', {
    name: 'Drop-in clients',
    email: `${randomUUID()}@example.com`,
  })
  key = String(api_key)
})

async function post(path: string, body: unknown, method = 'POST'): Promise<Json> {
  const headers = {
    'Content-Type': 'application/json',
    ...(key !== '' && { Authorization: `Bearer ${key}` }),
  }
  const isRegistration = path.endsWith('/register')
  const response = await fetch(url + path, {
    method,
    headers: isRegistration ? { 'Content-Type': 'application/json' } : headers,
    body: JSON.stringify(body),
  })
  return z.record(z.string(), z.unknown()).parse(await response.json())
}

async function events(): Promise<Json[]> {
  const response = await fetch(`${url}/v1/events?limit=100`, { headers: { Authorization: `Bearer ${key}` } })
  const { data } = z.object({ data: z.array(z.record(z.string(), z.unknown())) }).parse(await response.json())
  return data
}

/**
 * Starts a proxy that forwards all requests. It returns 503 for the first request, as if the server's response were
 * lost.
 */
async function losingFirstAnswer(): Promise<{ url: string; requests: () => number; close: () => void }> {
  let requests = 0
  const server = createServer(async (request, response) => {
    requests += 1
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      ['authorization', 'content-type', 'content-encoding', 'x-meter-feature'].includes(name)
        ? [[name, String(value)] as [string, string]]
        : [],
    )
    const body = Buffer.concat(chunks)
    const answer = await fetch(url + (request.url ?? ''), { method: 'POST', headers, body })
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (requests === 1) response.writeHead(503).end()
    else
      response
        .writeHead(answer.status, { 'Content-Type': answer.headers.get('Content-Type') ?? '' })
        .end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the proxy has no address')
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests: () => requests,
    close: () => server.close(),
  }
}

describe.each([
  ['JSON', JsonExporter],
  ['protobuf', ProtobufExporter],
] as const)("OpenTelemetry's own exporter, in %s", (_, Exporter) => {
  function traced(exporter: SpanExporter): { tracer: Tracer; flush: () => Promise<void> } {
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'shop' }),
      spanProcessors: [new BatchSpanProcessor({ exporter })],
    })
    return { tracer: provider.getTracer('test'), flush: () => provider.forceFlush() }
  }

  it('sends the trace of an agent, which is billed for its calls once, also when the response is lost', async () => {
    const lossy = await losingFirstAnswer()
    const exporter = new Exporter({
      url: `${lossy.url}/otlp/v1/traces`,
      headers: { Authorization: `Bearer ${key}`, 'X-Meter-Feature': 'support' },
    })
    const { tracer, flush } = traced(exporter)
    await tracer.startActiveSpan('invoke_agent', async (agent) => {
      agent.setAttributes({ ...CHAT, 'gen_ai.operation.name': 'invoke_agent' })
      for (let i = 0; i < 3; i++) {
        const call = tracer.startSpan('chat gpt-4o')
        call.setAttributes({ ...CHAT, 'user.id': 'zoe', 'gen_ai.prompt': 'secret' })
        call.end()
      }
      const failed = tracer.startSpan('chat gpt-4o')
      failed.setAttributes({ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai' })
      failed.setStatus({ code: SpanStatusCode.ERROR })
      failed.end()
      agent.end()
    })
    await flush()
    expect((await events()).map((event) => [event.feature_id, event.user_id, event.credits_burned])).toEqual(
      Array(3).fill(['support', 'zoe', 15]),
    )
    expect(lossy.requests()).toBe(2)
    await exporter.shutdown()
    lossy.close()
  })

  it('is refused with a wrong key, and reports it', async () => {
    const exporter = new Exporter({
      url: `${url}/otlp/v1/traces`,
      headers: { Authorization: 'Bearer wrong' },
    })
    const { tracer, flush } = traced(exporter)
    const call = tracer.startSpan('chat')
    call.setAttributes(CHAT)
    call.end()
    await flush().catch(() => {})
    expect(await events()).toEqual([])
    await exporter.shutdown()
  })
})

describe('the AI SDK with its telemetry', () => {
  /** Returns an OpenAI provider of the AI SDK whose calls get these responses in order. */
  function upstream(answers: readonly (() => Response)[]) {
    let asked = 0
    return createOpenAI({
      apiKey: 'none',
      fetch: async () => {
        const answer = answers[asked++]
        if (!answer) throw new Error('the script has ended')
        return answer()
      },
    })
  }

  const usage = {
    prompt_tokens: 1000,
    completion_tokens: 500,
    total_tokens: 1500,
    prompt_tokens_details: { cached_tokens: 400 },
  }
  const completion = (message: object, finish_reason: string) => () =>
    Response.json({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-4o-2024-08-06',
      choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason }],
      usage,
    })
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }

  async function meteredBy(
    run: (telemetry: { integrations: OpenTelemetry }) => Promise<void>,
  ): Promise<void> {
    const exporter = new ProtobufExporter({
      url: `${url}/otlp/v1/traces`,
      headers: { Authorization: `Bearer ${key}` },
    })
    const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] })
    await run({ integrations: new OpenTelemetry({ tracer: provider.getTracer('ai') }) })
    await provider.forceFlush()
    await exporter.shutdown()
  }

  it('bills each step of a generation with tools once, with its cached tokens', async () => {
    const openai = upstream([
      completion({ tool_calls: [call] }, 'tool_calls'),
      completion({ content: 'Sunny' }, 'stop'),
    ])
    await meteredBy(async (telemetry) => {
      const result = await generateText({
        model: openai.chat('gpt-4o'),
        prompt: 'weather in Rome?',
        stopWhen: stepCountIs(3),
        tools: {
          weather: tool({ inputSchema: z.object({ city: z.string() }), execute: async () => 'sunny' }),
        },
        telemetry,
      })
      expect(result.text).toBe('Sunny')
    })
    expect(
      (await events()).map(({ model, usage: used, credits_burned }) => ({ model, used, credits_burned })),
    ).toEqual(
      Array(2).fill({
        model: 'gpt-4o-2024-08-06',
        used: { input_tokens: 1000, cache_read_tokens: 400, output_tokens: 500 },
        credits_burned: 14,
      }),
    )
  })

  it('bills a stream once', async () => {
    const chunk = (fields: object) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [], ...fields })}\n\n`
    const text = [
      chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'Hi' } }] }),
      chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
      chunk({ usage: { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 } }),
      'data: [DONE]\n\n',
    ].join('')
    const stream = () => new Response(text, { headers: { 'Content-Type': 'text/event-stream' } })
    await meteredBy(async (telemetry) => {
      const result = streamText({ model: upstream([stream]).chat('gpt-4o'), prompt: 'hello', telemetry })
      expect(await result.text).toBe('Hi')
    })
    expect(await events()).toMatchObject([{ model: 'gpt-4o', credits_burned: 15 }])
  })
})

describe('OpenMeter', () => {
  const mapping = { type: 'prompt', feature_id: 'chat', unit: 'prompts', quantity: '/count' }
  beforeEach(() => post('/v1/drop-in/openmeter', { mappings: [mapping] }, 'PUT'))

  it('ingests with its SDK, alone and in batches, once for each id', async () => {
    const client = new OpenMeter({ baseUrl: `${url}/openmeter`, apiKey: key })
    const event = {
      id: randomUUID(),
      source: 'app',
      type: 'prompt',
      subject: 'zoe',
      time: new Date(),
      data: { count: 2 },
    }
    await client.events.ingest(event)
    await client.events.ingest([event, { ...event, id: randomUUID(), data: { count: 3 } }])
    expect((await events()).map(({ user_id, usage }) => [user_id, usage])).toEqual([
      ['zoe', { custom: { prompts: 3 } }],
      ['zoe', { custom: { prompts: 2 } }],
    ])
    await expect(client.events.ingest({ ...event, id: 'nope', type: 'unknown' })).rejects.toThrow(
      /nope \(no_mapping\)/,
    )
  })

  it('reads a meter and an entitlement with its SDK', async () => {
    const client = new OpenMeter({ baseUrl: `${url}/openmeter`, apiKey: key })
    await client.events.ingest({ type: 'prompt', subject: 'zoe', data: { count: 4 } })
    const limit = {
      feature_id: 'chat',
      user_id: 'zoe',
      limit_type: 'HARD',
      limit_value: 10,
      unit: 'events',
      period: 'MONTHLY',
    }
    await post('/v1/entitlements', limit)
    await post('/v1/users', { user_id: 'zoe' })
    await vi.waitFor(
      async () => {
        const result = await client.meters.query('prompt', { subject: ['zoe'], windowSize: 'DAY' })
        expect(result?.data).toMatchObject([{ value: 4, subject: 'zoe', windowStart: expect.any(Date) }])
      },
      { timeout: 30_000, interval: 500 },
    )
    const value = await client.customers.entitlementsV1.value('zoe', 'chat')
    expect(value).toMatchObject({ hasAccess: true })
  })

  it.each([Mode.BINARY, Mode.STRUCTURED])('accepts CloudEvents of their own SDK in %s mode', async (mode) => {
    const send = httpTransport(`${url}/openmeter/api/v1/events`)
    const emit = emitterFor(send, { mode })
    const event = new CloudEvent({ type: 'prompt', source: '/app', subject: 'zoe', data: { count: 5 } })
    for (let i = 0; i < 2; i++) await emit(event, { headers: { Authorization: `Bearer ${key}` } })
    expect(await events()).toMatchObject([{ user_id: 'zoe', usage: { custom: { prompts: 5 } } }])
  })
})

it("stripe-node sends meter events, which are billed once, and reads our refusal as Stripe's", async () => {
  const mapping = { type: 'requests', feature_id: 'api', unit: 'api_calls', quantity: '/value' }
  await post('/v1/drop-in/openmeter', { mappings: [mapping] }, 'PUT')
  const { host, port, protocol } = new URL(url)
  const httpClient = Stripe.createFetchHttpClient((input: RequestInfo | URL, init?: RequestInit) => {
    const { pathname, search } = new URL(String(input))
    return fetch(`${url}/stripe${pathname}${search}`, init)
  })
  const stripe = new Stripe(key, {
    host,
    port,
    protocol: protocol === 'http:' ? 'http' : 'https',
    httpClient,
  })
  const event = {
    event_name: 'requests',
    identifier: randomUUID(),
    payload: { value: '25', stripe_customer_id: 'cus_1' },
  }
  for (let i = 0; i < 2; i++) {
    expect(await stripe.billing.meterEvents.create(event)).toMatchObject({ object: 'billing.meter_event' })
  }
  expect(await events()).toMatchObject([{ user_id: 'cus_1', usage: { custom: { api_calls: 25 } } }])
  const unknown = stripe.billing.meterEvents.create({ ...event, event_name: 'other', identifier: 'x' })
  await expect(unknown).rejects.toThrow(/no_mapping/)
})
