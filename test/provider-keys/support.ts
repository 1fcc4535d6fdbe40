import { env } from 'cloudflare:workers'
import { Context } from 'hono'
import { vi } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import type { Mode } from '../../src/db/schema.ts'
import type { AppEnv } from '../../src/http/env.ts'
import { resolveUpstream, type Upstream, type UpstreamQuery } from '../../src/provider-keys/upstream.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import type { Json } from '../support/client.ts'
import { deployed } from '../support/deployment.ts'

export interface Caller {
  readonly customer_id: string
  readonly mode?: Mode
}

/**
 * Returns the upstream that the gateway chooses for a call of this customer. `bindings` replaces bindings of the
 * Worker.
 */
export function upstreamOf(
  { customer_id, mode = 'live' }: Caller,
  query: UpstreamQuery,
  bindings: Partial<Bindings> = {},
): Promise<Upstream> {
  const c = new Context<AppEnv>(new Request('https://api.test/gateway/openai/v1/chat/completions'), {
    env: { ...env, ...bindings },
  })
  c.set('request_id', 'req_test')
  c.set('key', {
    key_id: 'key_test',
    customer_id,
    mode,
    scopes: ['gateway:use'],
    tier: 'ENTERPRISE',
    customer_status: 'ACTIVE',
    price_epochs: { operator: 0, customer: 0 },
    ends_at_ms: null,
  })
  return resolveUpstream(c, query)
}

/** Stores a provider key through the API, and returns the body of the response. */
export async function storedKey(key: string, body: object, bindings?: Partial<Bindings>): Promise<Json> {
  const response = bindings
    ? await deployed(bindings, '/v1/provider-keys', { key, body })
    : await api('/v1/provider-keys', { key, body })
  const answer = await jsonOf(response)
  if (response.status !== 201) throw new Error(JSON.stringify(answer))
  return answer
}

export const idOf = (answer: Json) => textField(answer, 'id')

const JSON_TYPE = { 'Content-Type': 'application/dns-json' }

/**
 * Replaces `fetch` with a simulated DNS resolver that has these names and addresses. The resolver fails for other
 * names.
 */
export function resolverWith(names: Record<string, readonly string[] | undefined>) {
  return vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
    const url = new URL(input instanceof Request ? input.url : String(input))
    const addresses = names[url.searchParams.get('name') ?? '']
    if (!addresses) throw new TypeError('Network connection lost.')
    const is_v6 = url.searchParams.get('type') === 'AAAA'
    const Answer = addresses
      .filter((address) => address.includes(':') === is_v6)
      .map((data) => ({ type: is_v6 ? 28 : 1, data }))
    return new Response(JSON.stringify({ Status: 0, Answer }), { headers: JSON_TYPE })
  })
}

export async function rowsOf(
  table: 'provider_keys' | 'data_keys' | 'audit_log',
  like: string,
): Promise<Json[]> {
  const { results } = await env.DB.prepare(`SELECT * FROM ${table}`).all<Json>()
  return results.filter((row) => JSON.stringify(row).includes(like))
}
