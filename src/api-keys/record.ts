import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, MODES, TIERS } from '../db/schema.ts'
import type { PriceEpochs } from '../rating/price-epochs.ts'
import { FIRST_SCOPES, SCOPES } from './authentication/scopes.ts'

/**
 * The record of a key, stored in KV under the key's hash. Its format has a version: records of an unknown version, or
 * with unknown values, are read again from D1. Format 2 has the same fields and only the first scopes.
 */
const keyRecord = z.object({
  v: z.literal(3),
  key_id: z.string(),
  customer_id: z.string(),
  mode: z.enum(MODES),
  scopes: z.array(z.enum(SCOPES)),
  tier: z.enum(TIERS),
  customer_status: z.enum(CUSTOMER_STATUSES),
  expires_at_ms: z.number().nullable(),
  /** The time when the key stops working; in the future while a rotated key overlaps with its successor. */
  revoked_at_ms: z.number().nullable(),
})

const storedRecord = z.union([
  keyRecord,
  keyRecord.extend({ v: z.literal(2), scopes: z.array(z.enum(FIRST_SCOPES)) }),
])

export type KeyRecord = Readonly<z.infer<typeof keyRecord>>

/** A record and the price epochs that its events require. */
export interface FoundKey extends KeyRecord {
  readonly price_epochs: PriceEpochs
}

/** A valid key, as handlers see it. */
export interface AuthenticatedKey extends Omit<FoundKey, 'v' | 'expires_at_ms' | 'revoked_at_ms'> {
  /** The time when the key expires; null if it never expires. */
  readonly ends_at_ms: number | null
}

/** Returns undefined for anything but a record of a known format; the caller then reads D1. */
export function parseKeyRecord(text: string): KeyRecord | undefined {
  try {
    const record = storedRecord.safeParse(JSON.parse(text)).data
    return record?.v === 2 ? upgraded(record) : record
  } catch {
    return undefined
  }
}

/** Applies the rule of the migration `0016_later_scopes`, so that no record has to be written again. */
function upgraded({
  scopes,
  ...record
}: Extract<z.infer<typeof storedRecord>, { readonly v: 2 }>): KeyRecord {
  const has_all = FIRST_SCOPES.every((scope) => scopes.includes(scope))
  return { ...record, v: 3, scopes: has_all ? [...SCOPES] : scopes }
}
