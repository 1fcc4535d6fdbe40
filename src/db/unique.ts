/**
 * Whether D1 refused a batch because a row of this table is there already. D1's errors have no code, only SQLite's
 * words: "UNIQUE constraint failed: table.column, table.column".
 */
export function isTaken(error: unknown, table: string): boolean {
  return error instanceof Error && error.message.includes(`UNIQUE constraint failed: ${table}.`)
}
