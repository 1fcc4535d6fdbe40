import type { Dialect } from '../../provider-keys/providers.ts'

/** Two estimates of the input tokens of a request. They are needed before the provider has counted the tokens. */
export interface InputEstimate {
  /** A high estimate, which determines the size of the hold. */
  readonly held: number
  /** A likely estimate, which is charged if the provider reports no usage. */
  readonly likely: number
}

/**
 * The number of tokens per character, and per further byte of a character in UTF-8. A token has about three characters
 * of code or numbers, or four characters of prose. Characters outside ASCII have more than one byte and need more
 * tokens. `docs/gateway.md` lists these rules.
 */
const HELD = { a_character: 1 / 3, a_further_byte: 1 / 2 }
const LIKELY = { a_character: 1 / 4, a_further_byte: 1 / 4 }

/** The maximum number of tokens of one input image at the usual level of detail, by dialect. */
const IMAGE_TOKENS: Readonly<Record<Dialect, number>> = { openai: 3_000, anthropic: 5_000, google: 3_000 }
/** The maximum number of tokens of one input image for gpt-4o-mini, at every level of detail. */
const MINI_IMAGE_TOKENS = 50_000

/**
 * The number of bytes per token in a decoded file. The assumptions are 4,000 tokens for a page of 20 KB, 40 tokens for
 * a second of audio of 2 KB, and about 330 tokens for a second of video of 50 KB.
 */
const BYTES_A_TOKEN = { text: 3, document: 5, audio: 50, video: 150 }
/** The media types of PDF and Office documents. All other files that are not media are text, such as JSON. */
const DOCUMENT = /^application\/(?:pdf|msword|rtf|vnd\.)/
/**
 * The assumed number of tokens of a file, an earlier response, a conversation, a prompt or a cache that the body refers
 * to by its id. For a file that the body refers to by its URL, the larger of this number and the tokens of an image is
 * assumed.
 */
const REFERENCE_TOKENS = 16_000
const REFERENCES: ReadonlySet<string> = new Set([
  'file_id',
  'previous_response_id',
  'conversation',
  'cachedContent',
  'cached_content',
])
/** The names of references that can be objects with an id, such as `{"conversation": {"id": "conv_1"}}`. */
const OBJECT_REFERENCES: ReadonlySet<string> = new Set(['conversation', 'prompt'])
/** The fields that contain the URL of a file, directly or as the field `url` of an object. */
const FILES: ReadonlySet<string> = new Set([
  'image_url',
  'video_url',
  'audio_url',
  'document_url',
  'file_url',
  'file_data',
  'fileUri',
  'file_uri',
])
/** The objects that contain a file in the field `data`, and its media type in one of `TYPES`. */
const INLINE: ReadonlySet<string> = new Set(['inlineData', 'inline_data', 'source'])
const TYPES = ['mimeType', 'mime_type', 'media_type']
/**
 * The fields with JSON that the model reads as text: the arguments, the results and the schemas of tools. A file in
 * them is text, too.
 */
const READ_AS_TEXT: ReadonlySet<string> = new Set([
  'args',
  'arguments',
  'response',
  'parameters',
  'parametersJsonSchema',
  'parameters_json_schema',
  'input_schema',
  'input_examples',
  'schema',
  'responseSchema',
  'response_schema',
  'responseJsonSchema',
  'response_json_schema',
])

/**
 * Estimates the number of input tokens of a body. Text is estimated from its length, and each media file from its type
 * and size.
 */
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
  /** The number of characters in the body that encode files. */
  characters: number
  tokens: number
}

/**
 * Returns the estimate for all media and references in the body. It uses no recursion, because a body can be nested
 * deeply.
 */
function mediaOf(body: object, dialect: Dialect): Media {
  const found: Media = { characters: 0, tokens: 0 }
  const image = imageTokens(dialect, body)
  const open: object[] = [body]
  // The names of the objects in `open`. The items of a list have the name of the list.
  const names = ['']
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const parent = names.pop() ?? ''
    const take = (name: string, value: unknown) => {
      if (typeof value === 'string') countText(found, { node, parent, name, value }, image)
      if (typeof value !== 'object' || value === null || isReadAsText(node, name)) return
      open.push(value)
      names.push(name)
      if (OBJECT_REFERENCES.has(name) && typeof Reflect.get(value, 'id') === 'string')
        found.tokens += REFERENCE_TOKENS
    }
    if (Array.isArray(node)) for (const item of node) take(parent, item)
    else for (const [name, value] of Object.entries(node)) take(name, value)
  }
  return found
}

