/**
 * Patterns that must not reach a log. Messages of D1, a validator or the runtime may quote what a client sent: keys
 * and tokens, emails, and query strings with user ids.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // An API key, complete or truncated.
  [/om_(live|test)_[0-9a-z]+/gi, 'om_$1_[redacted]'],
  // The credential of an Authorization header: the operator token has no recognisable form.
  [/\b(Bearer|Basic)\s+[^\s"',;]+/gi, '$1 [redacted]'],
  [
    /\b(x-api-key|authorization|operator_token(?:_next)?)(["']?\s*[:=]\s*["']?)(?!Bearer|Basic)[^\s"',;]+/gi,
    '$1$2[redacted]',
  ],
  [/(\bhttps?:\/\/[^\s?#"']{1,2000})\?[^\s"']*/gi, '$1?[redacted]'],
  // RFC 5321 allows 64 characters before the @; the bound also limits the time for long texts.
  [/[^\s@"'`<>(),;:[\]{}=/\\]{1,64}(?:@|%40)[^\s@%"'`<>(),;:[\]{}=/\\]{1,253}\.\p{L}{2,63}/giu, '[email]'],
]

/** Longer than the longest email. */
const CUT_WORD = 400

/** Redacts a text and truncates it to about `max_chars`. */
export function redact(text: string, max_chars: number): string {
  if (text.length <= max_chars) return withoutSecrets(text)
  // Truncates first, to bound the time. A cut email would not be recognised, so the last word is dropped.
  const beginning = text.slice(0, max_chars + CUT_WORD).replace(/\S{1,400}$/, '')
  return `${withoutSecrets(beginning).slice(0, max_chars)}…`
}

function withoutSecrets(text: string): string {
  return SECRETS.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text)
}
