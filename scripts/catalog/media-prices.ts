import { allPricing } from 'ai-sdk-cost-calculator'
import { decimal, type Prices } from './notation.ts'

/**
 * Reads prices from ai-sdk-cost-calculator, the media source of the catalogue. It provides prices that are not per
 * token, such as prices per image, per second of video or per search. It also provides models that the token source
 * does not have.
 */

type Pricing = (typeof allPricing)[string][string]

/**
 * The ids of providers in the catalogue, by their names in ai-sdk-cost-calculator. Several names can mean one provider.
 */
export const MEDIA_PROVIDERS: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  google: 'google',
  xai: 'x-ai',
  deepseek: 'deepseek',
  perplexity: 'perplexity',
  mistral: 'mistral',
  groq: 'groq',
  cerebras: 'cerebras',
  cohere: 'cohere',
  togetherai: 'together',
  together: 'together',
  fireworks: 'fireworks',
  openrouter: 'openrouter',
  // These models have the international prices in USD (`zai`), not the prices in China (`zhipuai`).
  glm: 'zai',
  zhipu: 'zai',
  'z-ai': 'zai',
  qwen: 'alibaba',
  dashscope: 'alibaba',
  alibaba: 'alibaba',
  moonshot: 'moonshotai',
  moonshotai: 'moonshotai',
}

export function mediaPrices(): Map<string, Map<string, Pricing>> {
  const byProvider = new Map<string, Map<string, Pricing>>()
  for (const [theirs, models] of Object.entries(allPricing)) {
    const id = MEDIA_PROVIDERS[theirs]
    if (id === undefined)
      throw new Error(`ai-sdk-cost-calculator has a new provider: ${theirs}. Add it to MEDIA_PROVIDERS.`)
    const ofProvider = byProvider.get(id) ?? new Map<string, Pricing>()
    for (const [model, pricing] of Object.entries(models))
      if (!ofProvider.has(model)) ofProvider.set(model, pricing)
    byProvider.set(id, ofProvider)
  }
  return byProvider
}

/**
 * The fields that are not converted, because no unit of the catalogue fits them: alternative prices of models that are
 * priced by token, prices of other modes of use, estimated token counts, hourly storage prices, and fees for quantities
 * that no response reports.
 */
const LEFT_OUT = new Set([
  'audioInputPerMinute',
  'audioOutputPerMinute',
  'imageInputPerMinute',
  'videoInputPerMinute',
  'transcriptionStreamingPerMinute',
  'imageEditingPerImage',
  'imageOutputTokensBySize',
  'imageOutputDefaultSize',
  'webSearchTokensPerRequest',
  'cacheStoragePer1MTokensPerHour',
  'xSearchPer1kPosts',
  'xSearchPer1kUserProfiles',
  'collectionsSearchPer1kRequests',
])

/**
 * Returns the prices that ai-sdk-cost-calculator adds to a model of the token source. Token prices are left out,
 * because the token source provides them.
 */
export function addedPrices(pricing: Pricing, priced: Prices): Prices {
  const added = [...mediaAndToolPrices(pricing)].filter(([unit]) => {
    if (priced.has(unit) || /_tokens$/.test(unit)) return false
    // The fee per request of a search model already includes the search.
    if (unit === 'web_searches' && priced.has('requests')) return false
    return unit !== 'audio_seconds' || !(priced.has('input_tokens') || priced.has('input_audio_seconds'))
  })
  return new Map(added)
}

function mediaAndToolPrices(pricing: Pricing): Prices {
  const prices: Prices = new Map()
  const set = (unit: string, value: number | undefined, times = 1) => {
    if (value !== undefined) prices.set(unit, decimal(value * times))
  }
  set('input_image_tokens', pricing.imageInputPer1MTokens)
  set('cache_image_read_tokens', pricing.imageCacheReadPer1MTokens)
  set('input_video_tokens', pricing.videoInputPer1MTokens)
  set('output_image_tokens', pricing.imageOutputPer1MTokens)
  set('output_audio_tokens', pricing.audioOutputPer1MTokens)
  set('output_video_tokens', pricing.videoOutputPer1MTokens)
  set('input_audio_tokens', pricing.audioInputPer1MTokens)
  const image = imagePrices(pricing)
  if (image !== undefined) prices.set('output_images', image)
  set('input_images', pricing.imageInputPerImage)
  set('video_seconds', pricing.videoGenerationPerSecond)
  set('input_characters', pricing.speechPer1MCharacters)
  set('audio_seconds', pricing.transcriptionPerMinute ?? pricing.sessionPerMinute, 60)
  set('input_text_messages', pricing.textInputPerMessage, 1000)
  set('web_searches', pricing.webSearchPer1kRequests)
  set('map_searches', pricing.googleMapsPer1kRequests)
  set('social_searches', pricing.xSearchPer1kRequests)
  set('storage_searches', pricing.documentSearchPer1kRequests)
  set('code_executions', pricing.codeExecutionPer1kRequests)
  return prices
}

