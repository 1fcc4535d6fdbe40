import { isPlainText } from '../../http/input/identifiers.ts'
import { isRecord } from '../../ledger/model/json.ts'
import type { UsagePart } from '../../pricing/extract/iterations.ts'
import type { UsageUnit } from '../../pricing/units.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { MeteredApi, MeteredEndpoint } from '../dialect.ts'
import type { MediaRates } from '../stream/delivered.ts'
import { countOf, largestOf, textOf, valuesAt, valuesOf } from './fields.ts'
import { limited, type OutputLimit } from './limits.ts'
import { imageToolUsage, isByImage, mediaRates, modalityOf } from './media.ts'
import type { UploadedAudio } from './upload.ts'

/** The values in a request body that affect the price of the call. */
export interface CallRequest {
  readonly model: string
  readonly stream: boolean
  /** The maximum number of output tokens of one completion, if the client or the API determines it. */
  readonly max_output?: number
  /**
   * The limits of output tokens in the body. If the body has none, the path where the API accepts one. Empty if the API
   * has no such limit.
   */
  readonly limits: readonly OutputLimit[]
  /** The number of completions that the request asks for. */
  readonly answers: number
  /** True if the stream reports no usage unless the gateway adds a request for it to the body. */
  readonly lacks_usage: boolean
  /** The largest expected usage in units other than text tokens and searches, such as images. */
  readonly beside: Usage
  /** The largest expected usage of other models that the provider's tools call; empty if there are none. */
  readonly tool_usage: readonly UsagePart[]
  /** The largest expected number of searches and of executions of code, by their unit. */
  readonly searches: Usage
  /** The type of output with the most expensive tokens; undefined if it is text. */
  readonly modality: 'audio' | 'image' | undefined
  /** The rates for estimating the tokens of delivered audio and images. */
  readonly media: MediaRates
  /** The service tier that the body requests; `fast` for Anthropic's fast mode. Absent for the standard tier. */
  readonly service_tier?: string
  /** The region that the body requests, such as `us` for Anthropic. */
  readonly region?: string
  readonly image_size?: string
  readonly quality?: string
  /** The text to convert to speech. */
  readonly spoken?: string
  /** The upload with the audio to transcribe. */
  readonly upload?: UploadedAudio
}

export type ReadCall =
  | { readonly kind: 'read'; readonly call: CallRequest }
  | { readonly kind: 'invalid'; readonly path: string; readonly message: string }

type Body = Readonly<Record<string, unknown>>

/**
 * The assumed number of searches of each kind in a call that can search. In Anthropic's API, it is the assumed number
 * of searches of each search tool without `max_uses`.
 */
const SEARCHES = 5
/** The maximum number of completions in one call. No provider accepts more. */
const MAX_ANSWERS = 128
/** The number of tokens of a large image in high quality, rounded up. */
const IMAGE_OUTPUT_TOKENS = 6_500

/**
 * Reads the values in a JSON body that affect the price. Refuses background requests and bodies without a valid model
 * name. Ignores all other fields, because the provider validates them.
 */
