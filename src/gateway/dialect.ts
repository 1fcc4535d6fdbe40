import type { EventType } from '../ledger/model/vocabulary.ts'
import type { Dialect } from '../provider-keys/providers.ts'

/** The API of a metered endpoint. It determines the form of the usage and the reader of the stream. */
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
  /** The model, if the path names it. */
  readonly model?: string
  /** Whether the path requests a stream; undefined if only the body shows that. */
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

/** The API versions in the paths of each dialect. The addresses of providers contain the first version. */
export const VERSIONS: Readonly<Record<Dialect, readonly [string, ...string[]]>> = {
  openai: ['v1'],
  anthropic: ['v1'],
  google: ['v1beta', 'v1'],
}

/** The path of a call at its provider. */
export interface Target {
  readonly dialect: Dialect
  readonly version: string
  /** The part after the version. */
  readonly path: string
  readonly query: string
}

/**
 * The paths of models. A model name has up to three segments, because the names of some providers contain slashes.
 */
const MODELS = /^models(?:\/[^/]+){0,3}$/
const GOOGLE_CALL = /^(?:models|tunedModels)\/([^/:]+):([A-Za-z]+)$/

/** Returns the endpoint of a path after the version; undefined if the gateway does not relay it. */
export function endpointOf(dialect: Dialect, method: string, path: string): Endpoint | undefined {
  if (method === 'GET') return MODELS.test(path) && !GOOGLE_CALL.test(path) ? FREE : undefined
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
