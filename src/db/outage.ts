/**
 * Whether D1 itself failed: out of reach, overloaded, restarting. What is wrong with a statement SQLite says, with a
 * code of its own in the message; that is a bug of ours.
 */
export function isOutage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('D1_ERROR') && !error.message.includes('SQLITE_')
}
