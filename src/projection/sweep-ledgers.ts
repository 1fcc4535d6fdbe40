import type { Bindings } from '../bindings.ts'
import { BudgetSpent } from '../cron/budget.ts'
import { logError, logInfo } from '../logging/log.ts'

/** The maximum number of customers whose ledgers one run wakes. `AT_ONCE` ledgers are woken concurrently. */
export const CUSTOMERS_A_RUN = 200
const AT_ONCE = 20

// Selects the live ledger of each customer whose registration is complete, and the test ledger if the customer has a
// test key. Reads a few rows for each customer and writes no row.
const LEDGERS_OF_RUN = `
  WITH page AS (
    SELECT customer_id FROM customers WHERE status <> 'PENDING' AND customer_id > ?2 ORDER BY customer_id LIMIT ?1),
  names AS (
    SELECT customer_id, customer_id AS ledger_id FROM page
    UNION ALL
    SELECT customer_id, customer_id || ':test' FROM page WHERE EXISTS (
      SELECT 1 FROM api_keys AS k WHERE k.customer_id = page.customer_id AND k.mode = 'test'))
  SELECT names.customer_id, names.ledger_id, coalesce(ledgers.flushed_row, 0) AS flushed_row
  FROM names LEFT JOIN ledgers ON ledgers.ledger_id = names.ledger_id
  ORDER BY names.customer_id`

interface SweptLedger {
  readonly customer_id: string
  readonly ledger_id: string
  /** The number of the last journal row that D1 contains. */
  readonly flushed_row: number
}

/**
 * Wakes the ledgers of the customers that follow the customer `after`. Calls `reach` with the customer that it has
 * reached, or with an empty text after the last customer, so that the next run begins with the first customer. A woken
 * ledger sets its alarm again if work is due, such as a flush or the deletion of expired rows, because the platform can
 * lose an alarm. If D1 was restored from an older backup, the ledger also rewrites the rows that D1 has lost. A ledger
 * without such work writes nothing.
 */
export async function sweepLedgers(
  env: Bindings,
  after: string,
  reach: (customer_id: string) => void,
): Promise<void> {
  const { results } = await env.DB.prepare(LEDGERS_OF_RUN).bind(CUSTOMERS_A_RUN, after).all<SweptLedger>()
  let failed = 0
  for (let i = 0; i < results.length; i += AT_ONCE) {
    const woken = await Promise.all(results.slice(i, i + AT_ONCE).map((ledger) => wake(env, ledger)))
    failed += woken.filter((well) => !well).length
    const [last, next] = [results[i + AT_ONCE - 1], results[i + AT_ONCE]]
    if (last && last.customer_id !== next?.customer_id) reach(last.customer_id)
  }
  const customers = new Set(results.map(({ customer_id }) => customer_id))
  const end = customers.size < CUSTOMERS_A_RUN
  reach(end ? '' : (results.at(-1)?.customer_id ?? ''))
  if (results.length > 0) logInfo('ledgers_swept', { ledgers: results.length, failed, end })
}

async function wake(env: Bindings, { ledger_id, flushed_row }: SweptLedger): Promise<boolean> {
  try {
    await env.LEDGER.getByName(ledger_id).wake(flushed_row)
    return true
  } catch (error) {
    if (error instanceof BudgetSpent) throw error
    logError('ledger_not_woken', error, { ledger: ledger_id })
    return false
  }
}
