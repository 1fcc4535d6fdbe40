import { isRecord } from '../../ledger/model/json.ts'
import type { MeteredApi } from '../dialect.ts'
import type { MediaRates } from '../stream/delivered.ts'

/** The estimates of the media in an answer, which depend on the request. `docs/gateway.md` lists these rules. */

type Body = Readonly<Record<string, unknown>>

/**
 * Bytes of audio per token. A second has 48,000 bytes of PCM at 24 kHz, or 16,000 bytes of a compressed format.
 * OpenAI counts 20 tokens a second, and Gemini counts 25.
 */
const AUDIO_BYTES_A_TOKEN = { openai: { pcm: 2_400, compressed: 800 }, google: 1_920 }

/**
 * The output tokens of an image of OpenAI, square or not. The largest number is assumed if the provider chooses the
 * size or the quality.
 */
const LARGEST = { square: 4_160, other: 6_240 }
const IMAGE_TOKENS: ReadonlyMap<unknown, typeof LARGEST> = new Map([
  ['low', { square: 272, other: 408 }],
  ['medium', { square: 1_056, other: 1_584 }],
])
/** The output tokens of an image of Gemini, in the usual size and in 4K. */
const GEMINI_IMAGE_TOKENS = { usual: 1_290, large: 2_000 }

export function mediaRates(api: MeteredApi, body: Body): MediaRates {
  if (api === 'generate' || api === 'embed') {
    return { audio_bytes_a_token: AUDIO_BYTES_A_TOKEN.google, image_tokens: geminiImage(body) }
  }
  const format = isRecord(body.audio) ? body.audio.format : undefined
  const { pcm, compressed } = AUDIO_BYTES_A_TOKEN.openai
  const is_compressed = typeof format === 'string' && !/^(?:pcm|wav)/.test(format)
  return {
    audio_bytes_a_token: is_compressed ? compressed : pcm,
    image_tokens: isByImage(api, body) ? undefined : imageTokens(api === 'images' ? body : imageTool(body)),
  }
}

/**
 * Returns the form of the output besides text. The body requests it, or it is the default of an image model of
 * Gemini.
 */
export function modalityOf(model: string, body: Body): 'audio' | 'image' | undefined {
  const { modalities, generationConfig } = body
  const asked = isRecord(generationConfig) ? generationConfig.responseModalities : modalities
  const named = Array.isArray(asked)
    ? asked.map((name: unknown) => (typeof name === 'string' ? name.toLowerCase() : ''))
    : []
  if (named.includes('image') || (asked === undefined && /^gemini-.*-image/.test(model))) return 'image'
  return named.includes('audio') ? 'audio' : undefined
}

/** Reports whether OpenAI prices the model's images by their number. */
export function isByImage(api: MeteredApi, { model }: Body): boolean {
  return api === 'images' && (typeof model !== 'string' || model.startsWith('dall-e'))
}

function imageTokens({ size, quality }: Body): number {
  const { square, other } = IMAGE_TOKENS.get(quality) ?? LARGEST
  const [width, height] = typeof size === 'string' ? size.split('x') : []
  return height !== undefined && width === height ? square : other
}

function imageTool({ tools }: Body): Body {
  const found: unknown = Array.isArray(tools)
    ? tools.find((tool: unknown) => isRecord(tool) && tool.type === 'image_generation')
    : undefined
  return isRecord(found) ? found : {}
}

function geminiImage({ generationConfig }: Body): number {
  const { usual, large } = GEMINI_IMAGE_TOKENS
  const image = isRecord(generationConfig) ? generationConfig.imageConfig : undefined
  return isRecord(image) && image.imageSize === '4K' ? large : usual
}
