import type { Mode } from './schema.ts'

/**
 * The database that holds a customer's ledger. All code that reads or writes pages, subjects and watermarks uses this
 * function: there is one database now, and customers can be split over several later, because a D1 database is limited
 * to 10 GB.
 */
export function ledgerDb(env: { readonly DB: D1Database }, _customer_id: string): D1Database {
  return env.DB
}

/**
 * Returns the name of a ledger, as an object and in every D1 key: the customer's id, and `:test` for the test ledger.
 */
export function ledgerKey(ledger: { readonly customer_id: string; readonly mode: Mode }): string {
  return ledger.mode === 'live' ? ledger.customer_id : `${ledger.customer_id}:test`
}

/** Returns the ledger of a name that `ledgerKey` made. */
export function ledgerName(ledger_id: string): { readonly customer_id: string; readonly mode: Mode } {
  const [customer_id = '', mode] = ledger_id.split(':')
  return { customer_id, mode: mode === 'test' ? 'test' : 'live' }
}
