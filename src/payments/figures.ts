import type { Bindings } from '../bindings.ts'
import type { PaymentFigures } from '../ledger/model/payments.ts'

/** The figures of payments for operators, from D1. They are the sums over all live ledgers. */
export interface AllPaymentFigures extends PaymentFigures {
  /**
   * Whether the sums include every live ledger with payments. False if 10,000 ledgers were counted, because there may
   * be more.
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
  if (!sums) throw new Error('D1 returned no counts')
  const { counted, ...figures } = sums
  return { ...figures, complete: counted < MAX_COUNTED }
}
