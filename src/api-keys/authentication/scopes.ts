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
