/**
 * Whether D1 itself failed: out of reach, overloaded, restarting. What is wrong with a statement SQLite says, with a
 * code of its own in the message; that is a bug of ours.
 */
export function isOutage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('D1_ERROR') && !error.message.includes('SQLITE_')
}

/**
 * Whether D1 refused a batch because a row of this table is there already. D1's errors have no code, only SQLite's
 * words: "UNIQUE constraint failed: table.column, table.column".
 */
export function isTaken(error: unknown, table: string): boolean {
  return error instanceof Error && error.message.includes(`UNIQUE constraint failed: ${table}.`)
}
