import { redact } from './redaction.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** In characters; whatever is not named here has the least. */
const MAX_TEXT = 500
const MAX_OF: ReadonlyMap<string, number> = new Map([
  ['message', 2_000],
  ['cause', 2_000],
  ['stack', 4_000],
  // A dead letter that cannot be stored is in the log and nowhere else: a line takes a whole one.
  ['body', 64_000],
])

/**
 * One line of structured JSON for whoever runs this; the platform adds the time. Never give it a key, a token, what a
 * client sent as a body, a raw path or a query string: logs are read by more people than the database is. What slips
 * into a text all the same, such as an error message that quotes its input, is redacted here.
 */
export function logError(event: string, error: unknown, fields: LogFields = {}): void {
  console.error(line('error', event, { ...fields, ...described(error) }))
}

/** The same for what somebody should look at, though nothing failed. */
export function logWarning(event: string, fields: LogFields): void {
  console.warn(line('warn', event, fields))
}

/** The same for what is worth knowing. */
export function logInfo(event: string, fields: LogFields): void {
  console.log(line('info', event, fields))
}

/** The same for what went wrong and threw nothing. */
export function logFailure(event: string, fields: LogFields): void {
  console.error(line('error', event, fields))
}

function line(level: 'error' | 'warn' | 'info', event: string, fields: LogFields): string {
  return JSON.stringify({ level, event, ...fields }, (field, value: unknown) =>
    typeof value === 'string' ? redact(value, MAX_OF.get(field) ?? MAX_TEXT) : value,
  )
}

function described(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error, message: String(error) }
  const { name, message, stack, cause } = error
  return { error: name, message, stack, cause: cause instanceof Error ? cause.message : undefined }
}
