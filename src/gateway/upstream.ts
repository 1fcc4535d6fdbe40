import type { Problem } from '../http/output/problem.ts'
import type { Dialect } from '../provider-keys/providers.ts'
import type { UpstreamQuery } from '../provider-keys/upstream.ts'
import { type Target, VERSIONS } from './dialect.ts'

/**
 * Builds the URL and the headers of a request to a provider. Only headers that providers read are sent. The headers for
 * the gateway itself are never sent.
 */

const PASSED: ReadonlySet<string> = new Set([
  'accept',
  'content-type',
  'user-agent',
  'x-goog-api-client',
  'x-goog-user-project',
  'http-referer',
  'x-title',
  // Coding agents send their name and a session id. A provider finds its prompt cache by the session id.
  'originator',
  'version',
  'session_id',
  'session-id',
  'thread-id',
  'x-app',
  'x-client-request-id',
])

/** The pattern of the headers that are specific to a provider or to the coding agent of a provider. */
const PASSED_FAMILIES = /^(?:openai|anthropic|x-openai|x-codex|x-claude-code)-/

/**
 * The headers of the provider's response that the client gets, besides those in `RETURNED_FAMILIES`. Other headers can
 * harm the client: browsers and proxies obey many of them, some describe the account of an operator's key or the
 * connection, and a client that followed `Location` would send its meter key to another host.
 */
const RETURNED: ReadonlySet<string> = new Set([
  'content-disposition',
  'content-type',
  'retry-after',
  'retry-after-ms',
  'x-models-etag',
  'x-reasoning-included',
  'x-should-retry',
])

/**
 * The pattern of the headers that describe rate limits, models and processing, or identify the request for the
 * provider's support. Headers that identify the account are excluded.
 */
const RETURNED_FAMILIES =
  /^(?!.*(?:organization|project|account))(?:(?:anthropic|openai|x-(?:codex|gemini|goog|groq|ms|openai|ratelimit[a-z]*|together))-|(?:.+-)?(?:request|trace|correlation|generation)-?id$)/

/**
 * Returns the query for the provider key of a call. The query has the key in the header `X-Provider-Key` and the name
 * in the header `X-Meter-Provider-Key`, if they were sent. `resolveUpstream` describes which key is used.
 */
export function upstreamQuery(dialect: Dialect, header: (name: string) => string | undefined): UpstreamQuery {
  const headerKey = header('X-Provider-Key')
  const name = header('X-Meter-Provider-Key')
  return {
    provider: dialect,
    ...(headerKey !== undefined && { headerKey }),
    ...(name !== undefined && { name }),
  }
}

/** The query parameters of Gemini that cannot hide the usage of a call, and `key`, which is not sent. */
const GOOGLE_PARAMETERS: ReadonlySet<string> = new Set([
  'key',
  'prettyPrint',
  '$prettyPrint',
  'quotaUser',
  '$.xgafv',
  'pageSize',
  'pageToken',
  'filter',
])

/**
 * The pattern of parameters that the hosts of Google read in every API, also in the API of OpenAI. They can remove the
 * usage from the response, or replace the method or the credentials of the call.
 */
const SYSTEM_PARAMETER = /^(?:\$.*|alt|callback|fields|access_token|oauth_token)$/is
const FORMAT_PARAMETER = /^\$?alt$/

/**
 * The format that older SDKs of Google request: JSON with numbers instead of names. It is not sent, because the price
 * depends on the name of a modality. The SDKs also read names.
 */
const JSON_WITH_NUMBERS = 'json;enum-encoding=int'
const FORMATS: ReadonlySet<string> = new Set(['json', 'sse', JSON_WITH_NUMBERS])

/**
 * Returns the name of a query parameter that the gateway refuses; undefined if there is none. A semicolon also
 * separates parameters here, because some providers read it as a separator.
 */
export function refusedParameter(dialect: Dialect, query: string): string | undefined {
  return query
    .slice(1)
    .split(/[&;]/)
    .flatMap((part) => [...new URLSearchParams(part)])
    .find(([name, value]) => {
      if (FORMAT_PARAMETER.test(name) && FORMATS.has(value)) return false
      return dialect === 'google' ? !GOOGLE_PARAMETERS.has(name) : SYSTEM_PARAMETER.test(name)
    })?.[0]
}

