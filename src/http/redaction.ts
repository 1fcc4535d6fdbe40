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
  [/[^\s@"'`<>(),;:[\]{}=/\\]{1,64}(?:@|%40)[^\s@"'`<>(),;:[\]{}=/\\]{1,253}?\.\p{L}{2,63}/giu, '[email]'],
]

/** The text without secrets, and not longer than `max_chars`. */
export function redact(text: string, max_chars: number): string {
  // Cut before the patterns are looked for, or a long text takes long; what the cut leaves of a key is still one.
  let redacted = text.length > max_chars ? `${text.slice(0, max_chars)}…` : text
  for (const [pattern, replacement] of SECRETS) redacted = redacted.replace(pattern, replacement)
  return redacted
}
