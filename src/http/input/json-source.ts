import { sizeOf } from '../../db/json-parameters.ts'
import { isRecord, type JsonText, jsonTextOf } from '../../ledger/model/json.ts'

/** The maximum size in UTF-8 of a customer's free JSON: metadata or the value of an entitlement. */
export const MAX_FREE_JSON_BYTES = 16 * 1024

/** The source text of a body's free JSON, without insignificant whitespace. It replaces the parsed value. */
export class JsonSource {
  readonly text: JsonText
  readonly bytes: number
  /** The number of fields of an object; undefined for a list, and for a text that is too large to parse. */
  readonly keys: number | undefined

  constructor(text: JsonText, bytes: number, keys: number | undefined) {
    this.text = text
    this.bytes = bytes
    this.keys = keys
  }

  /** Returns the source of a parsed value. */
  static of(value: object): JsonSource {
    return JsonSource.read(JSON.stringify(value))
  }

  /**
   * Returns the source of a JSON text. Throws a `SyntaxError` if the text is not JSON. Does not parse a text above
   * the maximum size.
   */
  static read(text: string): JsonSource {
    // A UTF-16 unit takes at most three bytes.
    const bytes = text.length > MAX_FREE_JSON_BYTES / 3 ? sizeOf(text) : text.length
    if (bytes > MAX_FREE_JSON_BYTES) return new JsonSource(jsonTextOf(text), bytes, undefined)
    const value: unknown = JSON.parse(text)
    return new JsonSource(jsonTextOf(text), bytes, isRecord(value) ? Object.keys(value).length : undefined)
  }

  get isObject(): boolean {
    return this.text.startsWith('{')
  }
}

/** The reason why a text is refused before parsing. */
export type JsonProblem = 'too_many_fields' | 'too_many_values' | 'too_deep' | 'invalid'

export interface JsonLimits {
  /** The maximum number of fields in one object. */
  readonly fields: number
  /** The maximum number of values in the whole text. Values in free JSON do not count. */
  readonly values: number
  readonly depth: number
  /** Whether free JSON stays text. Default: true. */
  readonly free?: boolean
}

/** The body of a request: its text with `null` in place of the free JSON, and the free JSON with its positions. */
export interface ScannedJson {
  readonly text: string
  readonly sources: readonly PlacedSource[]
}

export interface PlacedSource {
  readonly source: JsonSource
  readonly field: string
  /** The index of the event in `events`; undefined for a field of the body itself. */
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

/** The characters of a JSON text. A string also has this interface. */
export interface Characters {
  readonly length: number
  charCodeAt(index: number): number
  slice(start: number, end?: number): string
}

/**
 * UTF-8 bytes as the characters of a JSON text. The structure of JSON is ASCII. Only slices become strings, because a
 * string of the whole text would take two bytes per letter if one letter is above U+00FF. `slice` throws a
 * `TypeError` for bytes that are not UTF-8.
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

/** Puts the free JSON of a scanned body into the parsed body. */
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
 * Scans a JSON text once before it is parsed. Counts the values that parsing would create, and replaces the free JSON
 * with `null`. Free JSON is a list or an object in `metadata` or `value` of the body or of one of its `events`.
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
          // If several fields have the same name, the last field counts.
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

  /** Replaces the value at `start` with `null` and returns its end. */
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

/** Reads the object or list at `start`. Removes insignificant whitespace and writes strings like `JSON.stringify`. */
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
      // Without the space, two literals, such as numbers, would become one literal.
      if (isLiteral(text.charCodeAt(i - 1)) && isLiteral(text.charCodeAt(next))) return 'invalid'
      pieces.push(text.slice(from, i))
      from = next
      i = next - 1
    }
  }
  return 'invalid'
}

/** Returns a JSON string as `JSON.stringify` writes it; undefined if the text is not a JSON string. */
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

/** Returns the key between two quotes. */
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

/** Reports whether a character belongs to a number, `true`, `false` or `null`. */
function isLiteral(char: number): boolean {
  return !isOpening(char) && ![QUOTE, COMMA, COLON, CLOSE_OBJECT, CLOSE_LIST].includes(char)
}

/** Returns the fields of a compact object, with each value as JSON text. */
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
