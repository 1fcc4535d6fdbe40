import type { ReconciliationStatus } from '../../db/schema.ts'
import { NO_USAGE, packTotals, unpackTotals } from '../../usage/cells/cells.ts'
import type { Checked } from './check-pages.ts'
import type { Difference } from './difference.ts'

/** The stored result of a ledger's last check. */
export interface StoredReconciliation {
  readonly status: ReconciliationStatus
  readonly checked_at_ms: number
  /**
   * The time of the last call that checked pages for a full check, which begins with the first page. Equal to
   * `checked_at_ms` if the last call did so.
   */
  readonly full_at_ms: number
  readonly checked: Checked
  readonly differences: readonly Difference[]
}

const SELECT = `
  SELECT status, checked_at_ms, full_at_ms, checked_entry, usage, differences FROM reconciliations WHERE ledger_id = ?1`

interface Row {
  readonly status: ReconciliationStatus
  readonly checked_at_ms: number
  readonly full_at_ms: number
  readonly checked_entry: number
  readonly usage: string
  readonly differences: string
}

/** Reports whether a full check was begun and is not complete. The next check continues it. */
export function isFullCheckOpen(stored: StoredReconciliation | null): boolean {
  return stored?.status === 'CHECKING' && stored.full_at_ms === stored.checked_at_ms
}

/** Returns the result of a ledger's last check; null if the ledger was never checked. */
export async function readReconciliation(
  db: D1Database,
  ledger_id: string,
): Promise<StoredReconciliation | null> {
  const row = await db.prepare(SELECT).bind(ledger_id).first<Row>()
  if (!row) return null
  const { status, checked_at_ms, full_at_ms, checked_entry, usage, differences } = row
  const checked = { entry: checked_entry, usage: unpackTotals(usage) }
  return { status, checked_at_ms, full_at_ms, checked, differences: JSON.parse(differences) }
}

// Writes 1 row, or 2 rows if the new status is DIFFERENT.
const UPSERT = `
  INSERT INTO reconciliations (ledger_id, status, checked_at_ms, full_at_ms, checked_entry, usage, differences)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  ON CONFLICT (ledger_id) DO UPDATE SET status = excluded.status, checked_at_ms = excluded.checked_at_ms,
    full_at_ms = excluded.full_at_ms, checked_entry = excluded.checked_entry, usage = excluded.usage,
    differences = excluded.differences`

export async function writeReconciliation(
  db: D1Database,
  ledger_id: string,
  { status, checked_at_ms, full_at_ms, checked, differences }: StoredReconciliation,
): Promise<void> {
  await db
    .prepare(UPSERT)
    .bind(
      ledger_id,
      status,
      checked_at_ms,
      full_at_ms,
      checked.entry,
      packTotals(checked.usage),
      JSON.stringify(differences),
    )
    .run()
}

// Keeps the progress of the last check, also of a full check that is not complete. Keeps the status DIFFERENT and
// replaces any other status with CHECKING. For a ledger that was never checked, records that no entry is checked yet.
const POSTPONE = `
  INSERT INTO reconciliations (ledger_id, status, checked_at_ms, full_at_ms, checked_entry, usage, differences)
  VALUES (?1, 'CHECKING', ?2, 0, 0, ?3, '[]')
  ON CONFLICT (ledger_id) DO UPDATE SET checked_at_ms = excluded.checked_at_ms,
    full_at_ms = iif(status = 'CHECKING' AND full_at_ms = checked_at_ms, excluded.checked_at_ms, full_at_ms),
    status = CASE status WHEN 'DIFFERENT' THEN status ELSE 'CHECKING' END`

/** Records a check at `now_ms` for a ledger that was unavailable, so that its check is not due again immediately. */
export async function postponeReconciliation(
  db: D1Database,
  ledger_id: string,
  now_ms: number,
): Promise<void> {
  await db.prepare(POSTPONE).bind(ledger_id, now_ms, packTotals(NO_USAGE)).run()
}
