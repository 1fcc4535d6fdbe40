import type { Usage } from '../../pricing/usage.ts'

/**
 * The output that the gateway has relayed. The usage of an answer without a usage report is estimated from this
 * output.
 */
export interface Delivered {
  /** The number of lines with text. */
  readonly pieces: number
  /** The number of bytes of text, as escaped in JSON. */
  readonly bytes: number
  /** The number of bytes of audio. */
  readonly audio: number
  /** The number of images, finished or not. */
  readonly images: number
  /** The number of previews of unfinished images. */
  readonly partial_images: number
  readonly searches: number
}

export const NOTHING: Delivered = {
  pieces: 0,
  bytes: 0,
  audio: 0,
  images: 0,
  partial_images: 0,
  searches: 0,
}

/** The rates for the estimate of the media of one call. */
export interface MediaRates {
  readonly audio_bytes_a_token: number
  /** The tokens of an image; undefined if the model is priced by image. */
  readonly image_tokens: number | undefined
}

/** The bytes of text per token. A line with text has at least one token. */
const TEXT_BYTES_A_TOKEN = 4
/** The number of tokens that each unfinished image adds. */
const PARTIAL_IMAGE_TOKENS = 100

/** Estimates the usage of the delivered output. Returns an empty usage if nothing was delivered. */
export function deliveredUsage(
  { pieces, bytes, audio, images, partial_images, searches }: Delivered,
  { audio_bytes_a_token, image_tokens }: MediaRates,
): Usage {
  const text = Math.max(pieces, Math.ceil(bytes / TEXT_BYTES_A_TOKEN))
  const output_audio_tokens = Math.ceil(audio / audio_bytes_a_token)
  const output_image_tokens =
    image_tokens === undefined ? 0 : images * image_tokens + partial_images * PARTIAL_IMAGE_TOKENS
  const output_tokens = text + output_audio_tokens + output_image_tokens
  return {
    ...(output_tokens > 0 && { output_tokens }),
    ...(output_audio_tokens > 0 && { output_audio_tokens }),
    ...(output_image_tokens > 0 && { output_image_tokens }),
    ...(image_tokens === undefined && images > 0 && { output_images: images }),
    ...(searches > 0 && { web_searches: searches }),
  }
}

/** Returns a pattern that matches the values of text fields in JSON that is not parsed. */
export function textsOf(fields: string): RegExp {
  return new RegExp(`"(?:${fields})"\\s*:\\s*"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)"`, 'g')
}

/** Counts output in lines without parsing them. */
export class OutputCount implements Delivered {
  pieces = 0
  bytes = 0
  audio = 0
  images = 0
  partial_images = 0
  searches = 0
  /** The bytes of text before the last encrypted reasoning. */
  private unsealed = 0
  private readonly texts: RegExp

  constructor(fields: string) {
    this.texts = textsOf(fields)
  }

  text(data: string): void {
    this.addText(lengthOf(data, this.texts))
  }

  addText(bytes: number): void {
    if (bytes === 0) return
    this.pieces += 1
    this.bytes += bytes
  }

  /** Counts audio in base64. */
  addAudio(data: string, field: RegExp): void {
    this.audio += decodedLength(lengthOf(data, field))
  }

  /** Counts the bytes of encrypted reasoning that exceed the readable text before it. */
  addSealed(data: string, field: RegExp): void {
    this.addText(Math.max(0, decodedLength(lengthOf(data, field)) - (this.bytes - this.unsealed)))
    this.unsealed = this.bytes
  }
}

function lengthOf(data: string, pattern: RegExp): number {
  pattern.lastIndex = 0
  let length = 0
  for (let found = pattern.exec(data); found; found = pattern.exec(data)) length += found[1]?.length ?? 0
  return length
}

/** Returns the number of bytes that a base64 text encodes. */
function decodedLength(base64: number): number {
  return Math.floor((base64 * 3) / 4)
}