/** Returns all prices of a model that only ai-sdk-cost-calculator has. */
export function allPrices(pricing: Pricing): Prices {
  const tokens: Prices = new Map()
  const media = mediaAndToolPrices(pricing)
  const isText = !['output_images', 'video_seconds', 'input_characters', 'audio_seconds'].some((unit) =>
    media.has(unit),
  )
  if (isText || pricing.inputPer1MTokens > 0) {
    tokens.set(
      'input_tokens',
      withLongContext(pricing, pricing.inputPer1MTokens, pricing.longContextInputPer1MTokens),
    )
  }
  if (pricing.cacheReadPer1MTokens !== undefined) {
    const long = pricing.longContextCacheReadPer1MTokens
    tokens.set('cache_read_tokens', withLongContext(pricing, pricing.cacheReadPer1MTokens, long))
  }
  if (pricing.cacheWritePer1MTokens !== undefined) {
    const long = pricing.longContextCacheWritePer1MTokens
    tokens.set('cache_write_tokens', withLongContext(pricing, pricing.cacheWritePer1MTokens, long))
  }
  if ((isText && pricing.imageOutputOnly !== true) || pricing.outputPer1MTokens > 0) {
    tokens.set(
      'output_tokens',
      withLongContext(pricing, pricing.outputPer1MTokens, pricing.longContextOutputPer1MTokens),
    )
  } else if (pricing.imageOutputOnly === true && pricing.imageOutputPer1MTokens !== undefined) {
    tokens.set('output_tokens', decimal(pricing.imageOutputPer1MTokens))
  }
  if (
    pricing.reasoningPer1MTokens !== undefined &&
    pricing.reasoningPer1MTokens !== pricing.outputPer1MTokens
  ) {
    const long = pricing.longContextReasoningPer1MTokens
    tokens.set('output_reasoning_tokens', withLongContext(pricing, pricing.reasoningPer1MTokens, long))
  }
  return new Map([...tokens, ...media])
}

function withLongContext(pricing: Pricing, base: number, long: number | undefined): string {
  if (pricing.longContextThreshold === undefined || long === undefined) return decimal(base)
  const above = pricing.longContextThresholdInclusive === true ? '>=' : '>'
  return `${decimal(base)},${above}${pricing.longContextThreshold}:${decimal(long)}`
}

function imagePrices(pricing: Pricing): string | undefined {
  const { imageGenerationPerImage: base, imageGenerationPricing: sizes = {} } = pricing
  if (base === undefined) return undefined
  const others = Object.entries(sizes).filter(([size]) => size !== 'auto')
  return [decimal(base), ...others.map(([size, price]) => `${size}:${decimal(price)}`)].join(',')
}

/** Throws an error if the package has an unknown price field. Otherwise, the build would drop its price silently. */
export function assertNoNewFields(): void {
  const known = new Set([...LEFT_OUT, ...CONVERTED])
  for (const models of Object.values(allPricing)) {
    for (const [model, pricing] of Object.entries(models)) {
      const unknown = Object.keys(pricing).find((field) => !known.has(field))
      if (unknown !== undefined)
        throw new Error(`${model}: the price field ${unknown} is neither converted nor in LEFT_OUT`)
    }
  }
}

const CONVERTED: readonly (keyof Pricing)[] = [
  'inputPer1MTokens',
  'outputPer1MTokens',
  'cacheReadPer1MTokens',
  'cacheWritePer1MTokens',
  'reasoningPer1MTokens',
  'audioInputPer1MTokens',
  'audioOutputPer1MTokens',
  'imageInputPer1MTokens',
  'imageCacheReadPer1MTokens',
  'imageOutputPer1MTokens',
  'imageOutputOnly',
  'videoInputPer1MTokens',
  'videoOutputPer1MTokens',
  'longContextThreshold',
  'longContextThresholdInclusive',
  'longContextInputPer1MTokens',
  'longContextOutputPer1MTokens',
  'longContextCacheReadPer1MTokens',
  'longContextCacheWritePer1MTokens',
  'longContextReasoningPer1MTokens',
  'imageGenerationPerImage',
  'imageGenerationPricing',
  'imageInputPerImage',
  'videoGenerationPerSecond',
  'speechPer1MCharacters',
  'transcriptionPerMinute',
  'sessionPerMinute',
  'textInputPerMessage',
  'webSearchPer1kRequests',
  'googleMapsPer1kRequests',
  'xSearchPer1kRequests',
  'documentSearchPer1kRequests',
  'codeExecutionPer1kRequests',
]
