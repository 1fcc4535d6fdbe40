import type { UsagePart } from '../../pricing/extract/iterations.ts'
import type { Usage } from '../../pricing/usage.ts'
import { endOfString } from './bounded.ts'

/**
 * The output that the gateway has relayed so far. If the provider sends no usage report, the usage is estimated from
 * it.
 */
export interface Delivered {
  /** The number of lines of the stream that contain text. */
  readonly pieces: number
  /** The number of bytes of text, after JSON escaping. */
  readonly bytes: number
  /** The number of bytes of audio, after base64 decoding. */
  readonly audio: number
  /** The number of images. An image counts even if only a preview of it was delivered. */
  readonly images: number
  /** The number of previews that show unfinished images. */
  readonly partial_images: number
  readonly searches: number
  /** The number of searches in the client's files. */
  readonly file_searches: number
}

export const NOTHING: Delivered = {
  pieces: 0,
  bytes: 0,
  audio: 0,
  images: 0,
  partial_images: 0,
  searches: 0,
  file_searches: 0,
}

/** Returns whether no output was delivered. */
export function isNothing({ pieces, audio, images, searches, file_searches }: Delivered): boolean {
  return pieces === 0 && audio === 0 && images === 0 && searches === 0 && file_searches === 0
}

/** The rates for estimating the tokens of the audio and images of one call. */
export interface MediaRates {
  readonly audio_bytes_a_token: number
  /** The number of tokens of an image; undefined if the price of the model is per image. */
  readonly image_tokens: number | undefined
  /** The model of a tool that creates the images; absent if the model of the call creates them. */
  readonly image_model?: string
}

/** The number of bytes of text per token. Each line with text counts as at least one token. */
const TEXT_BYTES_A_TOKEN = 4
/** The number of tokens of each preview of an unfinished image. */
const PARTIAL_IMAGE_TOKENS = 100

/**
 * Returns the estimated usage of the delivered output; empty if nothing was delivered. Excludes the images of a tool,
 * which `deliveredByTools` returns.
 */
export function deliveredUsage(
  { pieces, bytes, audio, images, partial_images, searches, file_searches }: Delivered,
  { audio_bytes_a_token, image_tokens, image_model }: MediaRates,
): Usage {
  const text = Math.max(pieces, Math.ceil(bytes / TEXT_BYTES_A_TOKEN))
  const output_audio_tokens = Math.ceil(audio / audio_bytes_a_token)
  const output_image_tokens =
    image_tokens === undefined || image_model !== undefined
      ? 0
      : imageTokens(image_tokens, { images, partial_images })
  const output_tokens = text + output_audio_tokens + output_image_tokens
  return {
    ...(output_tokens > 0 && { output_tokens }),
    ...(output_audio_tokens > 0 && { output_audio_tokens }),
    ...(output_image_tokens > 0 && { output_image_tokens }),
    ...(image_tokens === undefined && images > 0 && { output_images: images }),
    ...(searches > 0 && { web_searches: searches }),
    ...(file_searches > 0 && { storage_searches: file_searches }),
  }
}

/** Returns the estimated usage of the delivered images that a tool created with another model. */
export function deliveredByTools(
  { images, partial_images }: Delivered,
  { image_tokens, image_model }: MediaRates,
): readonly UsagePart[] {
  if (images === 0 || image_tokens === undefined || image_model === undefined) return NO_PARTS
  return [imagePart(image_model, imageTokens(image_tokens, { images, partial_images }))]
}

/** Returns the estimated number of output tokens of the delivered output, including the images of tools. */
export function deliveredTokens(delivered: Delivered, rates: MediaRates): number {
  return deliveredByTools(delivered, rates).reduce(
    (sum, { usage }) => sum + (usage.output_tokens ?? 0),
    deliveredUsage(delivered, rates).output_tokens ?? 0,
  )
}

const NO_PARTS: readonly UsagePart[] = []

/** Returns the usage of an image model that created images. */
export function imagePart(model: string, tokens: number): UsagePart {
  return { model, usage: { output_tokens: tokens, output_image_tokens: tokens } }
}

/** Returns the number of tokens of some images, of which each has `each` tokens, and of their previews. */
export function imageTokens(
  each: number,
  { images, partial_images }: Pick<Delivered, 'images' | 'partial_images'>,
): number {
  return images * each + partial_images * PARTIAL_IMAGE_TOKENS
}

/**
 * Returns a pattern that finds the beginnings of the values of text fields in unparsed JSON. `fields` is a regular
 * expression of their names. The pattern does not include the values, because a pattern that matches a value of several
 * megabytes with many escapes exceeds the stack of the runtime.
 */
export function textsOf(fields: string): RegExp {
  return new RegExp(`"(?:${fields})"\\s*:\\s*"`, 'g')
}

/** The pattern of the base64 text of audio in chat completions, and of media in Gemini's responses. */
export const MEDIA = textsOf('data')

/** Counts the output in the lines of a stream without parsing the lines. */
export class OutputCount implements Delivered {
  pieces = 0
  bytes = 0
  audio = 0
  images = 0
  partial_images = 0
  searches = 0
  file_searches = 0
  /** The number of bytes of text up to and including the last encrypted reasoning. */
  private unsealed = 0
  private readonly texts: RegExp

  constructor(fields: string) {
    this.texts = textsOf(fields)
  }

  text(data: string): void {
    this.addTexts(data, this.texts)
  }

  /** Counts the text of other fields. */
  addTexts(data: string, fields: RegExp): void {
    this.addText(lengthOf(data, fields))
  }

  addText(bytes: number): void {
    if (bytes === 0) return
    this.pieces += 1
    this.bytes += bytes
  }

  /** Counts the bytes of audio that a field contains in base64. */
  addAudio(data: string, field: RegExp): void {
    this.audio += decodedLength(lengthOf(data, field))
  }

  /**
   * Counts encrypted reasoning, which a field contains in base64. It can encrypt the same text as the readable
   * reasoning before it, so only its additional bytes are counted.
   */
  addSealed(data: string, field: RegExp): void {
    this.addText(Math.max(0, decodedLength(lengthOf(data, field)) - (this.bytes - this.unsealed)))
    this.unsealed = this.bytes
  }
}

/** Returns the length of the values of text fields. The last value can be incomplete. */
function lengthOf(data: string, fields: RegExp): number {
  fields.lastIndex = 0
  let length = 0
  while (fields.test(data)) {
    const start = fields.lastIndex
    const close = endOfString(data, start)
    const end = close === -1 ? data.length : close
    length += end - start
    fields.lastIndex = end + 1
  }
  return length
}

/** Returns the number of bytes that a base64 text of the given length encodes. */
function decodedLength(base64: number): number {
  return Math.floor((base64 * 3) / 4)
}
