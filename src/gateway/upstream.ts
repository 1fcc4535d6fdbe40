import type { Dialect } from '../provider-keys/providers.ts'
import type { UpstreamQuery } from '../provider-keys/upstream.ts'
import { type Target, VERSIONS } from './dialect.ts'

/**
 * The headers and the URL of a request to a provider. The request has only headers that providers read, and none of
 * the headers of the meter.
 */

const PASSED: ReadonlySet<string> = new Set([
  'accept',
  'content-type',
  'user-agent',
  'x-goog-api-client',
  'x-goog-user-project',
  'http-referer',
  'x-title',
  // Coding agents send their name and their session. A provider finds its prompt cache by the session.
  'originator',
  'version',
  'session_id',
  'session-id',
  'thread-id',
  'x-app',
  'x-client-request-id',
])

/** Matches the names of the providers' own headers and of the headers of their agents. */
const PASSED_FAMILIES = /^(?:openai|anthropic|x-openai|x-codex|x-claude-code)-/

/**
 * The headers of an answer that are not returned. Most of them belong to the connection. The gateway decodes the
 * body, so its length and its encoding change. The cookies of a provider are for its own site only.
 */
const NOT_RETURNED: ReadonlySet<string> = new Set([
  'alt-svc',
  'connection',
  'content-encoding',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'set-cookie',
  'strict-transport-security',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Returns the query for the key of a call: the key in a header, the stored key with a name, or the newest stored key
 * of the provider.
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

/**
 * Returns the URL of an endpoint at a provider, with the query of the request except the parameter `key`. If the base
 * URL ends with the default version of the dialect (the first in `VERSIONS`), the version of the call replaces it.
 */
export function upstreamUrl(base: string, { dialect, version, path, query }: Target): string {
  const parameters = new URLSearchParams(query)
  parameters.delete('key')
  const plain = base.replace(/\/+$/, '')
  const [usual] = VERSIONS[dialect]
  const versioned = plain.endsWith(`/${usual}`) ? plain.slice(0, -usual.length) + version : plain
  const url = new URL(`${versioned}/${path}`)
  for (const [name, value] of parameters) url.searchParams.append(name, value)
  return url.href
}

export function upstreamHeaders(dialect: Dialect, url: string, key: string, sent: Headers): Headers {
  const headers = new Headers()
  for (const [name, value] of sent) {
    if (PASSED.has(name) || PASSED_FAMILIES.test(name)) headers.set(name, value)
  }
  // The answer must not be compressed, because the gateway reads its usage.
  headers.set('accept-encoding', 'identity')
  const { hostname } = new URL(url)
  if (hostname.endsWith('.azure.com')) headers.set('api-key', key)
  else if (dialect === 'openai' || hostname.endsWith('aiplatform.googleapis.com')) {
    headers.set('authorization', `Bearer ${key}`)
  } else if (dialect === 'anthropic') headers.set('x-api-key', key)
  else headers.set('x-goog-api-key', key)
  return headers
}

/** The header with the provider's own request id. `X-Request-Id` has the id of the gateway. */
const PROVIDER_REQUEST_ID = 'X-Provider-Request-Id'

export function returnedHeaders(received: Headers): Headers {
  const headers = new Headers()
  for (const [name, value] of received) {
    if (name === 'x-request-id') headers.set(PROVIDER_REQUEST_ID, value)
    else if (!NOT_RETURNED.has(name)) headers.append(name, value)
  }
  return headers
}
