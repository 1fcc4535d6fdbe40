export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** The maximum length of a text in a log line, in characters. `MAX_OF` contains other maxima for certain fields. */
const MAX_TEXT = 500
const MAX_OF: ReadonlyMap<string, number> = new Map([
  ['message', 2_000],
  ['cause', 2_000],
  ['stack', 4_000],
  // The log is the only copy of a dead letter that cannot be stored, so its body has a higher maximum.
  ['body', 64_000],
])

/**
 * Logs an error as one line of JSON. The platform adds the time. Never pass a key, a token, a request body, a raw path
 * or a query string, because more people can read the logs than the database. The message of an error can quote client
 * input, so keys, tokens, emails and query strings in texts are redacted.
 */
export function logError(event: string, error: unknown, fields: LogFields = {}): void {
  console.error(line('error', event, { ...fields, ...described(error) }))
}

/** Logs a warning: a state that an operator should examine although no operation failed. */
export function logWarning(event: string, fields: LogFields): void {
  console.warn(line('warn', event, fields))
}

/** Logs information. */
export function logInfo(event: string, fields: LogFields): void {
  console.log(line('info', event, fields))
}

/** Logs a failure that has no error object. */
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

/**
 * The patterns of texts that must not be logged, with their replacements. Error messages of D1, a validator or the
 * runtime can quote client input, such as keys, tokens, emails, and query strings with user ids.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // An API key, complete or truncated.
  [/om_(live|test)_[0-9a-z]+/gi, 'om_$1_[redacted]'],
  // A portal token, complete or truncated.
  [/om_portal_[\w.-]+/gi, 'om_portal_[redacted]'],
  // A key of OpenAI, Anthropic, OpenRouter, DeepSeek, Groq or xAI, or a secret key of Stripe. The next pattern matches
  // a key of Google.
  [/\b(sk|gsk|xai)[-_][A-Za-z0-9_-]{8,}/g, '$1-[redacted]'],
  [/\bAIza[A-Za-z0-9_-]{8,}/g, 'AIza[redacted]'],
  // The credential of an Authorization header. This pattern also redacts the operator token, which has no fixed format.
  [/\b(Bearer|Basic)\s+[^\s"',;]+/gi, '$1 [redacted]'],
  [
    /\b(x-api-key|x-provider-key|x-goog-api-key|api-key|authorization|(?:operator_token|encryption_key|portal_token_secret)(?:_next)?)(["']?\s*[:=]\s*["']?)(?!Bearer|Basic)[^\s"',;]+/gi,
    '$1$2[redacted]',
  ],
  [/(\bhttps?:\/\/[^\s?#"']{1,2000})\?[^\s"']*/gi, '$1?[redacted]'],
  // An email. RFC 5321 allows 64 characters before the @. The limits in the pattern also limit the time for long texts.
  [/[^\s@"'`<>(),;:[\]{}=/\\]{1,64}(?:@|%40)[^\s@%"'`<>(),;:[\]{}=/\\]{1,253}\.\p{L}{2,63}/giu, '[email]'],
]

/**
 * The number of characters that `redact` examines after the maximum. It is larger than the maximum length of an email,
 * so a complete email is recognised.
 */
const CUT_WORD = 400

/** Redacts a text and truncates it to about `max_chars`. */
export function redact(text: string, max_chars: number): string {
  if (text.length <= max_chars) return withoutSecrets(text)
  // Truncates the text first, to limit the time. Removes the last word, because an email that was cut would not be
  // recognised.
  const beginning = text.slice(0, max_chars + CUT_WORD).replace(/\S{1,400}$/, '')
  return `${withoutSecrets(beginning).slice(0, max_chars)}…`
}

function withoutSecrets(text: string): string {
  return SECRETS.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text)
}
