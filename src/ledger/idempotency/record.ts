import type { JournalRecord } from '../model/journal.ts'
import type { Refused } from '../model/refusal.ts'

/** What a commit adds to the key store. */
export interface RecordedKeys {
  /** The commit's last journal row, and how many keys the ledger has recorded by then. */
  readonly upTo: { readonly row: number; readonly keys_total: number }
  /** The hashes of each row that has keys, as `pack` made them. */
  readonly rows: readonly { readonly row_id: number; readonly hashes: Uint32Array }[]
}

/**
 * The idempotency store, as narrow as it can be: find keys, record keys, forget older ones. The keys themselves are in
 * the journal's records, whatever they were used for, and are forgotten with their journal row; the store knows in
 * which row a key may be.
 */
export interface KeyStore {
  /**
   * The journal rows that may hold some of these keys, and which: every row that does, and by chance one that does not,
   * so whoever asks looks into the row. Writes nothing; never in a transaction.
   */
  find(keys: readonly string[]): Map<number, string[]>
  /** What a journal row says of its keys, in its column `key_hashes`. */
  pack(keys: readonly string[]): Uint32Array<ArrayBuffer> | null
  /** The commit's rows are written: the last part of its transaction. */
  record(recorded: RecordedKeys): void
  /** The transaction has succeeded. Never throws. */
  publish(recorded: RecordedKeys): void
  /** The oldest journal rows were freed, and so many keys with them; part of that transaction. */
  forget(count: number): void
  /** Whether the window holds as many keys as it may. */
  isFull(): boolean
}

/** A record and the format it was written in, which decides how its answer is rendered again. */
export interface StoredRecord {
  readonly format: number
  readonly record: JournalRecord
}

/** A key that was used: for what, and how to get at the record. */
export interface KeyUse {
  readonly fingerprint: string
  readonly read: () => StoredRecord
}

/** What a key means for the request that carries it. */
export type KeyCheck = { readonly kind: 'unused' } | ({ readonly kind: 'replay' } & StoredRecord) | Refused

export const UNUSED: KeyCheck = { kind: 'unused' }
export const MISMATCH: KeyCheck = { kind: 'refused', refusal: { code: 'idempotency_mismatch' } }
export const NO_ROOM: KeyCheck = { kind: 'refused', refusal: { code: 'overloaded', keys_full: true } }
