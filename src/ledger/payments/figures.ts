import type { Mode } from '../../db/schema.ts'
import type { PaymentFigures } from '../model/payments.ts'

/** The counts of payments that each ledger reports to D1, for operators. */

// Writes 1 row.
const REPORT = `
  INSERT INTO payment_figures (mode, ledger_id, pending, succeeded, failed, action_required, refunded, disputed,
    oldest_open_at_ms, top_ups_paused) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
  ON CONFLICT (mode, ledger_id) DO UPDATE SET pending = excluded.pending, succeeded = excluded.succeeded,
    failed = excluded.failed, action_required = excluded.action_required, refunded = excluded.refunded,
    disputed = excluded.disputed, oldest_open_at_ms = excluded.oldest_open_at_ms,
    top_ups_paused = excluded.top_ups_paused`

export async function reportPaymentFigures(
  db: D1Database,
  ledger: { readonly mode: Mode; readonly ledger_id: string },
  figures: PaymentFigures,
): Promise<void> {
  const { pending, succeeded, failed, action_required, refunded, disputed } = figures
  await db
    .prepare(REPORT)
    .bind(
      ...[ledger.mode, ledger.ledger_id, pending, succeeded, failed, action_required, refunded, disputed],
      ...[figures.oldest_open_at_ms, figures.top_ups_paused],
    )
    .run()
}
