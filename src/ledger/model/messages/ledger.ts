import type { SubjectKind } from '../../../db/schema.ts'
import type { Account } from '../account.ts'
import type { Entry, EntryType } from '../journal.ts'
import type { Refused } from '../refusal.ts'
import type { EventType, LedgerName, WalletOwner } from '../vocabulary.ts'

export interface OpenMessage {
  readonly ledger: LedgerName
  /** Promo credits of a new ledger, granted once even if the ledger is opened repeatedly. 0: none. */
  readonly signup_grant_micro: number
  /** The customer's account, taken if it is newer than the ledger's. */
  readonly account: Account
}

/** The entries that a list shows. Times are epoch milliseconds, `from_ms` included, `to_ms` excluded. */
export interface EntryFilter {
  /** The owner whose entries are returned. */
  readonly owner?: WalletOwner
  readonly type?: EntryType | undefined
  /** A filter of the entries' events. With it, times are event times. */
  readonly event?: EventFilter
  readonly from_ms?: number | undefined
  readonly to_ms?: number | undefined
}

export interface EventFilter {
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
  readonly key_id?: string | undefined
  readonly feature_id?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly event_type?: EventType | undefined
  readonly unrated?: boolean | undefined
}

export interface EntriesMessage {
  readonly filter: EntryFilter
  /** The returned entries have lower numbers than this one; null begins at the newest. */
  readonly before_entry: number | null
  readonly limit: number
}

export interface EntriesAnswer {
  /** The entries, newest first. */
  readonly entries: readonly Entry[]
  /** Every entry from this number up (and below `before_entry`) was checked; 0 when no older one can match. */
  readonly reached_entry: number
  /** The last entry that D1 has: D1 has every entry up to it. */
  readonly flushed_entry: number
  /** The number of the filter's wallet; null when the owner has none, so that nothing can match. */
  readonly wallet_number: number | null
  /** The parts of the ledger's ids, for the entries that D1 has. */
  readonly tag: string
  readonly opened_at_ms: number
}

export type EntriesResult = { readonly kind: 'done'; readonly answer: EntriesAnswer } | Refused

/** The progress of a ledger's commits, and the part that D1 is known to have. */
export interface ProjectionState {
  /** The time of this answer: every earlier commit is counted. */
  readonly at_ms: number
  readonly opened_at_ms: number
  readonly last_entry: number
  readonly last_row: number
  readonly flushed_entry: number
  readonly flushed_row: number
  /** The commit time of the oldest row that D1 may not have; null if D1 has everything. */
  readonly unflushed_since_ms: number | null
  /** The usage of the entries up to `flushed_entry`, from the cursor (`packTotals`). */
  readonly usage: string
  readonly database_bytes: number
  /**
   * The wallets, only on request, because the count reads a row for each wallet. The balance is decimal text, because
   * it may exceed 2^53.
   */
  readonly wallets?: { readonly count: number; readonly balance_micro: string }
}

export interface ProjectionStateMessage {
  readonly with_wallets: boolean
}

export type ProjectionStateResult = { readonly kind: 'done'; readonly answer: ProjectionState } | Refused

export type ErasureResult =
  | { readonly kind: 'erased'; readonly alias: string }
  /** The erasure continues by itself. Repeat the call to see whether it is complete. */
  | { readonly kind: 'in_progress' }
  | { readonly kind: 'none' }

export type CatchUpResult = { readonly kind: 'done' } | Refused

export interface EraseMessage {
  readonly kind: SubjectKind
  readonly id: string
}

export type EraseResult = ErasureResult | Refused

/** The sums of a ledger's books, up to the entry that D1 should have. */
export interface Books {
  readonly flushed_entry: number
  /** The balance of all wallets after `flushed_entry`, as decimal text, because it may exceed 2^53. */
  readonly balance_micro: string
  /** `packTotals` of the usage of the entries up to there. */
  readonly usage: string
  /** The hash of `flushed_entry`; null before the hash chain began. */
  readonly hash: string | null
}

/** Entries of whole flushes, both ends included. */
export interface EntryRange {
  readonly from_entry: number
  readonly to_entry: number
}
