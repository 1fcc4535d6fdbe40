import type { Mode } from './schema.ts'

/**
 * Returns the D1 database with the rows of a customer's ledgers. Code that reads or writes the pages, the subjects or
 * the watermark of one ledger uses this function. There is one database. Later versions can distribute customers over
 * several databases, because a D1 database is limited to 10 GB.
 */
export function ledgerDb(env: { readonly DB: D1Database }, _customer_id: string): D1Database {
  return env.DB
}

/**
 * Returns the name of a ledger: the customer's id, followed by `:test` for the test ledger. Durable Objects and the
 * column `ledger_id` in D1 use this name.
 */
export function ledgerKey(ledger: { readonly customer_id: string; readonly mode: Mode }): string {
  return ledger.mode === 'live' ? ledger.customer_id : `${ledger.customer_id}:test`
}

/** Returns the customer and the mode of a name that `ledgerKey` made. */
export function ledgerName(ledger_id: string): { readonly customer_id: string; readonly mode: Mode } {
  const [customer_id = '', mode] = ledger_id.split(':')
  return { customer_id, mode: mode === 'test' ? 'test' : 'live' }
}
