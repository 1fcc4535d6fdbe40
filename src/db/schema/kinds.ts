export const TIERS = ['STARTER', 'GROWTH', 'ENTERPRISE'] as const
export type Tier = (typeof TIERS)[number]

/** The states of a customer. PENDING: the registration has not issued its first key yet and can be repeated. */
export const CUSTOMER_STATUSES = ['PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED'] as const
export type CustomerStatus = (typeof CUSTOMER_STATUSES)[number]

export const MODES = ['live', 'test'] as const
export type Mode = (typeof MODES)[number]

export const SUBJECT_KINDS = ['user', 'team'] as const
export type SubjectKind = (typeof SUBJECT_KINDS)[number]
