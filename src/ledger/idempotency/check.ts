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
 * The interface of the idempotency store. The keys themselves are in the journal's records, and are deleted with
 * their journal row. The store only finds the rows that may hold a key.
 */
export interface KeyStore {
  /**
   * Returns the journal rows that may hold some of these keys, each with its possible keys. The result includes every
   * row with one of the keys, and possibly other rows, so the caller checks each row. Writes nothing. Must not be
   * called inside a transaction.
   */
  find(keys: readonly string[]): Map<number, string[]>
  /** Returns the `key_hashes` of a journal row with these keys. */
  pack(keys: readonly string[]): Uint32Array<ArrayBuffer> | null
  /**
   * Records the keys of a commit after its journal rows are written. Must be the last step of the commit's
   * transaction.
   */
  record(recorded: RecordedKeys): void
  /** Adds recorded keys to the memory after their transaction has succeeded. Never throws. */
  publish(recorded: RecordedKeys): void
  /** Removes the keys of deleted journal rows. Must run in the transaction that deletes the oldest rows. */
  forget(): void
  /** Reports whether the window has the maximum number of keys. */
  isFull(): boolean
}

/** A record and its storage format. The format decides how the record's answer is rendered. */
export interface StoredRecord {
  readonly format: number
  readonly record: JournalRecord
}

/** A used key: the fingerprint of its request, and access to its record. */
export interface KeyUse {
  readonly fingerprint: string
  readonly read: () => StoredRecord
}

/** The result of a check of a request's key. */
export type KeyCheck = { readonly kind: 'unused' } | ({ readonly kind: 'replay' } & StoredRecord) | Refused

export const UNUSED: KeyCheck = { kind: 'unused' }
export const MISMATCH: KeyCheck = { kind: 'refused', refusal: { code: 'idempotency_mismatch' } }
export const NO_ROOM: KeyCheck = { kind: 'refused', refusal: { code: 'overloaded', keys_full: true } }
