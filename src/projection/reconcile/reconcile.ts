import type { Bindings } from '../../bindings.ts'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import type { ReconciliationStatus } from '../../db/schema.ts'
import { readBooks, rewriteLedgerPages } from '../../ledger/client/client.ts'
import type { Books } from '../../ledger/model/messages/ledger.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { logFailure } from '../../logging/log.ts'
import { BrokenPages } from '../../usage/rollups/flushed-usage.ts'
import { ENTRIES_A_CALL, rebuildLedger } from '../../usage/rollups/rebuild.ts'
import { checkPages, NOTHING_CHECKED, type PagesCheck } from './check-pages.ts'
import { bringUpRollups, checkRollups } from './check-rollups.ts'
import { type Difference, MAX_DIFFERENCES } from './difference.ts'
import {
  isFullCheckOpen,
  readReconciliation,
  type StoredReconciliation,
  writeReconciliation,
} from './store.ts'

export interface Reconciliation {
  readonly ledger_id: string
  readonly status: ReconciliationStatus
  readonly checked_entry: number
  /** The differences that remain; with status REPAIRED, the differences that were repaired. */
  readonly differences: readonly Difference[]
  /** True if the check is not complete. The next check continues it. */
  readonly more: boolean
}

export type ReconcileResult =
  | ({ readonly kind: 'done' } & Reconciliation)
  /** The ledger could not be checked, for example because the ledger or D1 did not respond. */
  | { readonly kind: 'unavailable'; readonly ledger_id: string }

interface ReconcileOptions {
  readonly full: boolean
  readonly now_ms: number
  readonly last?: StoredReconciliation | null
}

/**
 * Compares a ledger object with its pages in D1 and with its rollups. If there are differences, repairs the pages from
 * the journal and the rollups from the pages, and compares again. Stores the result. Begins a full check, which begins
 * with the first page, if `full` is true, on the first check, and after a check with status DIFFERENT. Otherwise checks
 * only the pages since the last check. If the last full check is not complete, continues it even if `full` is true.
 * `last` is the stored result of the last check; if it is undefined, reads it.
 */
export async function reconcileLedger(
  env: Bindings,
  ledger: LedgerName,
  { full, now_ms, last }: ReconcileOptions,
): Promise<ReconcileResult> {
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const before = last === undefined ? await readReconciliation(db, ledger_id) : last
  const continues_full = isFullCheckOpen(before)
  const from_first_page = !before || before.status === 'DIFFERENT' || (full && !continues_full)
  const after = from_first_page ? NOTHING_CHECKED : before.checked
  const first = await check(env, ledger, after)
  if (first.kind === 'unavailable') return { kind: 'unavailable', ledger_id }
  let { pages, differences, more } = first
  let status: ReconciliationStatus = more ? 'CHECKING' : 'OK'
  if (differences.length > 0) {
    await repair(env, ledger, differences, now_ms)
    const second = await check(env, ledger, after)
    if (second.kind === 'unavailable') return { kind: 'unavailable', ledger_id }
    status = second.differences.length > 0 ? 'DIFFERENT' : 'REPAIRED'
    if (status === 'DIFFERENT') differences = second.differences
    pages = second.pages
    more = status === 'REPAIRED' && second.more
    for (const { kind, from_entry, to_entry, expected, found } of differences) {
      logFailure('ledger_differs', { ledger: ledger_id, status, kind, from_entry, to_entry, expected, found })
    }
  }
  // As long as a ledger has a difference, every check begins with the first page.
  const checked = status === 'DIFFERENT' ? NOTHING_CHECKED : pages.checked
  const full_at_ms = from_first_page || continues_full ? now_ms : before.full_at_ms
  const reported = differences.slice(0, MAX_DIFFERENCES)
  await writeReconciliation(db, ledger_id, {
    status: more ? 'CHECKING' : status,
    checked_at_ms: now_ms,
    full_at_ms,
    checked,
    differences: reported,
  })
  return { kind: 'done', ledger_id, status, checked_entry: checked.entry, differences: reported, more }
}

type Check =
  | { readonly kind: 'unavailable' }
  | {
      readonly kind: 'checked'
      readonly pages: PagesCheck
      readonly differences: readonly Difference[]
      /** True if the ledger has more pages, or more usage that is not in the rollups, than one check processes. */
      readonly more: boolean
    }

async function check(env: Bindings, ledger: LedgerName, after: PagesCheck['checked']): Promise<Check> {
  const result = await readBooks(env, ledger)
  if (result.kind === 'refused') return { kind: 'unavailable' }
  const books: Books = result.answer
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const pages = await checkPages(db, ledger_id, books, after)
  // Rollups are computed from pages, so they are compared only if the pages are complete and correct.
  if (pages.more || pages.differences.length > 0) {
    return { kind: 'checked', pages, differences: pages.differences, more: pages.more }
  }
  if (!(await bringUpRollups(db, ledger_id))) return { kind: 'checked', pages, differences: [], more: true }
  return { kind: 'checked', pages, differences: await checkRollups(db, ledger_id, books), more: false }
}

/**
 * Repairs pages from the journal, and then rollups from pages. One call adds a limited number of entries to the new
 * rollups. A scheduled job continues the rebuild.
 */
async function repair(
  env: Bindings,
  ledger: LedgerName,
  differences: readonly Difference[],
  now_ms: number,
): Promise<void> {
  let of_rollups = false
  for (const { kind, from_entry, to_entry } of differences) {
    switch (kind) {
      case 'pages_missing':
      case 'page_sums':
      case 'wallet_chain':
      case 'hash_chain':
        await rewriteLedgerPages(env, ledger, { from_entry, to_entry })
        of_rollups = true
        break
      case 'usage_of_rollups':
      case 'usage_of_days':
        of_rollups = true
        break
      // These two kinds do not identify the wrong pages. Differences of the other kinds identify the pages to repair.
      case 'balance':
      case 'usage_of_pages':
    }
  }
  if (!of_rollups) return
  try {
    await rebuildLedger(ledgerDb(env, ledger.customer_id), ledgerKey(ledger), ENTRIES_A_CALL, now_ms)
  } catch (error) {
    // Entries are still missing in the pages, so the rollups are not rebuilt. The second check reports the difference.
    if (!(error instanceof BrokenPages)) throw error
  }
}
