/** Matches SQLite's error codes for a full disk and for an I/O error, in D1 or in a ledger object. */
const DISK = /SQLITE_(?:FULL|IOERR)/

/**
 * Returns whether the database itself failed: D1 is unreachable, overloaded or restarting, or a disk is full or
 * broken. Any other error with an SQLite code in its message is the fault of the statement or its data, such as a
 * violated constraint.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { message } = error
  return DISK.test(message) || (message.startsWith('D1_ERROR') && !message.includes('SQLITE_'))
}

/**
 * Returns whether D1 rejected a batch because the table already has a row with the same unique values. D1's errors
 * have no code, only SQLite's text: "UNIQUE constraint failed: table.column, table.column".
 */
export function isTaken(error: unknown, table: string): boolean {
  return error instanceof Error && error.message.includes(`UNIQUE constraint failed: ${table}.`)
}
