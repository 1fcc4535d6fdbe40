import { createHash } from 'node:crypto'
import { writeUtf8 } from '../../db/json-parameters.ts'
import { InexactNumber, normalized, parseExact } from './exact-json.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from './json-source.ts'
import { base64url22, PADDING_BYTES, sha256 } from './sha256.ts'

/**
 * Returns the fingerprint of a request with an idempotency key. It covers the operation and the parsed body without
 * the field `except`. The order of fields has no effect. 22 characters of base64url are 132 bits of SHA-256, enough
 * to distinguish requests with the same key. Ledgers store fingerprints, so the same request must have the same
 * fingerprint in every version.
 */
export function fingerprintOf(operation: string, body: unknown, except?: string): string {
  const text = new HashedText()
  text.write(`${operation}\n`)
  writeCanonical(body, text, except)
  return text.digest()
}

/** The length up to which `sha256` is faster than `node:crypto`. */
const SHORT_BYTES = 800
const BUFFER_BYTES = 16 * 1024

/** The buffer of all fingerprints. It is shared, because each fingerprint is computed synchronously. */
const bytes = new Uint8Array(BUFFER_BYTES + PADDING_BYTES)
const view = new DataView(bytes.buffer)

/**
 * Hashes a text in UTF-8. Hashes a short text at once, and a long text in parts, so that the canonical text of a
 * large body is never in memory as a whole. Writes the parts of the text as bytes, because joining them to a string
 * and encoding it takes a third longer for an event.
 */
class HashedText {
  private length = 0
  private hash: ReturnType<typeof createHash> | undefined

  write(text: string): void {
    if (this.hasRoom(text.length)) this.length += writeUtf8(text, bytes, this.length)
    else this.hashed().update(text)
  }

  /** Writes `JSON.stringify` of a text. Most texts are printable ASCII without escapes. */
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

  /** Reports whether the buffer has space for `units` UTF-16 units. Empties the buffer first if necessary. */
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
 * Writes JSON with sorted keys. The depth is limited by `jsonBody`. Parses each free JSON text only when it is
 * written, with exact numbers.
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

/** Writes free JSON. Does not parse a text that is too large, because every route refuses it. */
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
  /** The key as JSON, followed by a colon. */
  readonly name: string
}

/** The keys of an object in their order, and its fields sorted by key. */
interface Form {
  readonly keys: readonly string[]
  readonly fields: readonly Field[]
}

/**
 * The last form of an object by its first key. The events of a batch usually have the same fields in the same order.
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

/** Returns the first key of parsed JSON, which inherits no keys. */
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
