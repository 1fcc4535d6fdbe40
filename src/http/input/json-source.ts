import { sizeOf } from '../../db/json-parameters.ts'
import { isRecord, type JsonText, jsonTextOf } from '../../ledger/model/json.ts'

/**
 * The maximum size of free JSON in UTF-8. Free JSON is JSON of the customer's choice: metadata, or the value of an
 * entitlement.
 */
export const MAX_FREE_JSON_BYTES = 16 * 1024

/**
 * The text of free JSON in a body, without insignificant whitespace. In the parsed body, it takes the place of the
 * parsed value.
 */
export class JsonSource {
  readonly text: JsonText
  readonly bytes: number
  /**
   * The number of fields of the object. Undefined if the text is not an object, or if it is above the maximum size and
   * was not parsed.
   */
  readonly keys: number | undefined

  constructor(text: JsonText, bytes: number, keys: number | undefined) {
    this.text = text
    this.bytes = bytes
    this.keys = keys
  }

  /** Returns the JSON text of a parsed value. */
  static of(value: object): JsonSource {
    return JsonSource.read(JSON.stringify(value))
  }

  /**
   * Checks a JSON text. Throws a `SyntaxError` if the text is not JSON. A text above the maximum size is accepted
   * without parsing, because the schemas refuse it.
   */
  static read(text: string): JsonSource {
    // A UTF-16 code unit takes at most three bytes in UTF-8. A text whose number of units is at most a third of the
    // limit is therefore always within the limit, and its exact size is not needed.
    const bytes = text.length > MAX_FREE_JSON_BYTES / 3 ? sizeOf(text) : text.length
    if (bytes > MAX_FREE_JSON_BYTES) return new JsonSource(jsonTextOf(text), bytes, undefined)
    const value: unknown = JSON.parse(text)
    return new JsonSource(jsonTextOf(text), bytes, isRecord(value) ? Object.keys(value).length : undefined)
  }

  get isObject(): boolean {
    return this.text.startsWith('{')
  }
}

/** The reason why a text is refused before it is validated. */
export type JsonProblem = 'too_many_fields' | 'too_many_values' | 'too_deep' | 'invalid'

export interface JsonLimits {
  /** The maximum number of fields in one object. */
  readonly fields: number
  /**
   * The maximum number of values in the whole text, not counting the outermost value and the values in free JSON. An
   * empty list or object counts as two values.
   */
  readonly values: number
  readonly depth: number
  /** Whether free JSON stays an unparsed text. Default: true. */
  readonly free?: boolean
}

/**
 * A body after the scan. In `text`, each free JSON value is replaced by `null`. `sources` has the free JSON values and
 * their positions.
 */
export interface ScannedJson {
  readonly text: string
  readonly sources: readonly PlacedSource[]
}

export interface PlacedSource {
  readonly source: JsonSource
  readonly field: string
  /** The index of the event in `events` that has the field; undefined if the field is at the top level of the body. */
  readonly event: number | undefined
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const FREE_FIELDS: ReadonlySet<string> = new Set(['metadata', 'value'])
const LIST_FIELD = 'events'

/** The operations on a JSON text that the scan needs. A string also has these members. */
export interface Characters {
  readonly length: number
  charCodeAt(index: number): number
  slice(start: number, end?: number): string
}

/**
 * A JSON text in UTF-8 bytes. The scan works on bytes, because all structural characters of JSON are ASCII. Only slices
 * are decoded to strings: if one character is above U+00FF, a string of the whole text would take two bytes for each
 * character. `slice` throws a `TypeError` if the bytes are not valid UTF-8.
 */
export class Utf8Text implements Characters {
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte)
      ? bytes.subarray(BYTE_ORDER_MARK.length)
      : bytes
  }

  get length(): number {
    return this.bytes.length
  }

  charCodeAt(index: number): number {
    return this.bytes[index] ?? Number.NaN
  }

  slice(start: number, end?: number): string {
    return utf8.decode(this.bytes.subarray(start, end))
  }
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Puts the free JSON values of a scanned body into the parsed body. They replace the nulls that the scan inserted. */
export function placeSources(body: unknown, sources: readonly PlacedSource[]): void {
  const fields = recordOf(body)
  const events = fields?.[LIST_FIELD]
  for (const { source, field, event } of sources) {
    const place = event === undefined ? fields : Array.isArray(events) ? recordOf(events[event]) : undefined
    if (place) place[field] = source
  }
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return isRecord(value) ? value : undefined
}

