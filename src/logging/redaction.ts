/**
 * What no log may hold, wherever it stands in a text: a message of D1's, of a validator's or of the runtime's may quote
 * what a client sent. Keys and tokens open doors; emails are of people; query strings hold the ids of users.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // An API key, whole or cut off.
  [/om_(live|test)_[0-9a-z]+/gi, 'om_$1_[redacted]'],
  // What follows the scheme in an Authorization header: the operator's token has no shape of its own.
  [/\b(Bearer|Basic)\s+[^\s"',;]+/gi, '$1 [redacted]'],
  [
    /\b(x-api-key|authorization|operator_token(?:_next)?)(["']?\s*[:=]\s*["']?)(?!Bearer|Basic)[^\s"',;]+/gi,
    '$1$2[redacted]',
  ],
  [/(\bhttps?:\/\/[^\s?#"']{1,2000})\?[^\s"']*/gi, '$1?[redacted]'],
  // 64 characters before the @ are what RFC 5321 allows; the bound also keeps a long text from taking long.
  [/[^\s@"'`<>(),;:[\]{}=/\\]{1,64}(?:@|%40)[^\s@%"'`<>(),;:[\]{}=/\\]{1,253}\.\p{L}{2,63}/giu, '[email]'],
]

/** More than the longest email. */
const CUT_WORD = 400

/** The text without secrets, and not much longer than `max_chars`. */
export function redact(text: string, max_chars: number): string {
  if (text.length <= max_chars) return withoutSecrets(text)
  // Cut first, or a long text takes long. An email that the cut went through would not be known as one: that word goes.
  const beginning = text.slice(0, max_chars + CUT_WORD).replace(/\S{1,400}$/, '')
  return `${withoutSecrets(beginning).slice(0, max_chars)}…`
}

function withoutSecrets(text: string): string {
  return SECRETS.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text)
}
