import type { Entitlement, EntitlementRules } from '../../src/ledger/model/limits.ts'
import type { WalletOwner } from '../../src/ledger/model/vocabulary.ts'

export const CUSTOMER: WalletOwner = { kind: 'customer' }
export const user = (id: string): WalletOwner => ({ kind: 'user', id })
export const team = (id: string): WalletOwner => ({ kind: 'team', id })

/** Returns the rules of an entitlement. Without `options`, they allow everything and count nothing. */
export function rules(options: Partial<EntitlementRules> = {}): EntitlementRules {
  return {
    limit_type: 'NONE',
    limit: null,
    unit: 'credits',
    period: null,
    anchor_ms: null,
    enabled: true,
    ...options,
  }
}

/** Returns the rules of an entitlement with a HARD limit on the number of events per day. */
export function hardEvents(limit: number, options: Partial<EntitlementRules> = {}): EntitlementRules {
  return rules({ limit_type: 'HARD', limit: String(limit), unit: 'events', period: 'DAILY', ...options })
}

let made = 0

/** Returns a new entitlement for the feature `chat`, in the form that the ledger stores. */
export function entitlement(owner: WalletOwner, options: Partial<Entitlement> = {}): Entitlement {
  made += 1
  return {
    id: `ent_${made}`,
    number: made,
    counter: made,
    revision: made,
    deleted: false,
    created_at_ms: 0,
    updated_at_ms: 0,
    feature_id: 'chat',
    owner,
    ...rules(),
    ...options,
  }
}
