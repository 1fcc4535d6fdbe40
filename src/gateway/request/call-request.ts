import { isRecord } from '../../ledger/model/json.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { MeteredApi, MeteredEndpoint } from '../dialect.ts'
import type { MediaRates } from '../stream/delivered.ts'
import { isByImage, mediaRates, modalityOf } from './media.ts'
import type { Upload } from './multipart.ts'

/** The fields of a request body that affect its price. */
export interface CallRequest {
  readonly model: string
  readonly stream: boolean
  /** The limit of output tokens that the caller set for one answer. */
  readonly max_output?: number
  /** The path of the limit in the body, even if the body has no limit; absent if the API has no limit. */
  readonly limit_path?: readonly string[]
  /** The number of answers. */
  readonly answers: number
  /** Whether the stream reports usage only if the gateway requests it. */
  readonly lacks_usage: boolean
  /** The maximum usage besides text tokens. */
  readonly beside: Usage
  /** The form of the output whose tokens cost most, if it is not text. */
  readonly modality: 'audio' | 'image' | undefined
  /** The rates for the estimate of delivered media. */
  readonly media: MediaRates
  readonly service_tier?: string
  readonly image_size?: string
  readonly quality?: string
  /** The text to speak. */
  readonly spoken?: string
  /** The bytes of audio to transcribe. */
  readonly audio_bytes?: number
}

export type ReadCall =
  | { readonly kind: 'read'; readonly call: CallRequest }
  | { readonly kind: 'invalid'; readonly path: string; readonly message: string }

type Body = Readonly<Record<string, unknown>>

/** The assumed number of searches in one call, unless its tools set a maximum. */
const SEARCHES = 5
/** The maximum number of answers in one call. No provider accepts more. */
const MAX_ANSWERS = 128
/** The number of tokens of a large image in high quality. */
const IMAGE_OUTPUT_TOKENS = 6_500

/** Reads a JSON body. Fields that do not affect the price are ignored here; the provider validates them. */
export function readCall(endpoint: MeteredEndpoint, body: Body): ReadCall {
  const model = endpoint.model ?? body.model
  if (typeof model !== 'string' || model === '' || model.length > 255) {
    return { kind: 'invalid', path: '/model', message: 'must be the name of a model, of 1 to 255 characters' }
  }
  if (body.background === true) {
    const message = 'is not supported: the usage of a background response is not in its answer'
    return { kind: 'invalid', path: '/background', message }
  }
  const fields = READERS[endpoint.api](body)
  const stream = endpoint.stream ?? (body.stream === true || body.stream_format === 'sse')
  const { service_tier } = body
  const tier = typeof service_tier === 'string' && service_tier.length <= 64 ? service_tier : undefined
  return {
    kind: 'read',
    call: {
      model: model.replace(/^models\//, ''),
      answers: 1,
      lacks_usage: false,
      beside: {},
      modality: modalityOf(model, body),
      media: mediaRates(endpoint.api, body),
      ...fields,
      stream,
      ...(tier !== undefined && !STANDARD_TIERS.has(tier) && { service_tier: tier }),
    },
  }
}

/** The assumed model of an upload until its model is known. It is the most expensive model of its kind. */
const DEAREST_TRANSCRIPTION = 'whisper-1'

/**
 * Describes the call of an upload. The field with the model may follow the file, so the model is read at each use.
 */
export function callOfUpload({ model, stream, bytes }: Upload): CallRequest {
  return {
    get model() {
      return model() ?? DEAREST_TRANSCRIPTION
    },
    stream,
    answers: 1,
    lacks_usage: false,
    beside: {},
    modality: undefined,
    media: mediaRates('transcriptions', {}),
    audio_bytes: bytes,
  }
}

/** The tiers that get the standard price until the answer names the tier that served the call. */
const STANDARD_TIERS: ReadonlySet<string> = new Set(['auto', 'default', 'standard', 'standard_only'])

type Fields = Partial<Omit<CallRequest, 'model' | 'stream' | 'service_tier'>>

const READERS: Readonly<Record<MeteredApi, (body: Body) => Fields>> = {
  chat(body) {
    const usage: unknown = isRecord(body.stream_options) ? body.stream_options.include_usage : undefined
    const name = body.max_tokens !== undefined && body.max_completion_tokens === undefined
    return {
      ...limited(body, [name ? 'max_tokens' : 'max_completion_tokens']),
      answers: answersOf(body.n),
      lacks_usage: body.stream === true && usage !== true,
      beside: searches(body.web_search_options === undefined ? 0 : SEARCHES),
    }
  },
  responses: (body) => ({
    ...limited(body, ['max_output_tokens']),
    beside: searches(toolsLike(body.tools, /^web_search/).length > 0 ? SEARCHES : 0),
  }),
  messages: (body) => ({
    ...limited(body, ['max_tokens']),
    beside: searches(
      toolsLike(body.tools, /^web_search/).reduce(
        (sum, { max_uses }) => sum + (countOf(max_uses) ?? SEARCHES),
        0,
      ),
    ),
  }),
  generate(body) {
    const config = isRecord(body.generationConfig) ? body.generationConfig : body.generation_config
    const name =
      isRecord(body.generationConfig) || config === undefined ? 'generationConfig' : 'generation_config'
    const limit =
      isRecord(config) && config.max_output_tokens !== undefined ? 'max_output_tokens' : 'maxOutputTokens'
    return {
      ...limited(body, [name, limit]),
      answers: answersOf(isRecord(config) ? config.candidateCount : undefined),
      beside: searches(JSON.stringify(body.tools ?? '').includes('oogle') ? SEARCHES : 0),
    }
  },
  embed: () => ({ max_output: 0 }),
  embeddings: () => ({ max_output: 0 }),
  images(body) {
    const images = answersOf(body.n)
    const by_token = !isByImage('images', body)
    return {
      max_output: by_token ? IMAGE_OUTPUT_TOKENS * images : 0,
      beside: {
        output_images: images,
        ...(by_token && { output_image_tokens: IMAGE_OUTPUT_TOKENS * images }),
      },
      ...(typeof body.size === 'string' && body.size !== 'auto' && { image_size: body.size }),
      ...(typeof body.quality === 'string' && body.quality !== 'auto' && { quality: body.quality }),
    }
  },
  speech: (body) => (typeof body.input === 'string' ? { spoken: body.input } : {}),
  transcriptions: () => ({}),
}

/** Returns the path of a limit, and the limit if the body has a valid one. */
function limited(body: Body, path: readonly string[]): Fields {
  let value: unknown = body
  for (const name of path) value = isRecord(value) ? value[name] : undefined
  const max_output = countOf(value)
  return { limit_path: path, ...(max_output !== undefined && { max_output }) }
}

function answersOf(value: unknown): number {
  return Math.min(Math.max(countOf(value) ?? 1, 1), MAX_ANSWERS)
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 1e9
    ? value
    : undefined
}

function searches(web_searches: number): Usage {
  return web_searches === 0 ? {} : { web_searches }
}

function toolsLike(tools: unknown, type: RegExp): Body[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(
    (tool: unknown): tool is Body => isRecord(tool) && typeof tool.type === 'string' && type.test(tool.type),
  )
}