/**
 * Scans a JSON text once before it is parsed. Checks the limits, and replaces each free JSON value with `null`, unless
 * `limits.free` is false. A list or an object is free JSON if it is the value of a field `metadata` or `value`, either
 * at the top level of the body or in an item of `events`. Returns the problem if the text exceeds a limit or is found
 * to be invalid.
 */
export function scanJson(text: Characters, limits: JsonLimits): ScannedJson | JsonProblem {
  const scan = new Scan(text, limits)
  const problem = scan.run()
  return problem ?? { text: scan.rest(), sources: [...scan.sources.values()] }
}

class Scan {
  readonly sources = new Map<string, PlacedSource>()
  private readonly pieces: string[] = []
  private taken = 0
  private readonly text: Characters
  private readonly limits: JsonLimits

  constructor(text: Characters, limits: JsonLimits) {
    this.text = text
    this.limits = limits
  }

  rest(): string {
    return this.pieces.join('') + this.text.slice(this.taken)
  }

  run(): JsonProblem | undefined {
    const { text, limits } = this
    /** The number of fields read so far in each enclosing object or list. */
    const open: number[] = []
    let fields = 0
    let values = 0
    let field = ''
    let event = 0
    let inEvents = false
    for (let i = 0; i < text.length; i++) {
      const char = text.charCodeAt(i)
      if (char === QUOTE) {
        const { end } = readString(text, i)
        const depth = open.length
        if ((depth === 1 || (depth === 3 && inEvents)) && isKey(text, end)) field = keyAt(text, i, end)
        i = end
      } else if (char === COLON) {
        if (++fields > limits.fields) return 'too_many_fields'
        const depth = open.length
        if (depth === 1) inEvents = field === LIST_FIELD
        if (limits.free !== false && (depth === 1 || (depth === 3 && inEvents)) && FREE_FIELDS.has(field)) {
          const place = depth === 1 ? undefined : event
          const key = `${place} ${field}`
          // If several fields have the same name, the last one is used, as in `JSON.parse`.
          this.sources.delete(key)
          const start = afterSpace(text, i + 1)
          if (isOpening(text.charCodeAt(start))) {
            const end = this.take(start, limits.depth - depth, { field, event: place }, key)
            if (typeof end === 'string') return end
            i = end - 1
          }
        } else if (depth === 1 && inEvents) {
          for (const [key, { event: of }] of this.sources) if (of !== undefined) this.sources.delete(key)
          event = 0
        }
      } else if (char === COMMA) {
        if (++values > limits.values) return 'too_many_values'
        if (open.length === 2) event++
      } else if (isOpening(char)) {
        if (++values > limits.values) return 'too_many_values'
        if (open.push(fields) > limits.depth) return 'too_deep'
        fields = 0
      } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) fields = open.pop() ?? 0
    }
    return undefined
  }

  /**
   * Stores the free JSON value at `start`, replaces it with `null` and returns its end. Returns the reason if the value
   * is refused.
   */
  private take(
    start: number,
    depth: number,
    place: Omit<PlacedSource, 'source'>,
    key: string,
  ): number | JsonProblem {
    const read = compactValue(this.text, start, depth)
    if (typeof read === 'string') return read
    try {
      this.sources.set(key, { ...place, source: JsonSource.read(read.compact) })
    } catch {
      return 'invalid'
    }
    this.pieces.push(this.text.slice(this.taken, start), 'null')
    this.taken = read.end
    return read.end
  }
}

