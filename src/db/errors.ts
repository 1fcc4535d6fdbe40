/**
 * Whether D1 itself failed: out of reach, overloaded, restarting. An error in a statement has a code of SQLite in its
 * message, and is a bug of this Worker.
 */
export function isOutage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('D1_ERROR') && !error.message.includes('SQLITE_')
}

/**
 * Whether D1 refused a batch because a row of this table exists already. D1's errors have no code, only SQLite's
 * text: "UNIQUE constraint failed: table.column, table.column".
 */
export function isTaken(error: unknown, table: string): boolean {
  return error instanceof Error && error.message.includes(`UNIQUE constraint failed: ${table}.`)
}
