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
import { readReconciliation, writeReconciliation } from './store.ts'

export interface Reconciliation {
  readonly ledger_id: string
  readonly status: ReconciliationStatus
  readonly checked_entry: number
  /** The differences that were found. With status REPAIRED, they were repaired. */
  readonly differences: readonly Difference[]
}

export type ReconcileResult =
  | ({ readonly kind: 'done' } & Reconciliation)
  /** The ledger could not be checked, for example because the ledger or D1 did not answer. */
  | { readonly kind: 'unavailable'; readonly ledger_id: string }

/**
 * Compares the sums of a ledger object, D1's pages and the rollups. Repairs pages from the journal and rollups from
 * pages, and compares again. Checks every page if `full` is true, at the first check, and after a check with status
 * DIFFERENT. Otherwise checks the pages after the last check.
 */
export async function reconcileLedger(
  env: Bindings,
  ledger: LedgerName,
  { full, now_ms }: { readonly full: boolean; readonly now_ms: number },
): Promise<ReconcileResult> {
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const before = await readReconciliation(db, ledger_id)
  const from_first_page = full || !before || before.status === 'DIFFERENT'
  const after = from_first_page ? NOTHING_CHECKED : before.checked
  const first = await check(env, ledger, after)
  if (first.kind === 'unavailable') return { kind: 'unavailable', ledger_id }
  let { pages, differences } = first
  let status: ReconciliationStatus = first.more ? 'CHECKING' : 'OK'
  if (differences.length > 0) {
    await repair(env, ledger, differences, now_ms)
    const second = await check(env, ledger, after)
    if (second.kind === 'unavailable') return { kind: 'unavailable', ledger_id }
    status = second.differences.length > 0 ? 'DIFFERENT' : 'REPAIRED'
    if (status === 'DIFFERENT') differences = second.differences
    pages = second.pages
    for (const { kind, from_entry, to_entry, expected, found } of differences) {
      logFailure('ledger_differs', { ledger: ledger_id, status, kind, from_entry, to_entry, expected, found })
    }
  }
  // While a ledger has a difference, each check begins with the first page.
  const checked = status === 'DIFFERENT' ? NOTHING_CHECKED : pages.checked
  const full_at_ms = from_first_page ? now_ms : (before?.full_at_ms ?? now_ms)
  const reported = differences.slice(0, MAX_DIFFERENCES)
  await writeReconciliation(db, ledger_id, {
    status,
    checked_at_ms: now_ms,
    full_at_ms,
    checked,
    differences: reported,
  })
  return { kind: 'done', ledger_id, status, checked_entry: checked.entry, differences: reported }
}

type Check =
  | { readonly kind: 'unavailable' }
  | {
      readonly kind: 'checked'
      readonly pages: PagesCheck
      readonly differences: readonly Difference[]
      /** True if the ledger has more pages or messages than one check reads. */
      readonly more: boolean
    }

async function check(env: Bindings, ledger: LedgerName, after: PagesCheck['checked']): Promise<Check> {
  const result = await readBooks(env, ledger)
  if (result.kind === 'refused') return { kind: 'unavailable' }
  const books: Books = result.answer
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const pages = await checkPages(db, ledger_id, books, after)
  // Rollups are computed from pages, so pages are repaired first.
  if (pages.more || pages.differences.length > 0) {
    return { kind: 'checked', pages, differences: pages.differences, more: pages.more }
  }
  if (!(await bringUpRollups(db, ledger_id))) return { kind: 'checked', pages, differences: [], more: true }
  return { kind: 'checked', pages, differences: await checkRollups(db, ledger_id, books), more: false }
}

/**
 * Repairs pages from the journal, then rollups from pages. One call rebuilds a limited number of entries. The cron
 * continues the rebuild.
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
      // These differences do not identify a page. The other kinds identify the pages to repair.
      case 'balance':
      case 'usage_of_pages':
    }
  }
  if (!of_rollups) return
  try {
    await rebuildLedger(ledgerDb(env, ledger.customer_id), ledgerKey(ledger), ENTRIES_A_CALL, now_ms)
  } catch (error) {
    // The pages could not be repaired, so the rollups remain unchanged. The second check reports the difference.
    if (!(error instanceof BrokenPages)) throw error
  }
}
