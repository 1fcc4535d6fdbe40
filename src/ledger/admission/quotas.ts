import { sizeOf } from '../../db/json-parameters.ts'
import { type Draft, monthOf } from '../commit/draft.ts'
import type { JsonText } from '../model/json.ts'
import type { Refusal } from '../model/refusal.ts'

/**
 * The quotas of the data that a ledger stores permanently. The customer's tier determines them. `overQuota` checks the
 * monthly quota of events.
 */
export interface StoredQuotas {
  /**
   * The maximum number of changes in a UTC month; null for no limit. Changes are requested grants, purchases and
   * movements, opened and extended holds, provider calls that are released without a charge, and created and replaced
   * entitlements.
   */
  readonly changes_a_month: number | null
  /**
   * The maximum total size of the metadata of grants and purchases, and of the metadata and values of entitlements,
   * in MB (1,000,000 bytes).
   */
  readonly metadata_mb: number
}

/**
 * The numbers of the two counters of quotas. A commit stores these counters in its journal row, like the counters of
 * limits, so they are exact after a crash and cost no additional row. The counters of limits have numbers from 1. Never
 * change the two numbers, because journal rows contain them.
 */
const CHANGES = 0
const METADATA = -1

const BYTES_PER_MB = 1_000_000

type Texts = readonly (JsonText | undefined)[]

/**
 * Returns the refusal of a change that replaces the stored texts `replaced` with `texts`; undefined if the quotas
 * allow the change.
 */
export function overStored(
  draft: Draft,
  { changes_a_month, metadata_mb }: StoredQuotas,
  texts: Texts = [],
  replaced: Texts = [],
): Refusal | undefined {
  const { start_ms, end_ms } = monthOf(draft.at_ms)
  if (changes_a_month !== null && usedSince(draft, CHANGES, start_ms) >= changes_a_month) {
    return { code: 'quota_exceeded', of: 'changes', limit: changes_a_month, resets_at_ms: end_ms }
  }
  const bytes = bytesOf(texts) - bytesOf(replaced)
  if (bytes <= 0 || usedSince(draft, METADATA, 0) + bytes <= metadata_mb * BYTES_PER_MB) return undefined
  return { code: 'too_many_open', what: 'MB of metadata', limit: metadata_mb }
}

/** Adds a change to the counters of quotas. The change replaces the stored texts `replaced` with `texts`. */
export function countStored(draft: Draft, texts: Texts = [], replaced: Texts = []): void {
  const { start_ms } = monthOf(draft.at_ms)
  add(draft, CHANGES, start_ms, 1)
  countMetadata(draft, bytesOf(texts) - bytesOf(replaced))
}

/** Subtracts the size of deleted texts from the counter of metadata. */
export function uncountStored(draft: Draft, removed: Texts): void {
  countMetadata(draft, -bytesOf(removed))
}

function countMetadata(draft: Draft, bytes: number): void {
  if (bytes !== 0) add(draft, METADATA, 0, bytes)
}

function add(draft: Draft, counter: number, window_start_ms: number, quantity: number): void {
  // Texts that were stored before the counter existed were never added, so subtracting their size could give a negative
  // sum.
  const used = Math.max(0, usedSince(draft, counter, window_start_ms) + quantity)
  draft.limitCounters.set(counter, { window_start_ms, used: BigInt(used) })
}

function usedSince(draft: Draft, counter: number, window_start_ms: number): number {
  const known = draft.limitCounter(counter)
  return known?.window_start_ms === window_start_ms ? Number(known.used) : 0
}

function bytesOf(texts: Texts): number {
  return texts.reduce((sum, text) => sum + (text === undefined ? 0 : sizeOf(text)), 0)
}
