import type { Mode } from '../../db/schema.ts'

/**
 * The scopes of the first release. A key with all of these scopes also has the later scopes: the migration
 * `0016_later_scopes` adds them in D1, and `record.ts` adds them to records of format 2 in KV. Never add to this
 * list.
 */
export const FIRST_SCOPES = [
  'events:write',
  'credits:read',
  'credits:write',
  'pricing:read',
  'pricing:write',
  'entitlements:read',
  'entitlements:write',
  'analytics:read',
  'keys:write',
] as const

/**
 * The scopes of API keys. A customer's first key has all of them. `docs/api-keys.md` lists the permissions of each
 * scope.
 */
export const SCOPES = [
  ...FIRST_SCOPES,
  'webhooks:read',
  'webhooks:write',
  'gateway:use',
  'provider-keys:write',
  'portal:write',
] as const

export type Scope = (typeof SCOPES)[number]

/** The authority of a key and its end. `exceeds` compares the authority of two keys. */
export interface Authority {
  readonly mode: Mode
  readonly scopes: readonly Scope[]
  /** The end of the key in epoch milliseconds; null if the key does not end. */
  readonly ends_at_ms: number | null
}

/** The operator's authority: it may issue any key to any customer. */
export const FULL_AUTHORITY: Authority = { mode: 'live', scopes: SCOPES, ends_at_ms: null }

/**
 * Returns the error of a key that may not create or delete another key; undefined if it may do so. A live key may
 * create and delete test keys, because only a live key can create the first test key. A key that expires may delete a
 * key that does not expire, but may not create such a key.
 */
export function exceeds(wanted: Authority, own: Authority, what: 'create' | 'delete'): string | undefined {
  if (wanted.mode === 'live' && own.mode === 'test') {
    return `A test key can ${what} only test keys. Use a live key.`
  }
  const missing = wanted.scopes.filter((scope) => !own.scopes.includes(scope))
  if (missing.length > 0) {
    return `A key can ${what} only keys whose scopes it has itself. This key lacks ${missing.join(', ')}.`
  }
  if (what === 'delete' || own.ends_at_ms === null) return undefined
  if (wanted.ends_at_ms !== null && wanted.ends_at_ms <= own.ends_at_ms) return undefined
  return `A key cannot create a key that expires later than itself. This key expires at ${new Date(own.ends_at_ms).toISOString()}.`
}