/**
 * Returns whether the model reads the object in a field as text. `input` contains the arguments of Anthropic's tools.
 */
function isReadAsText(node: object, name: string): boolean {
  if (READ_AS_TEXT.has(name)) return true
  const type: unknown = name === 'input' ? Reflect.get(node, 'type') : undefined
  return typeof type === 'string' && type.endsWith('tool_use')
}

/** A string in the body: the object that contains it, the name of this object, and the name of the string. */
interface Text {
  readonly node: object
  readonly parent: string
  readonly name: string
  readonly value: string
}

function countText(found: Media, text: Text, image: number): void {
  const { parent, name, value } = text
  const mime = mimeOf(text)
  if (mime !== undefined) {
    found.characters += value.length
    found.tokens += tokensOfMedia(mime, Math.floor(value.length * 0.75), image)
  } else if (isFile(parent, name) && /^(?:https?|gs):/i.test(value)) {
    found.tokens += Math.max(image, REFERENCE_TOKENS)
  } else if (REFERENCES.has(name)) found.tokens += REFERENCE_TOKENS
}

function isFile(parent: string, name: string): boolean {
  return FILES.has(name) || (name === 'url' && (FILES.has(parent) || parent === 'source'))
}

/**
 * Returns the media type of a JSON string that contains an encoded file; undefined for other strings. A string contains
 * a file only where the API accepts one and if it is base64, because the model reads every other string as text.
 */
function mimeOf({ node, parent, name, value }: Text): string | undefined {
  const mayBeFile = isFile(parent, name)
  if (!mayBeFile && name !== 'data') return undefined
  const [prefix = '', type] = DATA_URL.exec(value.slice(0, MAX_PREFIX)) ?? []
  const declared = mayBeFile ? typeInUrl(name, prefix, type?.toLowerCase()) : declaredType(node, parent)
  return declared !== undefined && isBase64(value, prefix.length) ? declared : undefined
}

/** The beginning of a data URL with base64, in the first `MAX_PREFIX` characters. */
const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[^;,]*)*;base64,/i
const MAX_PREFIX = 200

/** Returns the media type of a data URL. `file_data` always contains a document, and can be base64 without a prefix. */
function typeInUrl(name: string, prefix: string, type: string | undefined): string | undefined {
  if (name !== 'file_data') return prefix === '' ? undefined : type
  return type === undefined || /^(?:image|audio|video)\//.test(type) ? 'application/pdf' : type
}

/** Returns the media type of a string in the field `data`. A source of the type `text` contains plain text. */
function declaredType(node: object, parent: string): string | undefined {
  if (parent === 'input_audio') return 'audio/any'
  if (!INLINE.has(parent) || Reflect.get(node, 'type') === 'text') return undefined
  const type: unknown = TYPES.map((field) => Reflect.get(node, field)).find((one) => typeof one === 'string')
  return typeof type === 'string' ? type.toLowerCase() : undefined
}

/** The number and the length of the samples that decide whether a string is base64. */
const SAMPLES = { count: 16, length: 60 }
/** Some encoders break the lines of base64, but not before the 60th character. */
const BASE64 = /^[\w+/=-]*(?:\r?\n[\w+/=-]*)?$/

/**
 * Returns whether a string is base64 from a position on. Checks only samples, because a body can contain 16 MB of
 * base64. Any part of a long text has a character that base64 does not have, such as a space.
 */
function isBase64(value: string, from: number): boolean {
  const step = Math.max(SAMPLES.length, Math.ceil((value.length - from) / SAMPLES.count))
  for (let at = from; at < value.length; at += step) {
    if (!BASE64.test(value.slice(at, at + SAMPLES.length))) return false
  }
  return BASE64.test(value.slice(Math.max(from, value.length - SAMPLES.length)))
}

function tokensOfMedia(mime: string, bytes: number, image: number): number {
  if (mime.startsWith('image/')) return image
  if (mime.startsWith('audio/')) return Math.ceil(bytes / BYTES_A_TOKEN.audio)
  if (mime.startsWith('video/')) return Math.ceil(bytes / BYTES_A_TOKEN.video)
  return Math.ceil(bytes / (DOCUMENT.test(mime) ? BYTES_A_TOKEN.document : BYTES_A_TOKEN.text))
}

function imageTokens(dialect: Dialect, body: object): number {
  const model: unknown = Reflect.get(body, 'model')
  return typeof model === 'string' && model.includes('4o-mini') ? MINI_IMAGE_TOKENS : IMAGE_TOKENS[dialect]
}
