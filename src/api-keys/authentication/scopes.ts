import type { Mode } from '../../db/schema.ts'

/** What a key may do. A customer's first key has all of them; the contract (section 1) says what each one opens. */
export const SCOPES = [
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

export type Scope = (typeof SCOPES)[number]

/** What a key may do and how long: nobody makes, rotates or deletes a key with more of it than his own has. */
export interface Authority {
  readonly mode: Mode
  readonly scopes: readonly Scope[]
  /** Epoch milliseconds; null: it does not end. */
  readonly ends_at_ms: number | null
}

/** The operator's, who may issue any key to any customer. */
export const FULL_AUTHORITY: Authority = { mode: 'live', scopes: SCOPES, ends_at_ms: null }

/**
 * Why a key with this authority may not handle that one, worded for whoever asked; undefined when it may. A live key may
 * handle test keys too: it is the stronger of the two, and nobody else could make the first test key. A key that ends
 * may delete one that does not, but not make one, or it would outlive itself.
 */
export function exceeds(wanted: Authority, own: Authority, what: 'make' | 'delete'): string | undefined {
  if (wanted.mode === 'live' && own.mode === 'test') {
    return `A test key can ${what} only test keys. Use a live one.`
  }
  const missing = wanted.scopes.filter((scope) => !own.scopes.includes(scope))
  if (missing.length > 0) {
    return `A key can ${what} only keys whose scopes it has itself, and this one does not have ${missing.join(', ')}.`
  }
  if (what === 'delete' || own.ends_at_ms === null) return undefined
  if (wanted.ends_at_ms !== null && wanted.ends_at_ms <= own.ends_at_ms) return undefined
  return `A key cannot make one that ends later than itself, and this one ends at ${new Date(own.ends_at_ms).toISOString()}.`
}
