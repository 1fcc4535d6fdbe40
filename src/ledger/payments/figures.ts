import type { Bindings } from '../../bindings.ts'
import type { Mode } from '../../db/schema.ts'
import type { PaymentFigures } from '../model/payments.ts'

/** The figures of payments in D1, for operators. The ledger object writes them, and the Worker reads them. */

// Writes 1 row.
const REPORT = `
  INSERT INTO payment_figures (mode, ledger_id, pending, succeeded, failed, action_required, refunded, disputed,
    oldest_open_at_ms, top_ups_paused) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
  ON CONFLICT (mode, ledger_id) DO UPDATE SET pending = excluded.pending, succeeded = excluded.succeeded,
    failed = excluded.failed, action_required = excluded.action_required, refunded = excluded.refunded,
    disputed = excluded.disputed, oldest_open_at_ms = excluded.oldest_open_at_ms,
    top_ups_paused = excluded.top_ups_paused`

/** Writes the figures of a ledger's payments to D1. */
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

/** The figures of payments for operators, from D1. They summarize at most 10,000 live ledgers. */
export interface AllPaymentFigures extends PaymentFigures {
  /**
   * Whether the figures include every live ledger with payments. False if 10,000 ledgers were counted, because there
   * may be more.
   */
  readonly complete: boolean
}

const MAX_COUNTED = 10_000

// Reads 1 row for each live ledger that has payments, and at most 10,000 rows.
const SUM = `
  SELECT count(*) AS counted, coalesce(sum(pending), 0) AS pending, coalesce(sum(succeeded), 0) AS succeeded,
    coalesce(sum(failed), 0) AS failed, coalesce(sum(action_required), 0) AS action_required,
    coalesce(sum(refunded), 0) AS refunded, coalesce(sum(disputed), 0) AS disputed,
    min(oldest_open_at_ms) AS oldest_open_at_ms, coalesce(sum(top_ups_paused), 0) AS top_ups_paused
  FROM (SELECT * FROM payment_figures WHERE mode = 'live' LIMIT ${MAX_COUNTED})`

export async function readPaymentFigures({ DB }: Pick<Bindings, 'DB'>): Promise<AllPaymentFigures> {
  const sums = await DB.prepare(SUM).first<PaymentFigures & { readonly counted: number }>()
  if (!sums) throw new Error('D1 returned no payment figures')
  const { counted, ...figures } = sums
  return { ...figures, complete: counted < MAX_COUNTED }
}
