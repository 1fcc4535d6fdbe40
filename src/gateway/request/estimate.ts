import type { Dialect } from '../../provider-keys/providers.ts'

/** An estimate of the tokens of a request, before the provider has counted them. */
export interface InputEstimate {
  /** An upper estimate, for the hold. */
  readonly held: number
  /** A likely estimate, for a charge without a usage report of the provider. */
  readonly likely: number
}

/**
 * Tokens per character. A token has three characters of dense text, such as code or numbers, or four characters of
 * prose. Characters outside ASCII have more bytes and more tokens. `docs/gateway.md` lists these rules.
 */
const HELD = { a_character: 1 / 3, a_further_byte: 1 / 2 }
const LIKELY = { a_character: 1 / 4, a_further_byte: 1 / 4 }

/** The maximum number of tokens of one image, by dialect, at the models' usual detail. */
const IMAGE_TOKENS: Readonly<Record<Dialect, number>> = { openai: 3_000, anthropic: 5_000, google: 3_000 }
/** The number of tokens that gpt-4o-mini counts for an image in high detail. */
const MINI_IMAGE_TOKENS = 50_000

/**
 * Bytes per token of decoded files. A page of 20 KB has 4,000 tokens. A second of audio has 2 KB, and a second of
 * video 50 KB.
 */
const BYTES_A_TOKEN = { document: 5, audio: 50, video: 150 }
/** The assumed number of tokens of a file, a conversation or a cache that the body refers to by its id. */
const REFERENCE_TOKENS = 16_000
const REFERENCES: ReadonlySet<string> = new Set([
  'file_id',
  'previous_response_id',
  'conversation',
  'cachedContent',
  'cached_content',
])
const URLS: ReadonlySet<string> = new Set(['url', 'image_url', 'file_url', 'fileUri', 'file_uri'])

/** Estimates the input of a body: text by its length, and media by the rules of their types. */
export function estimateInput(
  dialect: Dialect,
  body: object,
  { text, bytes }: { readonly text: string; readonly bytes: number },
): InputEstimate {
  const media = mediaOf(body, dialect)
  const characters = Math.max(0, text.length - media.characters)
  const further = bytes - text.length
  const tokens = (rate: typeof HELD) =>
    Math.ceil(characters * rate.a_character + further * rate.a_further_byte) + media.tokens
  return { held: tokens(HELD), likely: tokens(LIKELY) }
}

interface Media {
  /** Characters of the body that are not text. */
  characters: number
  tokens: number
}

/** Finds media and references anywhere in the body. It uses no recursion, because a body may be nested deeply. */
function mediaOf(body: object, dialect: Dialect): Media {
  const found: Media = { characters: 0, tokens: 0 }
  const image = imageTokens(dialect, body)
  const open: object[] = [body]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const [name, value] of Object.entries(node)) {
      if (typeof value === 'object' && value !== null) open.push(value)
      else if (typeof value === 'string') countText(found, node, name, value, image)
    }
  }
  return found
}

function countText(found: Media, node: object, name: string, value: string, image: number): void {
  const mime = mimeOf(node, name, value)
  if (mime !== undefined) {
    found.characters += value.length
    found.tokens += tokensOfMedia(mime, Math.floor(value.length * 0.75), image)
  } else if (URLS.has(name) && /^(?:https?|gs):/.test(value)) {
    found.tokens += Math.max(image, REFERENCE_TOKENS)
  } else if (REFERENCES.has(name)) found.tokens += REFERENCE_TOKENS
}

/** Returns the media type of a text that contains a file; undefined for other texts. */
function mimeOf(node: object, name: string, value: string): string | undefined {
  if (value.startsWith('data:')) return value.slice('data:'.length, 100).split(/[;,]/)[0]
  if (name === 'file_data') return 'application/pdf'
  if (name !== 'data') return undefined
  for (const field of ['media_type', 'mimeType', 'mime_type', 'format']) {
    const type: unknown = Reflect.get(node, field)
    if (typeof type === 'string') return field === 'format' ? `audio/${type}` : type
  }
  return undefined
}

function tokensOfMedia(mime: string, bytes: number, image: number): number {
  if (mime.startsWith('image/')) return image
  if (mime.startsWith('audio/')) return Math.ceil(bytes / BYTES_A_TOKEN.audio)
  if (mime.startsWith('video/')) return Math.ceil(bytes / BYTES_A_TOKEN.video)
  return Math.ceil(bytes / (mime.startsWith('text/') ? 3 : BYTES_A_TOKEN.document))
}

function imageTokens(dialect: Dialect, body: object): number {
  const model: unknown = Reflect.get(body, 'model')
  return typeof model === 'string' && model.includes('4o-mini') ? MINI_IMAGE_TOKENS : IMAGE_TOKENS[dialect]
}
