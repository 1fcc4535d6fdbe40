/**
 * One line of structured JSON for whoever runs this. Never give it a key, a token, a body or a query string: logs are
 * read by more people than the database is.
 */
export function logError(
  event: string,
  error: unknown,
  fields: Readonly<Record<string, string | number>> = {},
): void {
  console.error(JSON.stringify({ level: 'error', event, ...fields, ...described(error) }))
}

/** The same for what is worth knowing and no error. */
export function logInfo(event: string, fields: Readonly<Record<string, string | number | boolean>>): void {
  console.log(JSON.stringify({ level: 'info', event, ...fields }))
}

function described(error: unknown): Record<string, string | undefined> {
  if (error instanceof Error) return { error: error.name, message: error.message, stack: error.stack }
  return { error: typeof error }
}
