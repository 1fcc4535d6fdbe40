import type { EventType } from '../ledger/model/vocabulary.ts'
import type { Dialect } from '../provider-keys/providers.ts'

/** The API of a metered endpoint. It determines the format of the usage report and the reader of the stream. */
export type MeteredApi =
  | 'chat'
  | 'responses'
  | 'embeddings'
  | 'images'
  | 'speech'
  | 'transcriptions'
  | 'messages'
  | 'generate'
  | 'embed'

export interface MeteredEndpoint {
  readonly kind: 'metered'
  readonly api: MeteredApi
  readonly event_type: EventType
  /** The model in the path; absent if the path names no model. */
  readonly model?: string
  /** Whether the path requests a stream; absent if the body decides. */
  readonly stream?: boolean
}

export type Endpoint = MeteredEndpoint | { readonly kind: 'free' }

const FREE: Endpoint = { kind: 'free' }
const TOKENS = { kind: 'metered', event_type: 'TOKEN_USAGE' } as const

const OPENAI: Readonly<Record<string, Endpoint>> = {
  'chat/completions': { ...TOKENS, api: 'chat' },
  responses: { ...TOKENS, api: 'responses' },
  embeddings: { ...TOKENS, api: 'embeddings', stream: false },
  'images/generations': { kind: 'metered', event_type: 'IMAGE_GENERATION', api: 'images' },
  'audio/speech': { kind: 'metered', event_type: 'AUDIO_PROCESSING', api: 'speech' },
  'audio/transcriptions': { kind: 'metered', event_type: 'AUDIO_PROCESSING', api: 'transcriptions' },
}

const ANTHROPIC: Readonly<Record<string, Endpoint>> = {
  messages: { ...TOKENS, api: 'messages' },
  'messages/count_tokens': FREE,
}

const GOOGLE_ACTIONS: Readonly<Record<string, Omit<MeteredEndpoint, 'model'> | { readonly kind: 'free' }>> = {
  generateContent: { ...TOKENS, api: 'generate', stream: false },
  streamGenerateContent: { ...TOKENS, api: 'generate', stream: true },
  embedContent: { ...TOKENS, api: 'embed', stream: false },
  batchEmbedContents: { ...TOKENS, api: 'embed', stream: false },
  countTokens: FREE,
}

/** The API versions that the paths of each dialect can have. Most base URLs of providers end with the first version. */
export const VERSIONS: Readonly<Record<Dialect, readonly [string, ...string[]]>> = {
  openai: ['v1'],
  anthropic: ['v1'],
  google: ['v1beta', 'v1'],
}

/** The path and the query of a call at its provider. */
export interface Target {
  readonly dialect: Dialect
  readonly version: string
  /** The part of the path after the version, with the percent-encoding of the client. */
  readonly path: string
  readonly query: string
}

/**
 * The patterns of the paths that list models or get one model. A model name can have up to three path segments, because
 * the model names of some providers contain slashes. Those of Gemini contain none, and longer paths of Gemini lead to
 * other objects, such as the operations of a model.
 */
const MODELS = /^models(?:\/[^/]+){0,3}$/
const GOOGLE_MODELS = /^models(?:\/[^/:]+)?$/
const GOOGLE_CALL = /^(?:models|tunedModels)\/([^/:]+):([A-Za-z]+)$/

/** The characters that no model name contains, and that some providers read as the end of a name or decode again. */
const NOT_IN_NAMES = /[%?#;\p{Cc}]/u

/** The pattern of paths that a provider could read as another path: a segment begins with a dot, or has a backslash. */
const ELSEWHERE = /(?:^|\/)\.|\\/

/**
 * Decodes the percent-encoding of a path. Providers select the endpoint and the model by the decoded path, so the
 * gateway must do the same. Returns undefined if the encoding is invalid, or if the decoded path has one of `% ? # ;`
 * or a control character.
 */
export function decodedPath(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path)
    return NOT_IN_NAMES.test(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}

/**
 * Returns the endpoint for a method and a decoded path without the version; undefined if the gateway does not relay
 * such calls.
 */
export function endpointOf(dialect: Dialect, method: string, path: string): Endpoint | undefined {
  if (ELSEWHERE.test(path)) return undefined
  if (method === 'GET') return (dialect === 'google' ? GOOGLE_MODELS : MODELS).test(path) ? FREE : undefined
  if (method !== 'POST') return undefined
  if (dialect === 'google') return googleEndpoint(path)
  const endpoints = dialect === 'openai' ? OPENAI : ANTHROPIC
  return Object.hasOwn(endpoints, path) ? endpoints[path] : undefined
}

function googleEndpoint(path: string): Endpoint | undefined {
  const [, model, action = ''] = GOOGLE_CALL.exec(path) ?? []
  if (model === undefined || !Object.hasOwn(GOOGLE_ACTIONS, action)) return undefined
  const found = GOOGLE_ACTIONS[action]
  return found?.kind === 'metered' ? { ...found, model } : found
}
