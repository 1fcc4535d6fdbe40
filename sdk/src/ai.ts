import type { OpenMonetize } from './client.ts'
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

/** The arguments that every supported version of the AI SDK passes to a middleware. */
interface Given {
  readonly params: object
  readonly model: object
}

/**
 * A middleware for `wrapLanguageModel` of `ai` 5, 6 and 7, and for `wrapEmbeddingModel` and `wrapImageModel` of the
 * versions that have them. `V`, the version, is inferred from the function that receives the middleware.
 */
export interface MeterMiddleware<V extends string> {
  readonly specificationVersion: V
  transformParams<P extends object>(given: { params: P; model: object }): Promise<P>
  wrapGenerate<R extends object>(given: Given & { doGenerate: () => PromiseLike<R> }): Promise<R>
  wrapStream<R extends object>(given: Given & { doStream: () => PromiseLike<R> }): Promise<R>
  wrapEmbed<R extends object>(given: Given & { doEmbed: () => PromiseLike<R> }): Promise<R>
}

/**
 * The meter's names of providers, by their names in the AI SDK. All other names are only converted to upper case.
 */
const PROVIDERS: Json = { 'amazon-bedrock': 'AMAZON', bedrock: 'AMAZON', vertex: 'GOOGLE', xai: 'X_AI' }

/**
 * The fields whose presence identifies a provider's usage format. Each row has the field, the `provider_api` of the
 * format, and the names of the usage and of the model in a response.
 */
const RAW: readonly (readonly [field: string, api: string, place: string, model: string])[] = [
  ['prompt_tokens', 'chat', 'usage', 'model'],
  ['cache_creation_input_tokens', 'anthropic', 'usage', 'model'],
  ['cache_read_input_tokens', 'anthropic', 'usage', 'model'],
  ['input_tokens', 'responses', 'usage', 'model'],
  ['promptTokenCount', 'gemini', 'usageMetadata', 'modelVersion'],
]

/**
 * Returns a middleware that meters text, embedding and image models, including streams.
 *
 * @example
 * const model = wrapLanguageModel({ model: openai('gpt-4o'), middleware: meterMiddleware(om, { user_id: 'ada' }) })
 */
export function meterMiddleware<V extends string = 'v4'>(
  om: OpenMonetize,
  options: Metering = {},
): MeterMiddleware<V> {
  const meters = new Map<string, Meter>()
  /** The calls by their parameters object, by which the hooks that run later find them. */
  const calls = new WeakMap<object, MeteredCall>()

  /** Starts the metering of a call. */
  async function begin(params: object, model: object): Promise<MeteredCall> {
    const provider = providerOf(model)
    const meter = meters.get(provider) ?? new Meter(om, options, provider)
    meters.set(provider, meter)
    return meter.begin({
      api: 'ai-sdk',
      model: textOf(Reflect.get(model, 'modelId')),
      input: ['prompt', 'tools', 'values'].map((name) => Reflect.get(params, name)),
      max_output_tokens: numberOf(Reflect.get(params, 'maxOutputTokens')),
      ...(typeof Reflect.get(params, 'prompt') === 'string' && { event_type: 'IMAGE_GENERATION' }),
    })
  }

  async function metered<R>(
    given: Given,
    run: () => PromiseLike<R>,
    take: (call: MeteredCall, result: R) => R,
  ) {
    const call = calls.get(given.params) ?? (await begin(given.params, given.model))
    try {
      return take(call, await run())
    } catch (error) {
      call.fail()
      throw error
    }
  }

  const whole = <R extends object>(call: MeteredCall, result: R): R => {
    takeResult(call, result)
    call.end()
    return result
  }

  const middleware = {
    specificationVersion: 'v4',
    async transformParams<P extends object>({ params, model }: { params: P; model: object }): Promise<P> {
      const call = await begin(params, model)
      const limit = call.max_output_tokens
      const sent = { ...params, ...(limit !== undefined && { maxOutputTokens: limit }) }
      calls.set(sent, call)
      return sent
    },
    wrapGenerate: <R extends object>(given: Given & { doGenerate: () => PromiseLike<R> }) =>
      metered(given, given.doGenerate, whole<R>),
    wrapEmbed: <R extends object>(given: Given & { doEmbed: () => PromiseLike<R> }) =>
      metered(given, given.doEmbed, whole<R>),
    wrapStream: <R extends object>(given: Given & { doStream: () => PromiseLike<R> }) =>
      metered(given, given.doStream, (call, result) => {
        const stream: unknown = Reflect.get(result, 'stream')
        if (!(stream instanceof ReadableStream)) return whole(call, result)
        return { ...result, stream: observed(call, stream, Reflect.get(given.params, 'abortSignal')) }
      }),
  }
  // `specificationVersion` exists only for the types: no version of the AI SDK reads it from a middleware.
  return middleware as MeterMiddleware<string> as MeterMiddleware<V>
}

function providerOf(model: object): string {
  const [name = ''] = String(Reflect.get(model, 'provider')).split('.')
  return textOf(PROVIDERS[name]) ?? name.toUpperCase()
}

function observed(
  call: MeteredCall,
  stream: ReadableStream<unknown>,
  signal: unknown,
): ReadableStream<unknown> {
  const reader = stream.getReader()
  const ended = () => {
    if (signal instanceof AbortSignal) signal.removeEventListener('abort', ended)
    call.end()
  }
  if (signal instanceof AbortSignal) signal.addEventListener('abort', ended, { once: true })
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (isJson(value)) takePart(call, value)
          if (!done) return controller.enqueue(value)
          ended()
          controller.close()
        } catch (error) {
          ended()
          controller.error(error)
        }
      },
      cancel(reason) {
        ended()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

function takePart(call: MeteredCall, part: Json): void {
  if (part.type === 'response-metadata') call.model = textOf(part.modelId) ?? call.model
  else if (part.type === 'finish') takeUsage(call, part.usage, part.providerMetadata)
  else call.progress(charsOf(part.delta))
}

function takeResult(call: MeteredCall, result: object): void {
  const response: unknown = Reflect.get(result, 'response')
  if (isJson(response)) call.model = textOf(response.modelId) ?? call.model
  takeUsage(call, Reflect.get(result, 'usage'), Reflect.get(result, 'providerMetadata'))
  const images: unknown = Reflect.get(result, 'images')
  if (call.response || !Array.isArray(images)) return
  call.isFinal = true
  call.extra = { image_count: images.length }
}

/**
 * Records the usage that the provider reported if the AI SDK passes it on in a format of `RAW`, otherwise the usage of
 * the AI SDK. Records nothing if all fields of `usage` are empty.
 */
function takeUsage(call: MeteredCall, usage: unknown, metadata: unknown): void {
  if (!isJson(usage) || !Object.values(usage).some((value) => value != null)) return
  const raw = isJson(usage.raw) ? usage.raw : {}
  const [, api = 'ai-sdk', place = 'usage', model = 'model'] = RAW.find(([field]) => field in raw) ?? []
  const tier = isJson(metadata)
    ? Object.values(metadata).map((part) => (isJson(part) ? textOf(part.serviceTier) : undefined))
    : []
  call.api = api
  call.response = pick(
    {
      [model]: call.model,
      [place]: api === 'ai-sdk' ? { ...usage, raw: undefined } : raw,
      service_tier: tier.find((name) => name !== undefined),
    },
    [model, place, 'service_tier'],
  )
  call.isFinal = true
}
