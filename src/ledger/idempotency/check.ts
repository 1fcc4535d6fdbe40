import type { JournalRecord } from '../model/journal.ts'
import type { Refused } from '../model/refusal.ts'

/** The keys that a commit adds to the store. */
export interface RecordedKeys {
  /** The commit's last journal row, and the number of keys that the ledger has recorded up to and including it. */
  readonly upTo: { readonly row: number; readonly keys_total: number }
  /** The hashes of each row that has keys, as `pack` returned them. */
  readonly rows: readonly { readonly row_id: number; readonly hashes: Uint32Array }[]
}

/**
 * The interface of the idempotency store. The keys themselves are in the journal's records, and are deleted with their
 * journal row. The store only finds the rows that can contain a key.
 */
export interface KeyStore {
  /**
   * Returns the journal rows that can contain the given keys, each with the keys that it can contain. The result
   * includes every row that contains one of the keys, and sometimes other rows, so the caller must check each row.
   * Writes nothing. Must not be called inside a transaction.
   */
  find(keys: readonly string[]): Map<number, string[]>
  /** Returns the `key_hashes` of a journal row that contains the given keys; null if there are no keys. */
  pack(keys: readonly string[]): Uint32Array<ArrayBuffer> | null
  /**
   * Records the keys of a commit. Must run in the transaction of the commit, after all of its journal rows are written.
   */
  record(recorded: RecordedKeys): void
  /** Adds recorded keys to the memory after their transaction has succeeded. Never throws. */
  publish(recorded: RecordedKeys): void
  /** Deletes stored hashes of deleted journal rows. Must run in the transaction that deletes the oldest rows. */
  forget(): void
  /** Reports whether the idempotency window contains the maximum number of keys. */
  isFull(): boolean
}

/** A record and its storage format. The format decides how the result in the record is rendered. */
export interface StoredRecord {
  readonly format: number
  readonly record: JournalRecord
}

/** A used key: the fingerprint of its request, and access to its record. */
export interface KeyUse {
  readonly fingerprint: string
  readonly read: () => StoredRecord
}

/** The result of checking the idempotency key of a request. */
export type KeyCheck = { readonly kind: 'unused' } | ({ readonly kind: 'replay' } & StoredRecord) | Refused

export const UNUSED: KeyCheck = { kind: 'unused' }
export const MISMATCH: KeyCheck = { kind: 'refused', refusal: { code: 'idempotency_mismatch' } }
export const NO_ROOM: KeyCheck = { kind: 'refused', refusal: { code: 'overloaded', keys_full: true } }