interface CompactValue {
  readonly compact: string
  readonly end: number
}

/**
 * Reads the object or list at `start`. Returns its text without insignificant whitespace, and with strings in the form
 * that `JSON.stringify` writes. Returns a problem if the value is invalid or nested deeper than `limit`.
 */
function compactValue(text: Characters, start: number, limit: number): CompactValue | JsonProblem {
  const pieces: string[] = []
  let from = start
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) {
      const string = readString(text, i)
      if (string.escaped) {
        const written = rewritten(text.slice(i, string.end + 1))
        if (written === undefined) return 'invalid'
        pieces.push(text.slice(from, i), written)
        from = string.end + 1
      }
      i = string.end
    } else if (isOpening(char)) {
      if (++depth > limit) return 'too_deep'
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) {
      if (--depth > 0) continue
      const end = i + 1
      if (pieces.length === 0) return { compact: text.slice(from, end), end }
      pieces.push(text.slice(from, end))
      return { compact: pieces.join(''), end }
    } else if (isSpace(char)) {
      const next = afterSpace(text, i)
      // Whitespace between two literals is invalid JSON. Removing it could create one valid literal, such as a number.
      if (isLiteral(text.charCodeAt(i - 1)) && isLiteral(text.charCodeAt(next))) return 'invalid'
      pieces.push(text.slice(from, i))
      from = next
      i = next - 1
    }
  }
  return 'invalid'
}

/** Returns a JSON string in the form that `JSON.stringify` writes; undefined if the text is not a valid JSON string. */
function rewritten(string: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(string))
  } catch {
    return undefined
  }
}

function readString(text: Characters, start: number): { readonly end: number; readonly escaped: boolean } {
  let escaped = false
  for (let i = start + 1; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) return { end: i, escaped }
    if (char !== BACKSLASH) continue
    escaped = true
    i++
  }
  return { end: text.length, escaped }
}

function isKey(text: Characters, end: number): boolean {
  return text.charCodeAt(afterSpace(text, end + 1)) === COLON
}

/**
 * Returns the key whose quotes are at `start` and `end`. If the key has escapes, returns it with the escapes that
 * `JSON.stringify` writes.
 */
function keyAt(text: Characters, start: number, end: number): string {
  const key = text.slice(start + 1, end)
  return key.includes('\\') ? String(rewritten(`"${key}"`)).slice(1, -1) : key
}

function afterSpace(text: Characters, start: number): number {
  let i = start
  while (isSpace(text.charCodeAt(i))) i++
  return i
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09
}

function isOpening(char: number): boolean {
  return char === OPEN_OBJECT || char === OPEN_LIST
}

/** Returns whether a character can belong to a literal: a number, `true`, `false` or `null`. */
function isLiteral(char: number): boolean {
  return !isOpening(char) && ![QUOTE, COMMA, COLON, CLOSE_OBJECT, CLOSE_LIST].includes(char)
}

/** Returns the fields of an object in JSON text without whitespace. Each value stays JSON text. */
export function fieldTexts(object: string): [key: string, value: string][] {
  const fields: [string, string][] = []
  let depth = 0
  let key = ''
  let start = 1
  for (let i = 1; i < object.length; i++) {
    const char = object.charCodeAt(i)
    if (char === QUOTE) {
      const { end } = readString(object, i)
      if (depth === 0 && object.charCodeAt(end + 1) === COLON) {
        key = String(JSON.parse(object.slice(i, end + 1)))
        start = end + 2
      }
      i = end
    } else if (isOpening(char)) depth++
    else if (depth === 0 && (char === COMMA || (char === CLOSE_OBJECT && start > 1))) {
      fields.push([key, object.slice(start, i)])
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) depth--
  }
  return fields
}

export function sourceOfFields(fields: ReadonlyMap<string, string>): JsonSource {
  return JsonSource.read(
    `{${[...fields].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`,
  )
}
