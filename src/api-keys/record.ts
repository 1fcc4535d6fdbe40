import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, MODES, TIERS } from '../db/schema.ts'
import type { PriceEpochs } from '../rating/price-epochs.ts'
import { FIRST_SCOPES, SCOPES } from './authentication/scopes.ts'

/**
 * The record of an API key. KV stores it under the hash of the key. `v` is the version of the format. If a record has
 * an unknown version or unknown values, the key is read from D1 instead. Format 2 has the same fields, but only the
 * scopes in `FIRST_SCOPES`.
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
   * The time when a deleted or rotated key stops working; null for other keys. The time is in the future while a
   * rotated key overlaps with its successor.
   */
  revoked_at_ms: z.number().nullable(),
})

const storedRecord = z.union([
  keyRecord,
  keyRecord.extend({ v: z.literal(2), scopes: z.array(z.enum(FIRST_SCOPES)) }),
])

export type KeyRecord = Readonly<z.infer<typeof keyRecord>>

/** The record of a key, with its hash and the price epochs at which its events are rated. */
export interface FoundKey extends KeyRecord {
  readonly key_hash: string
  readonly price_epochs: PriceEpochs
}

/** The fields of an authenticated key that request handlers use. */
export interface AuthenticatedKey
  extends Omit<FoundKey, 'v' | 'key_hash' | 'expires_at_ms' | 'revoked_at_ms'> {
  /** The time when the key or its session ends, whichever is first; null if neither ends. */
  readonly ends_at_ms: number | null
}

/** Parses a record from KV. Returns undefined if the format is unknown. The caller then reads the key from D1. */
export function parseKeyRecord(text: string): KeyRecord | undefined {
  try {
    const record = storedRecord.safeParse(JSON.parse(text)).data
    return record?.v === 2 ? upgraded(record) : record
  } catch {
    return undefined
  }
}

/**
 * Converts a record of format 2 to format 3, by the rule of the migration `0016_later_scopes`. Records in KV therefore
 * need no migration.
 */
function upgraded({
  scopes,
  ...record
}: Extract<z.infer<typeof storedRecord>, { readonly v: 2 }>): KeyRecord {
  const has_all = FIRST_SCOPES.every((scope) => scopes.includes(scope))
  return { ...record, v: 3, scopes: has_all ? [...SCOPES] : scopes }
}
