import { env } from 'cloudflare:workers'
import { findApiKey, mintApiKey } from '../../src/api-keys/authentication/lookup.ts'
import { SCOPES, type Scope } from '../../src/api-keys/authentication/scopes.ts'
import type { FoundKey } from '../../src/api-keys/record.ts'
import type { Bindings } from '../../src/bindings.ts'
import type { Mode } from '../../src/db/schema.ts'

const INSERT = `
  INSERT INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms, expires_at_ms)
  VALUES (?1, ?2, ?3, 'Test key', ?4, ?5, ?6, ?7)`

export interface TestKey {
  readonly key_id: string
  readonly api_key: string
  readonly key_hash: string
}

/** Creates an additional API key of a customer only in D1, and not in KV. */
export async function createKey(
  customer_id: string,
  options: { readonly mode?: Mode; readonly scopes?: readonly Scope[]; readonly expires_at_ms?: number } = {},
): Promise<TestKey> {
  const { mode = 'live', scopes = SCOPES, expires_at_ms = null } = options
  const key = mintApiKey(mode)
  await env.DB.prepare(INSERT)
    .bind(key.key_id, customer_id, mode, key.key_hash, scopes.join(' '), Date.now(), expires_at_ms)
    .run()
  return key
}

/**
 * Looks up an API key in the same way as a request that no rate limiter refuses. `bindings` replaces bindings of the
 * Worker.
 */
export async function lookUp(
  api_key: string,
  bindings: Partial<Bindings> = {},
  now_ms = Date.now(),
): Promise<FoundKey | undefined> {
  const deferred: Promise<unknown>[] = []
  const found = await findApiKey({ ...env, ...bindings }, api_key, now_ms, {
    defer: (work) => void deferred.push(work),
    admitsLookup: async () => true,
    admitsStranger: async () => true,
  })
  await Promise.all(deferred)
  if (found === 'limited') throw new Error('nothing limits this lookup')
  return found
}