/** Returns the query for the provider. It has the bytes of the client's query, without the parameter `key`. */
function passedQuery(query: string): string {
  const passed = query
    .slice(1)
    .split('&')
    .filter((part) => {
      const [parameter] = new URLSearchParams(part)
      if (!parameter) return true
      const [name, value] = parameter
      return name !== 'key' && !(FORMAT_PARAMETER.test(name) && value === JSON_WITH_NUMBERS)
    })
  return passed.join('&')
}

/**
 * Returns the URL of a call at the provider, with the query of the request, but without the parameter `key`. If the
 * base URL ends with the first version in `VERSIONS` of the dialect, the version of the call replaces it.
 */
export function upstreamUrl(base: string, { dialect, version, path, query }: Target): string {
  const plain = base.replace(/\/+$/, '')
  const [usual] = VERSIONS[dialect]
  const versioned = plain.endsWith(`/${usual}`) ? plain.slice(0, -usual.length) + version : plain
  const url = new URL(`${versioned}/${path}`)
  url.search = passedQuery(query)
  return url.href
}

export function upstreamHeaders(dialect: Dialect, url: string, key: string, sent: Headers): Headers {
  const headers = new Headers()
  for (const [name, value] of sent) {
    if (PASSED.has(name) || PASSED_FAMILIES.test(name)) headers.set(name, value)
  }
  // The response must not be compressed, because the gateway reads the usage in it.
  headers.set('accept-encoding', 'identity')
  headers.set(...keyHeader(dialect, new URL(url).hostname, key))
  return headers
}

/**
 * The hosts of Azure that read resource keys in `api-key`: Azure OpenAI, Foundry and API Management, also in the clouds
 * of the US government and of China. Azure's hosts for single models read keys as bearer tokens.
 */
const AZURE =
  /\.(?:(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)|api\.cognitive\.microsoft\.(?:com|us)|azure-api\.(?:net|us|cn))$/
/** The hosts of Vertex AI: global, of a region or of several regions, and private ones. */
const VERTEX = /(?:^|[.-])aiplatform[a-z0-9.-]*\.googleapis\.com$/
/** The pattern of access tokens of Google and of JSON Web Tokens, which Google and Azure read as bearer tokens. */
const ACCESS_TOKEN = /^(?:ya29\.|eyJ)/
/** The pattern of API keys of Google. */
const GOOGLE_API_KEY = /^(?:AIza|AQ\.)/

/**
 * Returns the header for the provider key. It depends on the host, and for the hosts that read several kinds of keys
 * also on the form of the key. Vertex AI reads keys of an unknown form as bearer tokens.
 */
function keyHeader(dialect: Dialect, hostname: string, key: string): [name: string, value: string] {
  const bearer: [string, string] = ['authorization', `Bearer ${key}`]
  if (AZURE.test(hostname)) return ACCESS_TOKEN.test(key) ? bearer : ['api-key', key]
  if (VERTEX.test(hostname)) return GOOGLE_API_KEY.test(key) ? ['x-goog-api-key', key] : bearer
  switch (dialect) {
    case 'openai':
      return bearer
    case 'anthropic':
      return ['x-api-key', key]
    case 'google':
      return ACCESS_TOKEN.test(key) ? bearer : ['x-goog-api-key', key]
  }
}

/** The values of `Content-Encoding` whose body the runtime decodes, or that need no decoding. */
const READABLE: ReadonlySet<string> = new Set(['', 'identity', 'gzip', 'br'])

/**
 * Returns whether the body of a response can be read. Other encodings are refused: the usage could not be read, and the
 * client would get encoded bytes without `Content-Encoding`. The gateway requests no encoding, so they are rare.
 */
export function isReadable(received: Headers): boolean {
  return READABLE.has(received.get('Content-Encoding') ?? '')
}

/** The problem for a response whose body cannot be read. */
export const UNREADABLE: Problem = {
  code: 'provider_unreachable',
  detail:
    'The response of the provider has a Content-Encoding other than gzip and br, so it cannot be read. Nothing is charged here, but the provider might charge for the call.',
}

/** The header that contains the request id of the provider. `X-Request-Id` contains the request id of the gateway. */
const PROVIDER_REQUEST_ID = 'X-Provider-Request-Id'

export function returnedHeaders(received: Headers): Headers {
  const headers = new Headers()
  for (const [name, value] of received) {
    if (name === 'x-request-id') headers.set(PROVIDER_REQUEST_ID, value)
    else if (RETURNED.has(name) || RETURNED_FAMILIES.test(name)) headers.set(name, value)
  }
  return headers
}
