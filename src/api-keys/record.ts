import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, MODES, TIERS } from '../db/schema.ts'
import type { PriceEpochs } from '../rating/price-epochs.ts'
import { SCOPES } from './authentication/scopes.ts'

/**
 * The record of a key, stored in KV under the key's hash. Its format has a version: records of another version, or
 * with unknown values, are read again from D1.
 */
const keyRecord = z.object({
  v: z.literal(2),
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

export type KeyRecord = Readonly<z.infer<typeof keyRecord>>

/** A record and the price epochs that its events require. */
export interface FoundKey extends KeyRecord {
  readonly price_epochs: PriceEpochs
}

/** A valid key, as handlers see it. */
export type AuthenticatedKey = Omit<FoundKey, 'v' | 'expires_at_ms' | 'revoked_at_ms'>

/** Returns undefined for anything but a record of this version; the caller then reads D1. */
export function parseKeyRecord(text: string): KeyRecord | undefined {
  try {
    return keyRecord.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
