import type { Mode } from './schema.ts'

/**
 * Returns the database that holds a customer's ledger. All code that reads or writes pages, subjects and watermarks
 * uses this function. There is one database. Later versions can distribute customers over several databases, because
 * a D1 database is limited to 10 GB.
 */
export function ledgerDb(env: { readonly DB: D1Database }, _customer_id: string): D1Database {
  return env.DB
}

/**
 * Returns the name of a ledger: the customer's id, followed by `:test` for the test ledger. Durable Objects and all
 * D1 keys use this name.
 */
export function ledgerKey(ledger: { readonly customer_id: string; readonly mode: Mode }): string {
  return ledger.mode === 'live' ? ledger.customer_id : `${ledger.customer_id}:test`
}

/** Returns the customer and the mode of a name that `ledgerKey` made. */
export function ledgerName(ledger_id: string): { readonly customer_id: string; readonly mode: Mode } {
  const [customer_id = '', mode] = ledger_id.split(':')
  return { customer_id, mode: mode === 'test' ? 'test' : 'live' }
}
