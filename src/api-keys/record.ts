import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, MODES, TIERS } from '../db/schema.ts'
import type { PriceEpochs } from '../rating/price-epochs.ts'
import { SCOPES } from './authentication/scopes.ts'

/**
 * What a key stands for, as KV keeps it under the key's hash. The format has a version: a record of another one, or
 * with a value that this deployment does not know, is read again from D1.
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
  /** From when on the key is refused: ahead of now while a rotated key overlaps with its successor. */
  revoked_at_ms: z.number().nullable(),
})

export type KeyRecord = Readonly<z.infer<typeof keyRecord>>

/** A record as it was looked up, with how new the prices have to be that its events are rated by. */
export interface FoundKey extends KeyRecord {
  readonly price_epochs: PriceEpochs
}

/** A key that was found and is in force: what handlers see. */
export type AuthenticatedKey = Omit<FoundKey, 'v' | 'expires_at_ms' | 'revoked_at_ms'>

/** Undefined for anything but a record of this version: whoever reads goes on to D1. */
export function parseKeyRecord(text: string): KeyRecord | undefined {
  try {
    return keyRecord.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
