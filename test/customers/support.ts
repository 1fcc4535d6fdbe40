import { env } from 'cloudflare:workers'
import { hashApiKey } from '../../src/api-keys/authentication/format.ts'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import type { Json } from '../support/client.ts'

/** Helpers for tests of the API key routes. */

export interface MadeKey {
  readonly key_id: string
  readonly api_key: string
  readonly answer: Json
}

export function postKey(
  key: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return api('/v1/api-keys', { key, body, headers })
}

export async function madeKey(key: string, body: Readonly<Record<string, unknown>> = {}): Promise<MadeKey> {
  return madeBy(await postKey(key, { name: 'A key', ...body }))
}

export function rotate(
  key: string,
  key_id: string,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return api(`/v1/api-keys/${key_id}/rotate`, { key, body, headers })
}

export async function rotated(key: string, key_id: string, overlap_seconds = 0): Promise<MadeKey> {
  return madeBy(await rotate(key, key_id, { overlap_seconds }))
}

export function remove(key: string, key_id: string): Promise<Response> {
  return api(`/v1/api-keys/${key_id}`, { key, method: 'DELETE' })
}

/** Returns the id of a live API key. The id is a part of the key. */
export function idOf(api_key: string): string {
  return `key_${api_key.slice('om_live_'.length, 'om_live_'.length + 26)}`
}

export async function madeBy(response: Response): Promise<MadeKey> {
  const answer = await jsonOf(response)
  if (response.status !== 201) throw new Error(`${response.status}: ${JSON.stringify(answer)}`)
  return { key_id: textField(answer, 'key_id'), api_key: textField(answer, 'api_key'), answer }
}

/**
 * Saves the copy of a key in KV. `restore` writes it back after a change, which imitates a distant location that still
 * has the old copy.
 */
export async function cachedRecord(api_key: string): Promise<{ readonly restore: () => Promise<void> }> {
  const text = await env.API_KEYS.get(hashApiKey(api_key))
  if (text === null) throw new Error('KV does not have the key')
  return {
    restore: async () => {
      await env.API_KEYS.put(hashApiKey(api_key), text)
      forgetCachedKeys()
    },
  }
}
