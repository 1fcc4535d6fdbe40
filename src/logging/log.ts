import { redact } from './redaction.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** The longest texts, in characters; fields not listed here get `MAX_TEXT`. */
const MAX_TEXT = 500
const MAX_OF: ReadonlyMap<string, number> = new Map([
  ['message', 2_000],
  ['cause', 2_000],
  ['stack', 4_000],
  // A dead letter that cannot be stored is only in the log, which therefore takes it whole.
  ['body', 64_000],
])

/**
 * Logs an error as one line of JSON; the platform adds the time. Never pass a key, a token, a request body, a raw
 * path or a query string: more people read logs than the database. Text that contains them anyway, such as an error
 * that quotes its input, is redacted here.
 */
export function logError(event: string, error: unknown, fields: LogFields = {}): void {
  console.error(line('error', event, { ...fields, ...described(error) }))
}

/** Logs something that needs attention although nothing failed. */
export function logWarning(event: string, fields: LogFields): void {
  console.warn(line('warn', event, fields))
}

/** Logs information. */
export function logInfo(event: string, fields: LogFields): void {
  console.log(line('info', event, fields))
}

/** Logs a failure that threw nothing. */
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
