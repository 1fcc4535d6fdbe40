import type { SubjectKind } from '../../../db/schema.ts'
import type { Account } from '../account.ts'
import type { Entry, EntryType } from '../journal.ts'
import type { Refused } from '../refusal.ts'
import type { EventType, LedgerName, WalletOwner } from '../vocabulary.ts'

export interface OpenMessage {
  readonly ledger: LedgerName
  /**
   * The promo credits that a new ledger grants, in micro-credits; 0 for no grant. They are granted only once, even if
   * the ledger is opened several times.
   */
  readonly signup_grant_micro: number
  /** The customer's account. The ledger stores it if it is newer than the ledger's copy. */
  readonly account: Account
}

/** The filter of a list of entries. Times are epoch milliseconds: `from_ms` is inclusive, `to_ms` exclusive. */
export interface EntryFilter {
  /** The owner whose entries are returned. */
  readonly owner?: WalletOwner
  readonly type?: EntryType | undefined
  /** A filter on the events of the entries. If it is present, `from_ms` and `to_ms` are event times. */
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
  /** The number below which entries are returned; null begins at the newest entry. */
  readonly before_entry: number | null
  readonly limit: number
}

export interface EntriesAnswer {
  /** The entries, newest first. */
  readonly entries: readonly Entry[]
  /**
   * The lowest entry number that was checked. All numbers from it up to `before_entry`, exclusive, were checked. 0 if
   * no older entry can match.
   */
  readonly reached_entry: number
  /** The number of the last entry that D1 is known to have. D1 has all entries up to this number. */
  readonly flushed_entry: number
  /** The number of the wallet of the filter's owner. Null if the owner has no wallet, or the filter has no owner. */
  readonly wallet_number: number | null
  /**
   * The tag at the end of the ids that `LedgerIds` creates. The Worker uses the tag and `opened_at_ms` to build ids for
   * entries in D1.
   */
  readonly tag: string
  readonly opened_at_ms: number
}

export type EntriesResult = { readonly kind: 'done'; readonly answer: EntriesAnswer } | Refused

/** The progress of a ledger's commits and of their copies in D1. */
export interface ProjectionState {
  /** The time of this result. The result includes all earlier commits. */
  readonly at_ms: number
  readonly opened_at_ms: number
  readonly last_entry: number
  readonly last_row: number
  readonly flushed_entry: number
  readonly flushed_row: number
  /** The commit time of the oldest unflushed row; null if D1 has all rows. */
  readonly unflushed_since_ms: number | null
  /** The usage of the entries up to `flushed_entry`, as `packTotals` writes it. */
  readonly usage: string
  readonly database_bytes: number
  /**
   * The number of wallets and the sum of their balances. Present only on request, because the count reads a row for
   * each wallet. The balance is decimal text, because it can exceed 2^53.
   */
  readonly wallets?: { readonly count: number; readonly balance_micro: string }
}

export interface ProjectionStateMessage {
  readonly with_wallets: boolean
}

export type ProjectionStateResult = { readonly kind: 'done'; readonly answer: ProjectionState } | Refused

export type ErasureResult =
  | { readonly kind: 'erased'; readonly alias: string }
  /**
   * The erasure is not complete. The alarm begins it when D1 has all earlier entries, and completes it without a
   * further call. For a day afterwards, a repeated call returns `erased`, unless more than 100 subjects were erased
   * since.
   */
  | { readonly kind: 'in_progress' }
  | { readonly kind: 'none' }

export type CatchUpResult = { readonly kind: 'done' } | Refused

export interface EraseMessage {
  readonly kind: SubjectKind
  readonly id: string
}

export type EraseResult = ErasureResult | Refused

/** The sums of a ledger, up to the last entry that D1 must have. */
export interface Books {
  readonly flushed_entry: number
  /** The sum of all wallets' balances after `flushed_entry`, as decimal text, because it can exceed 2^53. */
  readonly balance_micro: string
  /** The usage of the entries up to `flushed_entry`, as `packTotals` writes it. */
  readonly usage: string
  /** The hash of `flushed_entry`; null if the hash chain begins after it. */
  readonly hash: string | null
}

/** A range of entries, both ends included. It must consist of the entries of whole flushes. */
export interface EntryRange {
  readonly from_entry: number
  readonly to_entry: number
}
