/** A full or broken disk, under D1 or under a ledger object. */
const DISK = /SQLITE_(?:FULL|IOERR)/

/**
 * Whether the database itself failed: D1 is unreachable, overloaded or restarting, or a disk is full or broken. All
 * other errors of SQLite, whose code is in the message, are bugs in a statement.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { message } = error
  return DISK.test(message) || (message.startsWith('D1_ERROR') && !message.includes('SQLITE_'))
}

/**
 * Whether D1 refused a batch because a row of this table exists already. D1's errors have no code, only SQLite's
 * text: "UNIQUE constraint failed: table.column, table.column".
 */
export function isTaken(error: unknown, table: string): boolean {
  return error instanceof Error && error.message.includes(`UNIQUE constraint failed: ${table}.`)
}
