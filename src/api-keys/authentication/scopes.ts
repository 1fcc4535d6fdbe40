import type { Mode } from '../../db/schema.ts'

/**
 * The scopes of the first release. Keys that had all of them got the later ones: in D1 by the migration
 * `0016_later_scopes`, in records of format 2 in KV when they are read (`record.ts`). Never add to this list.
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

/** The scopes of API keys. A customer's first key has all of them; `docs/api-keys.md` lists what each one permits. */
export const SCOPES = [
  ...FIRST_SCOPES,
  'webhooks:read',
  'webhooks:write',
  'gateway:use',
  'provider-keys:write',
  'portal:write',
] as const

export type Scope = (typeof SCOPES)[number]

/** The authority of a key and its end. No key can create, rotate or delete a key with more authority than its own. */
export interface Authority {
  readonly mode: Mode
  readonly scopes: readonly Scope[]
  /** Epoch milliseconds; null if the key does not end. */
  readonly ends_at_ms: number | null
}

/** The operator's authority: it may issue any key to any customer. */
export const FULL_AUTHORITY: Authority = { mode: 'live', scopes: SCOPES, ends_at_ms: null }

/**
 * Returns why a key may not handle another, as an error for the caller; undefined if it may. A live key may handle
 * test keys, since only it can create the first one. A key with an end may delete one without, but not create one.
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
  return `A key cannot create one that expires later than itself. This key expires at ${new Date(own.ends_at_ms).toISOString()}.`
}
