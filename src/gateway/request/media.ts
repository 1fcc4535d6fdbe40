import { isRecord } from '../../ledger/model/json.ts'
import type { UsagePart } from '../../pricing/extract/iterations.ts'
import { DEFAULT_IMAGE_MODEL } from '../../pricing/extract/tools.ts'
import type { MeteredApi } from '../dialect.ts'
import { imagePart, imageTokens, type MediaRates } from '../stream/delivered.ts'
import { valuesAt } from './fields.ts'

/**
 * Selects the rates for estimating the output tokens of audio and images in a response, by the fields of the request.
 * `docs/gateway.md` lists these rules.
 */

type Body = Readonly<Record<string, unknown>>

/**
 * The number of bytes of output audio per token. A second of audio has 48,000 bytes as PCM at 24 kHz, or 16,000 bytes
 * in a compressed format. OpenAI counts 20 tokens for a second, and Gemini counts 25.
 */
const AUDIO_BYTES_A_TOKEN = { openai: { pcm: 2_400, compressed: 800 }, google: 1_920 }

/**
 * The number of output tokens of an image from OpenAI, for square images and for other images. If the provider chooses
 * the size or the quality, the largest number is assumed.
 */
const LARGEST = { square: 4_160, other: 6_240 }
const IMAGE_TOKENS: ReadonlyMap<unknown, typeof LARGEST> = new Map([
  ['low', { square: 272, other: 408 }],
  ['medium', { square: 1_056, other: 1_584 }],
])
/** The number of output tokens of an image from Gemini, in the usual size and in 4K. */
const GEMINI_IMAGE_TOKENS = { usual: 1_290, large: 2_000 }

export function mediaRates(api: MeteredApi, body: Body): MediaRates {
  if (api === 'generate' || api === 'embed') {
    return { audio_bytes_a_token: AUDIO_BYTES_A_TOKEN.google, image_tokens: geminiImage(body) }
  }
  const format = isRecord(body.audio) ? body.audio.format : undefined
  const { pcm, compressed } = AUDIO_BYTES_A_TOKEN.openai
  const is_compressed = typeof format === 'string' && !/^(?:pcm|wav)/.test(format)
  const audio_bytes_a_token = is_compressed ? compressed : pcm
  if (api === 'responses') {
    const [tool = {}] = imageTools(body)
    return { audio_bytes_a_token, image_tokens: tokensOfImage(tool), image_model: modelOfTool(tool) }
  }
  return {
    audio_bytes_a_token,
    image_tokens: isByImage(api, body) ? undefined : tokensOfImage(api === 'images' ? body : {}),
  }
}

/**
 * Returns the largest expected usage of the image models that the image tools of a body call: one image for each tool,
 * with its previews.
 */
export function imageToolUsage(body: Body): readonly UsagePart[] {
  return imageTools(body).map((tool) => {
    const { partial_images } = tool
    const previews =
      typeof partial_images === 'number' ? Math.min(Math.max(partial_images, 0), MAX_PREVIEWS) : 0
    const tokens = imageTokens(tokensOfImage(tool), { images: 1, partial_images: Math.ceil(previews) })
    return imagePart(modelOfTool(tool), tokens)
  })
}

/** The maximum number of previews of an image. OpenAI accepts no larger number. */
const MAX_PREVIEWS = 3
/** The maximum number of image tools that are read. OpenAI accepts only one. */
const MAX_IMAGE_TOOLS = 10

/**
 * Returns the type of output that a call produces in addition to text; undefined if it produces only text. The body
 * names the type. For an image model of Gemini, the default is images.
 */
export function modalityOf(model: string, body: Body): 'audio' | 'image' | undefined {
  const asked = [...valuesAt(body, 'generationConfig', 'responseModalities'), body.modalities]
    .flat()
    .map((name: unknown) => (typeof name === 'string' ? name.toLowerCase() : MODALITIES.get(name)))
    .filter((name) => name !== undefined)
  if (asked.includes('image') || (asked.length === 0 && /^gemini-.*-image/.test(model))) return 'image'
  return asked.includes('audio') ? 'audio' : undefined
}

/** The numbers of the modalities in Google's API, which accepts them in place of the names. */
const MODALITIES: ReadonlyMap<unknown, string> = new Map([
  [1, 'text'],
  [2, 'image'],
  [3, 'audio'],
])

/** Returns whether OpenAI prices the images of the model by their number, and not by tokens. */
export function isByImage(api: MeteredApi, { model }: Body): boolean {
  return api === 'images' && (typeof model !== 'string' || model.startsWith('dall-e'))
}

function tokensOfImage({ size, quality }: Body): number {
  const { square, other } = IMAGE_TOKENS.get(quality) ?? LARGEST
  const [width, height] = typeof size === 'string' ? size.split('x') : []
  return height !== undefined && width === height ? square : other
}

function imageTools({ tools }: Body): readonly Body[] {
  if (!Array.isArray(tools)) return []
  return tools
    .filter((tool: unknown): tool is Body => isRecord(tool) && tool.type === 'image_generation')
    .slice(0, MAX_IMAGE_TOOLS)
}

function modelOfTool({ model }: Body): string {
  return typeof model === 'string' && model !== '' && model.length <= 255 ? model : DEFAULT_IMAGE_MODEL
}

function geminiImage(body: Body): number {
  const { usual, large } = GEMINI_IMAGE_TOKENS
  return valuesAt(body, 'generationConfig', 'imageConfig', 'imageSize').includes('4K') ? large : usual
}
