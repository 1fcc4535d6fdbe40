import type { JournalRecord } from './journal.ts'
import type { Idempotency } from './messages.ts'

/** A key that was used, and where the journal keeps what it was answered. */
export interface UsedKey {
  readonly fingerprint: string
  readonly row: number
  readonly index: number
}

/**
 * The idempotency store, as narrow as it can be: today a table with a row a key, later packed rows. A key is the
 * ledger's own, whatever it was used for.
 */
export interface KeyStore {
  find(keys: readonly string[]): Map<string, UsedKey>
  /** Records the keys of journal row `row`; part of the commit's transaction. */
  record(row: number, keys: readonly { index: number; idempotency: Idempotency }[]): void
  /** Forgets keys; they must be those of a journal row that is being freed. */
  forget(keys: readonly string[]): void
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
export type KeyCheck =
  | { readonly kind: 'unused' }
  | ({ readonly kind: 'replay' } & StoredRecord)
  | { readonly kind: 'mismatch' }

export const UNUSED: KeyCheck = { kind: 'unused' }
export const MISMATCH: KeyCheck = { kind: 'mismatch' }
