import { createHash } from 'node:crypto'
import { writeUtf8 } from '../../db/json-parameters.ts'
import { InexactNumber, normalized, parseExact } from './exact-json.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from './json-source.ts'
import { base64url22, PADDING_BYTES, sha256 } from './sha256.ts'

/**
 * Returns the fingerprint of a request with an idempotency key. The fingerprint covers the operation and the parsed
 * body without its top-level field `except`. The order of the fields does not change it. It has 22 characters of
 * base64url, which are 132 bits of SHA-256. They are enough to distinguish requests with the same key. Ledgers store
 * fingerprints, so every version of this software must compute the same fingerprint for the same request.
 */
export function fingerprintOf(operation: string, body: unknown, except?: string): string {
  const text = new HashedText()
  text.write(`${operation}\n`)
  writeCanonical(body, text, except)
  return text.digest()
}

/** The maximum length in bytes for which `sha256` is faster than `node:crypto`. */
const SHORT_BYTES = 800
const BUFFER_BYTES = 16 * 1024

/**
 * The buffer for the text of a fingerprint. All fingerprints use the same buffer, because each one is computed
 * synchronously.
 */
const bytes = new Uint8Array(BUFFER_BYTES + PADDING_BYTES)
const view = new DataView(bytes.buffer)

/**
 * Hashes a text in UTF-8. A short text is hashed at once. A long text is hashed in parts, so that the canonical text of
 * a large body does not need to be in memory completely. The text is written as bytes: for an event, building and
 * encoding a string takes a third longer.
 */
class HashedText {
  private length = 0
  private hash: ReturnType<typeof createHash> | undefined

  write(text: string): void {
    if (this.hasRoom(text.length)) this.length += writeUtf8(text, bytes, this.length)
    else this.hashed().update(text)
  }

  /**
   * Writes a text as a JSON string, in the same way as `JSON.stringify`. The loop is a fast path, because most texts
   * are printable ASCII without escapes.
   */
  writeQuoted(text: string): void {
    if (!this.hasRoom(text.length + 2)) {
      this.write(JSON.stringify(text))
      return
    }
    let at = this.length
    bytes[at++] = QUOTE
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) {
        this.write(JSON.stringify(text))
        return
      }
      bytes[at++] = unit
    }
    bytes[at++] = QUOTE
    this.length = at
  }

  digest(): string {
    if (!this.hash && this.length <= SHORT_BYTES) return base64url22(sha256(view, this.length))
    return this.hashed().digest('base64url').slice(0, 22)
  }

  /**
   * Returns whether a text of `units` UTF-16 code units fits into the buffer. If necessary, hashes and empties the
   * buffer first.
   */
  private hasRoom(units: number): boolean {
    const most = units * MAX_BYTES_A_UNIT
    if (this.length + most > BUFFER_BYTES) this.hashed()
    return most <= BUFFER_BYTES
  }

  /** Adds the buffer to the hash, empties the buffer and returns the hash. */
  private hashed(): ReturnType<typeof createHash> {
    this.hash ??= createHash('sha256')
    this.hash.update(bytes.subarray(0, this.length))
    this.length = 0
    return this.hash
  }
}

const MAX_BYTES_A_UNIT = 3
const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Writes a value as JSON with sorted keys. Recursion is safe, because the depth of a body is limited. Free JSON is
 * parsed here, with exact numbers.
 */
function writeCanonical(value: unknown, to: HashedText, except?: string): void {
  if (typeof value === 'string') to.writeQuoted(value)
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

/**
 * Writes free JSON with sorted keys. A text above the maximum size is written unchanged, because every route refuses
 * it.
 */
function writeSource({ text, bytes }: JsonSource, to: HashedText): void {
  if (bytes > MAX_FREE_JSON_BYTES) to.write(text)
  else writeCanonical(parseExact(text), to)
}

function writeFields(value: object, to: HashedText, except: string | undefined): void {
  let before = '{'
  for (const { key, name } of fieldsOf(value)) {
    const field: unknown = Reflect.get(value, key)
    if (field === undefined || key === except) continue
    to.write(before)
    to.write(name)
    writeCanonical(field, to)
    before = ','
  }
  to.write(before === '{' ? '{}' : '}')
}

interface Field {
  readonly key: string
  /** The key as a JSON string, followed by a colon. */
  readonly name: string
}

/** The keys of an object in their original order, and its fields in the order of their keys. */
interface Form {
  readonly keys: readonly string[]
  readonly fields: readonly Field[]
}

/**
 * The most recent form of an object for each first key. A form is often reused, because the events of a batch usually
 * have the same fields in the same order.
 */
const forms = new Map<string, Form>()
const MAX_FORMS = 100
const MAX_FORM_KEYS = 40
const MAX_KEY_LENGTH = 40

function fieldsOf(value: object): readonly Field[] {
  const first = firstKey(value)
  const known = forms.get(first)
  if (known && hasKeys(value, known.keys)) return known.fields
  const keys = Object.keys(value)
  const fields = keys.toSorted().map((key) => ({ key, name: `${JSON.stringify(key)}:` }))
  if (keys.length <= MAX_FORM_KEYS && keys.every(({ length }) => length <= MAX_KEY_LENGTH)) {
    if (forms.size >= MAX_FORMS) forms.clear()
    forms.set(first, { keys, fields })
  }
  return fields
}

/**
 * Returns the first key of an object; an empty text if it has no key. The object must be parsed JSON, so it has no
 * inherited keys.
 */
function firstKey(value: object): string {
  for (const key in value) return key
  return ''
}

function hasKeys(value: object, keys: readonly string[]): boolean {
  let at = 0
  for (const key in value) if (keys[at++] !== key) return false
  return at === keys.length
}

function canonicalNumber(source: string): string {
  return `${source.startsWith('-') ? '-' : ''}${normalized(source)}`
}
