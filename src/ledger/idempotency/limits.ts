import { ENTRY_BYTES } from './entries.ts'

/** How the idempotency keys of a ledger are packed. Tests make them small. */
export interface KeyLimits {
  /** Keys that one window may hold; past it only batches may bring new ones. */
  readonly window_keys: number
  /** In memory, before they begin to go to the buckets on disk; half as many again come in until all of them are there. */
  readonly memory_keys: number
  /** In a bucket, on average at most: what a look at the disk reads. */
  readonly bucket_keys: number
  /** Buckets that are written at a time. */
  readonly step_buckets: number
  /** A run is packed when the journal has so many rows, or their keys are so many, since the last one. */
  readonly run_rows: number
  readonly run_keys: number
}

/**
 * 2^20 keys in memory are at most 25 MB, and 38 MB for the moment in which the table is made anew; buckets are at most
 * 16 KB; 20 million keys are 16,384 buckets, which a round writes once for a million new keys: 0.016 rows a key. A start
 * reads runs of 800 KB, and no more than 4,096 journal rows.
 */
export const KEY_LIMITS: KeyLimits = {
  window_keys: 20_000_000,
  memory_keys: 2 ** 20,
  bucket_keys: Math.floor((16 * 1024) / ENTRY_BYTES),
  step_buckets: 16,
  run_rows: 4096,
  run_keys: 65_536,
}
