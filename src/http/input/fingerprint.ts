import { createHash } from 'node:crypto'
import { InexactNumber, normalized, parseExact } from './exact-json.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from './json-source.ts'
import { base64url22, sha256 } from './sha256.ts'

/**
 * The fingerprint of a keyed request: its operation and parsed body, in any field order, without the field `except`. 22
 * characters of base64url are 132 bits of SHA-256, enough to tell two requests under one key apart. Ledgers store
 * fingerprints: the same request must have the same one in every version.
 */
export function fingerprintOf(operation: string, body: unknown, except?: string): string {
  const portions = new Portions()
  portions.write(`${operation}\n`)
  writeCanonical(body, portions, except)
  return portions.digest()
}

/** A text to hash: at once if it is short, else in portions, so that a body of 4 MB is never in memory as a whole. */
class Portions {
  private pending = ''
  private hash: ReturnType<typeof createHash> | undefined

  write(text: string): void {
    this.pending += text
    if (this.pending.length < HASHED_AT_ONCE) return
    this.hash ??= createHash('sha256')
    this.hash.update(this.pending)
    this.pending = ''
  }

  digest(): string {
    if (!this.hash && this.pending.length <= SHORT) return base64url22(sha256(this.pending))
    this.hash ??= createHash('sha256')
    return this.hash.update(this.pending).digest('base64url').slice(0, 22)
  }
}

const HASHED_AT_ONCE = 16 * 1024
/** The length up to which `sha256` is faster than `node:crypto`. */
const SHORT = 800

/**
 * Writes JSON with sorted keys. `jsonBody` has limited the depth. Free JSON is parsed here, one value at a time; its
 * numbers count exactly.
 */
function writeCanonical(value: unknown, to: Portions, except?: string): void {
  if (typeof value === 'string') to.write(quoted(value))
  else if (typeof value === 'number') to.write(Number.isFinite(value) ? `${value}` : 'null')
  else if (typeof value !== 'object' || value === null) to.write(JSON.stringify(value) ?? 'null')
  else if (value instanceof JsonSource) writeSource(value, to)
  else if (value instanceof InexactNumber) to.write(canonicalNumber(value.source))
  else if (Array.isArray(value)) {
    to.write('[')
    for (const [index, item] of value.entries()) {
      if (index > 0) to.write(',')
      writeCanonical(item, to)
    }
    to.write(']')
  } else writeFields(value, to, except)
}

/** A text that is too large is refused wherever it is, and not worth parsing. */
function writeSource({ text, bytes }: JsonSource, to: Portions): void {
  if (bytes > MAX_FREE_JSON_BYTES) to.write(text)
  else writeCanonical(parseExact(text), to)
}

function writeFields(value: object, to: Portions, except: string | undefined): void {
  let before = '{'
  for (const key of Object.keys(value).sort()) {
    const field: unknown = Reflect.get(value, key)
    if (field === undefined || key === except) continue
    to.write(`${before}${quoted(key)}:`)
    writeCanonical(field, to)
    before = ','
  }
  to.write(before === '{' ? '{}' : '}')
}

/** Printable ASCII without a quote and a backslash, which JSON writes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/

/** `JSON.stringify` of a text; most texts are plain, and the test takes a third of the time of a call. */
function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}

function canonicalNumber(source: string): string {
  return `${source.startsWith('-') ? '-' : ''}${normalized(source)}`
}