export function readCall(endpoint: MeteredEndpoint, body: Body): ReadCall {
  const model = endpoint.model ?? body.model
  if (!isPlainText(model)) {
    const message = 'must be the name of a model, of 1 to 255 characters, without control characters'
    return { kind: 'invalid', path: '/model', message }
  }
  if (body.background === true) {
    const message = 'is not supported: the response to a background request does not contain the usage'
    return { kind: 'invalid', path: '/background', message }
  }
  const fields = READERS[endpoint.api](body)
  const stream = endpoint.stream ?? (body.stream === true || body.stream_format === 'sse')
  const service_tier = tierOf(endpoint.api, body)
  const region = endpoint.api === 'messages' ? textOf(valuesOf(body, 'inference_geo')) : undefined
  return {
    kind: 'read',
    call: {
      model: model.replace(/^models\//, ''),
      limits: [],
      answers: 1,
      lacks_usage: false,
      beside: {},
      tool_usage: [],
      searches: {},
      modality: modalityOf(model, body),
      media: mediaRates(endpoint.api, body),
      ...fields,
      stream,
      ...(service_tier !== undefined && { service_tier }),
      ...(region !== undefined && { region }),
    },
  }
}

/**
 * The models that are assumed for an upload until its field `model` was read, by provider. No other transcription model
 * of the provider has a higher price in the catalogue, so the hold is not too small for the model that is read later.
 */
const DEAREST_TRANSCRIPTIONS: Readonly<Record<string, string>> = {
  groq: 'whisper-large-v3',
  mistral: 'voxtral-mini-transcribe-realtime-2602',
}
const DEAREST_TRANSCRIPTION = 'gpt-live-transcribe'

/** Returns the call with the assumed model of the provider, if it is an upload whose model is unknown. */
export function withAssumedModel(call: CallRequest, provider: string): CallRequest {
  const model = DEAREST_TRANSCRIPTIONS[provider]
  return call.upload?.model === undefined && model !== undefined ? { ...call, model } : call
}

/**
 * Returns the values of an upload that affect its price. `model` is a getter, because the field with the model can
 * follow the file and is then found only later.
 */
export function callOfUpload(upload: UploadedAudio): CallRequest {
  return {
    get model() {
      return upload.model ?? DEAREST_TRANSCRIPTION
    },
    // The type of the response decides whether it is a stream.
    stream: false,
    limits: [],
    answers: 1,
    lacks_usage: false,
    beside: {},
    tool_usage: [],
    searches: {},
    modality: undefined,
    media: mediaRates('transcriptions', {}),
    upload,
  }
}

/**
 * The service tiers that are priced as the standard tier until the response names the tier that served the call. No API
 * of the gateway accepts `batch`, but some providers ignore a tier that they do not know.
 */
const STANDARD_TIERS: ReadonlySet<string> = new Set([
  'auto',
  'default',
  'standard',
  'standard_only',
  'unspecified',
  'batch',
])

/** Returns the service tier that the body requests; undefined for the standard tier. */
function tierOf(api: MeteredApi, body: Body): string | undefined {
  if (api === 'messages' && body.speed === 'fast') return 'fast'
  const tier = textOf(valuesOf(body, 'serviceTier'))?.replace(/^service_tier_/i, '')
  return tier === undefined || STANDARD_TIERS.has(tier.toLowerCase()) ? undefined : tier
}

type Fields = Partial<Omit<CallRequest, 'model' | 'stream' | 'service_tier'>>

const READERS: Readonly<Record<MeteredApi, (body: Body) => Fields>> = {
  chat(body) {
    const usage: unknown = isRecord(body.stream_options) ? body.stream_options.include_usage : undefined
    const searching = searchTools(body.tools, SEARCHES)
    // OpenRouter has a plugin for searches.
    const searches =
      body.web_search_options !== undefined || toolsOf(body.plugins).some(({ id }) => id === 'web')
    return {
      ...limited(body, ['max_completion_tokens'], ['max_tokens']),
      answers: answersOf([body.n]),
      lacks_usage: body.stream === true && usage !== true,
      searches: { ...searching, ...(searches && { web_searches: SEARCHES }) },
    }
  },
  responses: (body) => ({
    ...limited(body, ['max_output_tokens']),
    searches: searchTools(body.tools, countOf(body.max_tool_calls) ?? SEARCHES),
    tool_usage: imageToolUsage(body),
  }),
  messages(body) {
    const tools = toolsOf(body.tools).filter(({ type }) => /^web_search/.test(textOf([type]) ?? ''))
    const web_searches = tools.reduce((sum, { max_uses }) => sum + (countOf(max_uses) ?? SEARCHES), 0)
    return { ...limited(body, ['max_tokens']), searches: web_searches > 0 ? { web_searches } : {} }
  },
  generate(body) {
    const spellings = ['generationConfig', 'generation_config'] as const
    const [own, other] =
      isRecord(body.generation_config) && !isRecord(body.generationConfig)
        ? [spellings[1], spellings[0]]
        : spellings
    return {
      ...limited(
        body,
        [own, 'maxOutputTokens'],
        [own, 'max_output_tokens'],
        [other, 'maxOutputTokens'],
        [other, 'max_output_tokens'],
      ),
      answers: answersOf(valuesAt(body, 'generationConfig', 'candidateCount')),
      searches: googleSearches(body.tools),
    }
  },
  embed: () => ({ max_output: 0 }),
  embeddings: () => ({ max_output: 0 }),
  images(body) {
    const images = answersOf([body.n])
    const by_token = !isByImage('images', body)
    const image_size = textOf([body.size])
    const quality = textOf([body.quality])
    return {
      max_output: by_token ? IMAGE_OUTPUT_TOKENS * images : 0,
      beside: {
        output_images: images,
        ...(by_token && { output_image_tokens: IMAGE_OUTPUT_TOKENS * images }),
      },
      ...(image_size !== undefined && image_size !== 'auto' && { image_size }),
      ...(quality !== undefined && quality !== 'auto' && { quality }),
    }
  },
  speech: (body) => (typeof body.input === 'string' ? { spoken: body.input } : {}),
  transcriptions: () => ({}),
}

function answersOf(values: readonly unknown[]): number {
  return Math.min(Math.max(largestOf(values) ?? 1, 1), MAX_ANSWERS)
}

/** Returns the tools in a body. Google's JSON accepts a single tool in place of a list. */
function toolsOf(tools: unknown): readonly Body[] {
  return [tools].flat().filter(isRecord)
}

/** The units of the tools of OpenAI and of providers with the same API, by the type of the tool. */
const SEARCH_TOOLS: readonly (readonly [RegExp, UsageUnit])[] = [
  [/^(?:openrouter:)?web_search/, 'web_searches'],
  [/^(?:file|collections)_search/, 'storage_searches'],
  [/^x_search/, 'social_searches'],
  [/^code_(?:interpreter|execution)/, 'code_executions'],
]

function searchTools(tools: unknown, most: number): Usage {
  const types = toolsOf(tools).map(({ type }) => textOf([type]) ?? '')
  const found = SEARCH_TOOLS.filter(([pattern]) => most > 0 && types.some((type) => pattern.test(type)))
  return Object.fromEntries(found.map(([, unit]) => [unit, most]))
}

/** The units of the searches of Google's tools, by the name of the tool. */
const GOOGLE_TOOLS: readonly (readonly [string, UsageUnit])[] = [
  ['googleSearch', 'web_searches'],
  ['googleSearchRetrieval', 'web_searches'],
  ['enterpriseWebSearch', 'web_searches'],
  ['googleMaps', 'map_searches'],
]

function googleSearches(tools: unknown): Usage {
  const all = toolsOf(tools)
  const found = GOOGLE_TOOLS.filter(([name]) => all.some((tool) => valuesOf(tool, name).length > 0))
  return Object.fromEntries(found.map(([, unit]) => [unit, SEARCHES]))
}
