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

function withoutLongStrings(text: string): string {
  const kept: string[] = []
  for (let at = 0; ; ) {
    const open = text.indexOf('"', at)
    if (open === -1) return kept.join('') + text.slice(at)
    const close = endOfString(text, open + 1)
    const end = close === -1 ? text.length : close
    kept.push(text.slice(at, end - open > MAX_STRING ? open + 1 : end))
    // The next part of an unfinished string begins with the character that a last backslash escapes.
    if (close === -1) return kept.join('') + (end - open > MAX_STRING && isEscaped(text, end) ? '\\' : '')
    kept.push('"')
    at = close + 1
  }
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
