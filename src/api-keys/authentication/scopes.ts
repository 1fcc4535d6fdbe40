import type { Mode } from '../../db/schema.ts'

/**
 * The scopes of the first release. A key from that release with all first scopes also has all later scopes: the
 * migration `0016_later_scopes` adds them in D1, and `record.ts` adds them to records of format 2 from KV. Never add a
 * scope to this list.
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
 * All scopes of API keys. A customer's first key has all scopes. `docs/api-keys.md` lists the permissions of each
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

/** The permissions of a key and the time until which they are valid. `exceeds` compares the authority of two keys. */
export interface Authority {
  readonly mode: Mode
  readonly scopes: readonly Scope[]
  /** The time at which the key stops working, in epoch milliseconds; null if there is no such time. */
  readonly ends_at_ms: number | null
}

/** The authority of the operator, who may issue any key to any customer. */
export const FULL_AUTHORITY: Authority = { mode: 'live', scopes: SCOPES, ends_at_ms: null }

/**
 * Returns the error text if a key with the authority `own` must not create or delete a key with the authority `wanted`.
 * Returns undefined if it may. A live key may create and delete test keys, because only a live key can create the first
 * test key. A key that expires may delete a key that does not expire, but must not create one.
 */
export function exceeds(wanted: Authority, own: Authority, what: 'create' | 'delete'): string | undefined {
  if (wanted.mode === 'live' && own.mode === 'test') {
    return `A test key can ${what} only test keys. Use a live key.`
  }
  const missing = wanted.scopes.filter((scope) => !own.scopes.includes(scope))
  if (missing.length > 0) {
    return `A key can ${what} another key only if it has all scopes of that key. This key lacks ${missing.join(', ')}.`
  }
  if (what === 'delete' || own.ends_at_ms === null) return undefined
  if (wanted.ends_at_ms !== null && wanted.ends_at_ms <= own.ends_at_ms) return undefined
  return `A key cannot create another key that expires later. This key expires at ${new Date(own.ends_at_ms).toISOString()}.`
}
