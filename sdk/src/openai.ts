import type { OpenMonetize } from './client.ts'
import { ConfigurationError } from './errors.ts'
import { type Api, type FetchClient, fetchOf, meteredFetch } from './wrappers/fetch.ts'
import {
  charsOf,
  isJson,
  type Json,
  Meter,
  type MeteredCall,
  type Metering,
  pick,
} from './wrappers/metering.ts'

export type { Metering, MeterOptions } from './wrappers/metering.ts'

const PRICED = ['object', 'model', 'usage', 'tool_usage', 'service_tier']

const APIS: readonly Api[] = [
  {
    name: 'chat',
    path: /\/chat\/completions$/,
    limits: ['max_completion_tokens', 'max_tokens'],
    input: ['messages', 'tools'],
    asksForUsage: true,
    read: (call, json) => {
      take(call, json)
      call.progress(charsOf(json.choices))
    },
  },
  {
    name: 'responses',
    path: /\/responses$/,
    limits: ['max_output_tokens'],
    input: ['input', 'instructions', 'tools'],
    read: (call, json) => {
      if (typeof json.delta === 'string') call.progress(json.delta.length)
      const response = isJson(json.response) ? json.response : json
      if (response.object !== 'response') return
      if (response === json) call.progress(charsOf(json.output))
      take(call, { ...response, output: toolCalls(response.output), tools: imageTools(response.tools) })
    },
  },
  { name: 'embeddings', path: /\/embeddings$/, input: ['input'], read: take },
  {
    name: 'images',
    path: /\/images\/generations$/,
    event_type: 'IMAGE_GENERATION',
    input: ['prompt'],
    read: (call, json, { size, quality }) => {
      take(call, json)
      // If the response has no usage, the model is priced per image.
      if (call.isFinal || !Array.isArray(json.data)) return
      call.isFinal = true
      call.extra = {
        image_count: json.data.length,
        ...(typeof size === 'string' && { image_size: size }),
        ...(typeof quality === 'string' && { quality }),
      }
    },
  },
]

function take(call: MeteredCall, json: Json): void {
  if (typeof json.model === 'string') call.model = json.model
  if (!isJson(json.usage)) return
  call.response = pick({ model: call.model, ...json }, [...PRICED, 'output', 'tools'])
  call.isFinal = true
}

/**
 * Returns the tool calls of an output without their content. Tool calls that the provider runs can have separate
 * prices.
 */
function toolCalls(output: unknown): Json[] {
  if (!Array.isArray(output)) return []
  return output
    .filter(isJson)
    .filter(({ type }) => String(type).endsWith('_call'))
    .map((item) => ({ type: item.type, ...(isJson(item.action) && { action: pick(item.action, ['type']) }) }))
}

/** Returns the image tools of a response. Their model determines the price of the images. */
function imageTools(tools: unknown): Json[] | undefined {
  const found = Array.isArray(tools)
    ? tools.filter(isJson).filter(({ type }) => type === 'image_generation')
    : []
  return found.length === 0 ? undefined : found.map((tool) => pick(tool, ['type', 'model']))
}

/**
 * Returns an OpenAI client that meters chat completions, responses, embeddings and image generations, including their
 * helpers and streams. `client` is not changed.
 *
 * @example
 * const openai = meter(new OpenAI(), om, { feature_id: 'chat', user_id: 'ada', hold: true })
 * const completion = await openai.chat.completions.create({ model: 'gpt-4o', messages })
 */
export function meter<T extends FetchClient<T>>(client: T, om: OpenMonetize, options: Metering = {}): T {
  if (typeof client?.withOptions !== 'function') {
    throw new ConfigurationError(
      'The first argument must be a client of the openai package, version 5 or newer.',
    )
  }
  return client.withOptions({ fetch: meteredFetch(fetchOf(client), new Meter(om, options, 'OPENAI'), APIS) })
}
