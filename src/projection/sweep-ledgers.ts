import type { Bindings } from '../bindings.ts'
import { logError, logInfo } from '../logging/log.ts'

/** Customers that one run goes over, one after the other, and ledgers that are woken at once. */
export const CUSTOMERS_A_RUN = 500
const AT_ONCE = 20

const SWEEP = 'ledgers'

// A customer has a test ledger when it has a key for one. Three rows read for a customer and its keys, none written.
const LEDGERS_OF_RUN = `
  WITH page AS (
    SELECT customer_id FROM customers
    WHERE status <> 'PENDING'
      AND customer_id > coalesce((SELECT after_customer_id FROM sweeps WHERE sweep = '${SWEEP}'), '')
    ORDER BY customer_id LIMIT ?1),
  names AS (
    SELECT customer_id, customer_id AS ledger_id FROM page
    UNION ALL
    SELECT customer_id, customer_id || ':test' FROM page WHERE EXISTS (
      SELECT 1 FROM api_keys AS k WHERE k.customer_id = page.customer_id AND k.mode = 'test'))
  SELECT names.customer_id, names.ledger_id, coalesce(ledgers.flushed_row, 0) AS flushed_row
  FROM names LEFT JOIN ledgers ON ledgers.ledger_id = names.ledger_id
  ORDER BY names.customer_id`

const MOVE_ON = `
  INSERT INTO sweeps (sweep, after_customer_id) VALUES ('${SWEEP}', ?1)
  ON CONFLICT (sweep) DO UPDATE SET after_customer_id = excluded.after_customer_id`

interface SweptLedger {
  readonly customer_id: string
  readonly ledger_id: string
  /** The last journal row that D1 has. */
  readonly flushed_row: number
}

/**
 * Wakes every ledger from time to time, some at each run, from the first customer again after the last. One whose alarm
 * the platform lost flushes then though nobody uses it, and one whose D1 was restored from an older backup notices. To
 * wake a ledger that is well writes nothing.
 */
export async function sweepLedgers(env: Bindings): Promise<void> {
  const { results } = await env.DB.prepare(LEDGERS_OF_RUN).bind(CUSTOMERS_A_RUN).all<SweptLedger>()
  let failed = 0
  for (let i = 0; i < results.length; i += AT_ONCE) {
    const woken = await Promise.all(results.slice(i, i + AT_ONCE).map((ledger) => wake(env, ledger)))
    failed += woken.filter((well) => !well).length
  }
  const customers = new Set(results.map(({ customer_id }) => customer_id))
  const end = customers.size < CUSTOMERS_A_RUN
  await env.DB.prepare(MOVE_ON)
    .bind(end ? '' : (results.at(-1)?.customer_id ?? ''))
    .run()
  if (results.length > 0) logInfo('ledgers_swept', { ledgers: results.length, failed, end })
}

async function wake(env: Bindings, { ledger_id, flushed_row }: SweptLedger): Promise<boolean> {
  try {
    await env.LEDGER.getByName(ledger_id).wake(flushed_row)
    return true
  } catch (error) {
    logError('ledger_not_woken', error, { ledger: ledger_id })
    return false
  }
}
