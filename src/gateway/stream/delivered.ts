import type { Usage } from '../../pricing/usage.ts'

/** The output of an answer that passed the gateway, for an estimate of an answer without a report. */
export interface Delivered {
  /** Lines with text. */
  readonly pieces: number
  /** Bytes of text, as JSON text. */
  readonly bytes: number
  /** Bytes of audio. */
  readonly audio: number
  /** Images, or parts of them. */
  readonly images: number
  /** Images that a provider sent before they were finished. */
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

/** How the media of one call are estimated. */
export interface MediaRates {
  readonly audio_bytes_a_token: number
  /** The tokens of an image; undefined if the model is priced by image. */
  readonly image_tokens: number | undefined
}

/** Bytes of text of a token. A provider sends at least one token a line. */
const TEXT_BYTES_A_TOKEN = 4
/** The number of tokens that each unfinished image adds. */
const PARTIAL_IMAGE_TOKENS = 100

/** Estimates the usage of the delivered output; an empty one if nothing was delivered. */
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

/** Matches the texts of some fields of JSON, which may not be parsed for it. */
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
  /** Bytes of text before the last encrypted reasoning. */
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

  /** Counts encrypted reasoning, as far as it is longer than the readable text before it. */
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

/** The bytes of a text in base64. */
function decodedLength(base64: number): number {
  return Math.floor((base64 * 3) / 4)
}
