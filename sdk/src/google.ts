import type { OpenMonetize } from './client.ts'
import { ConfigurationError } from './errors.ts'
import {
  charsOf,
  isJson,
  type Json,
  Meter,
  type MeteredCall,
  type Metering,
  numberOf,
  pick,
  textOf,
} from './wrappers/metering.ts'

export type { Metering, MeterOptions } from './wrappers/metering.ts'

type Method = (params: Json) => Promise<unknown>

/**
 * The internal methods that are metered. Each of them sends one request. A public method can run tools and send several
 * requests.
 */
const METHODS: Readonly<Record<string, (meter: Meter, inner: Method) => Method>> = {
  generateContentInternal: unary,
  generateContentStreamInternal: streamed,
  embedContentInternal: unary,
  generateImagesInternal: unary,
}

/**
 * Returns a client of Google's Gen AI SDK that meters content generation, embeddings, image generation and chats.
 * `client` is not changed.
 *
 * @example
 * const ai = meter(new GoogleGenAI({ apiKey }), om, { feature_id: 'chat', user_id: 'ada' })
 * const { text } = await ai.models.generateContent({ model: 'gemini-2.5-pro', contents: 'Hello' })
 */
export function meter<T extends object>(client: T, om: OpenMonetize, options: Metering = {}): T {
  const meter = new Meter(om, options, 'GOOGLE')
  const models = again(Reflect.get(client, 'models'), ['apiClient'])
  for (const [name, wrap] of Object.entries(METHODS)) {
    const inner: unknown = Reflect.get(models, name)
    if (typeof inner === 'function') {
      const method: Method = (params) => Reflect.apply(inner, models, [params])
      Reflect.set(models, name, wrap(meter, method))
    }
  }
  const chats = again(Reflect.get(client, 'chats'), ['modelsModule', 'apiClient'], { modelsModule: models })
  return Object.create(client, { models: { value: models }, chats: { value: chats } })
}

/**
 * Creates an object of the same class from the given fields of `object`. Fields in `changed` replace the object's
 * fields.
 */
function again(object: unknown, fields: readonly string[], changed: Json = {}): object {
  if (typeof object === 'object' && object !== null && fields.every((field) => field in object)) {
    const parts = fields.map((field) => changed[field] ?? Reflect.get(object, field))
    const made: unknown = Reflect.construct(object.constructor, parts)
    if (typeof made === 'object' && made !== null) return made
  }
  throw new ConfigurationError('The first argument must be a client of the @google/genai package.')
}

function unary(meter: Meter, inner: Method): Method {
  return async (params) => {
    const call = await begin(meter, params)
    try {
      const response = await inner(clipped(params, call))
      take(call, response, params)
      call.isFinal ||= call.response !== undefined
      if (!call.isFinal) call.progress(1)
      call.end()
      return response
    } catch (error) {
      call.fail()
      throw error
    }
  }
}

function streamed(meter: Meter, inner: Method): Method {
  return async (params) => {
    const call = await begin(meter, params)
    try {
      const chunks = await inner(clipped(params, call))
      if (!isIterable(chunks))
        throw new ConfigurationError(
          'The streams of this @google/genai version are not supported. Use a version from 1 to 4.',
        )
      return observed(call, chunks, params)
    } catch (error) {
      call.fail()
      throw error
    }
  }
}

async function* observed(
  call: MeteredCall,
  chunks: AsyncIterable<unknown>,
  params: Json,
): AsyncGenerator<unknown> {
  const { abortSignal } = isJson(params.config) ? params.config : {}
  const onAbort = () => call.end()
  if (abortSignal instanceof AbortSignal) abortSignal.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const chunk of chunks) {
      take(call, chunk, params)
      yield chunk
    }
    // Every chunk reports the totals so far, so the last chunk has the totals of the call.
    call.isFinal = call.response !== undefined
  } finally {
    if (abortSignal instanceof AbortSignal) abortSignal.removeEventListener('abort', onAbort)
    call.end()
  }
}

function begin(meter: Meter, params: Json): Promise<MeteredCall> {
  const config = isJson(params.config) ? params.config : {}
  return meter.begin({
    api: 'gemini',
    model: textOf(params.model)?.replace(/^.*\//, ''),
    input: [params.contents ?? params.content ?? params.prompt, config.systemInstruction, config.tools],
    max_output_tokens: numberOf(config.maxOutputTokens),
    ...('prompt' in params && { event_type: 'IMAGE_GENERATION' }),
  })
}

function clipped(params: Json, { max_output_tokens }: MeteredCall): Json {
  if (max_output_tokens === undefined) return params
  return {
    ...params,
    config: { ...(isJson(params.config) ? params.config : {}), maxOutputTokens: max_output_tokens },
  }
}

function take(call: MeteredCall, response: unknown, params: Json): void {
  if (!isJson(response)) return
  call.model = textOf(response.modelVersion) ?? call.model
  if ('prompt' in params && Array.isArray(response.generatedImages)) {
    call.isFinal = true
    call.extra = { image_count: response.generatedImages.length }
    return
  }
  call.progress(charsOf(response.candidates))
  if (!isJson(response.usageMetadata)) return
  call.response = pick({ modelVersion: call.model, ...response }, ['modelVersion', 'usageMetadata'])
  call.delivered = 0
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
