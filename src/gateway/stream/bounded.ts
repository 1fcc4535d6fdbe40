/**
 * The maximum length of a line or of a JSON text that is kept while it arrives, in bytes. A longer text is shortened by
 * `bounded`.
 */
const MAX_TEXT = 16 * 1024 * 1024

/** The maximum length of a string in a shortened text. Names of models and types are shorter. */
const MAX_STRING = 256

/**
 * Limits the length of a begun JSON text. If the text is too long, removes the content of its long strings, such as
 * images in base64. The rest is still JSON, so the reader finds the usage that follows. Returns an empty text if that
 * is not enough.
 */
export function bounded(text: string): string {
  if (text.length <= MAX_TEXT) return text
  const short = withoutLongStrings(text)
  return short.length <= MAX_TEXT / 2 ? short : ''
}

/** Removes the content of the long strings of a JSON text. The text can end within a string. */
export function withoutLongStrings(text: string): string {
  const kept: string[] = []
  let from = 0
  let open = text.indexOf('"')
  while (open !== -1) {
    const close = endOfString(text, open + 1)
    const end = close === -1 ? text.length : close
    const isLong = end - open > MAX_STRING
    if (isLong) {
      kept.push(text.slice(from, open + 1))
      from = end
    }
    // The next part of an unfinished string begins with the character that a last backslash escapes.
    if (close === -1) return kept.join('') + text.slice(from) + (isLong && isEscaped(text, end) ? '\\' : '')
    open = text.indexOf('"', close + 1)
  }
  return kept.join('') + text.slice(from)
}

/** Returns the position of the quotation mark that ends a string; -1 if the text ends within the string. */
export function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start)
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at
}

/** Returns whether an odd number of backslashes precedes a position in a string. */
function isEscaped(text: string, at: number): boolean {
  let from = at
  while (text[from - 1] === '\\') from -= 1
  return (at - from) % 2 === 1
}
