import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, MODES, TIERS } from '../db/schema.ts'
import type { PriceEpochs } from '../rating/price-epochs.ts'
import { FIRST_SCOPES, SCOPES } from './authentication/scopes.ts'

/**
 * The record of a key, stored in KV under the key's hash. The format has a version. A record with an unknown version
 * or unknown values is read from D1 instead. Format 2 has the same fields, but only the first scopes.
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
  /**
   * The time when the key stops working; null if it was not deleted or rotated. It is in the future while a rotated
   * key overlaps with its successor.
   */
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

/** The fields of a valid key that handlers use. */
export interface AuthenticatedKey extends Omit<FoundKey, 'v' | 'expires_at_ms' | 'revoked_at_ms'> {
  /** The time when the key or its session ends; null if it does not end. */
  readonly ends_at_ms: number | null
}

/** Parses a record. Returns undefined for a record of an unknown format, so that the caller reads D1. */
export function parseKeyRecord(text: string): KeyRecord | undefined {
  try {
    const record = storedRecord.safeParse(JSON.parse(text)).data
    return record?.v === 2 ? upgraded(record) : record
  } catch {
    return undefined
  }
}

/**
 * Converts a record of format 2 to format 3. Applies the rule of the migration `0016_later_scopes`, so that stored
 * records need no change.
 */
function upgraded({
  scopes,
  ...record
}: Extract<z.infer<typeof storedRecord>, { readonly v: 2 }>): KeyRecord {
  const has_all = FIRST_SCOPES.every((scope) => scopes.includes(scope))
  return { ...record, v: 3, scopes: has_all ? [...SCOPES] : scopes }
}
