import { gunzipSync, inflateSync } from 'node:zlib'
import type { z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { parseJson } from '../input/exact-json.ts'
import { type JsonLimits, type JsonProblem, placeSources, scanJson, Utf8Text } from '../input/json-source.ts'
import { withoutNulls } from '../input/nulls.ts'
import { invalidRequest, problem, refusalResponse, unsupportedMediaType } from '../output/problem.ts'
import { readUpTo } from '../read-up-to.ts'
import { roomFor } from './large-bodies.ts'

export const MAX_BODY_BYTES = 4 * 1024 * 1024
/** The maximum depth of nesting in JSON. With deeper JSON, a recursive function could overflow the stack. */
export const MAX_DEPTH = 64
/** The maximum number of fields of one object. Schemas and provider responses have far fewer fields. */
export const MAX_FIELDS = 10_000
/**
 * The maximum number of values in a whole body, not counting values in free JSON. The parsed values of such a body take
 * up to 5 MB.
 */
export const MAX_VALUES = 150_000

/** The limits for JSON bodies of this API. */
export const LIMITS: JsonLimits = { fields: MAX_FIELDS, values: MAX_VALUES, depth: MAX_DEPTH }
/**
 * The length above which the fields and values of a text are always counted, in characters or bytes. A shorter text
 * cannot contain many more than the limits allow.
 */
const ALWAYS_SCANNED_LENGTH = 50_000
const HAS_FREE_JSON = /"(?:metadata|value)"/

/** The HTTP methods for which a body is read, even if the route accepts no body. */
export const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
export const JSON_TYPE = /^application\/json\s*(?:;|$)/i

/**
 * The decoders by content coding. According to RFC 9110, section 8.4.1, `deflate` is the zlib format, and `x-gzip` is
 * the same as `gzip`.
 */
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
])

/**
 * A body format. `types` is the pattern of its content types; undefined if the route checks the content type itself.
 */
interface BodyFormat {
  readonly types: RegExp | undefined
  /** The names of the expected content types, for the detail of a 415. */
  readonly expected: string
  /**
   * Passes the decoded bytes to the route. Returns an error response if the body is refused, and undefined if it is
   * accepted.
   */
  readonly provide: (c: Context<AppEnv>, bytes: Uint8Array, type: string | undefined) => Response | undefined
}

/**
 * Middleware that reads the body of a POST, PUT or PATCH once and parses it as JSON. `c.req.json()` then returns the
 * parsed value. For a request without a body, the value is `{}`, because the schema of the route decides whether a body
 * is required.
 */
export const jsonBody = bodyOf({ types: JSON_TYPE, expected: 'application/json', provide: provideBody })

/**
 * Returns middleware that reads a body in a format other than JSON. It stores the decoded bytes as `body_bytes`, and
 * the route parses them. If `types` is undefined, the route must check the content type.
 */
export function rawBody(types: RegExp | undefined, expected: string): MiddlewareHandler<AppEnv> {
  return bodyOf({
    types,
    expected,
    provide(c, bytes, type) {
      if (types && type === undefined && bytes.length > 0) return unsupportedMediaType(c, expected)
      c.set('body_bytes', bytes)
      return
    },
  })
}

function bodyOf({ types, expected, provide }: BodyFormat): MiddlewareHandler<AppEnv> {
  const read = createMiddleware<AppEnv>(async (c, next) => {
    const type = c.req.header('Content-Type')
    if (types && type !== undefined && !types.test(type)) return unsupportedMediaType(c, expected)
    const encoding = (c.req.header('Content-Encoding') ?? 'identity').trim().toLowerCase()
    const decoder = DECODERS.get(encoding)
    if (!decoder && encoding !== 'identity' && encoding !== '') return unsupportedEncoding(c)
    // For an encoded body and for a body without Content-Length, the size is known only after the body is read.
    const declared = decoder ? 0 : Math.min(Number(c.req.header('Content-Length') ?? 0), MAX_BODY_BYTES)
    let room = await roomFor(declared)
    if (!room) return refusalResponse(c, { code: 'overloaded' })
    try {
      const bytes = await readBytes(c, decoder)
      if (bytes instanceof Response) return bytes
      if (declared === 0) {
        room = await roomFor(bytes.length)
        if (!room) return refusalResponse(c, { code: 'overloaded' })
      }
      room.weigh(bytes)
      const refused = provide(c, bytes, type)
      if (refused) return refused
      await next()
      return undefined
    } finally {
      room?.leave()
    }
  })
  return (c, next) => (METHODS_WITH_BODY.has(c.req.method) ? read(c, next) : next())
}

type Decoder = typeof gunzipSync

/** Reads and decodes the body. Returns an error response if the body is too large or cannot be decoded. */
async function readBytes(c: Context<AppEnv>, decoder: Decoder | undefined): Promise<Uint8Array | Response> {
  // If a length is declared, the runtime reads no more than this length.
  const is_declared = c.req.header('Transfer-Encoding') === undefined
  const length = Number((is_declared && c.req.header('Content-Length')) || Number.NaN)
  if (length > MAX_BODY_BYTES) return tooLarge(c)
  const bytes =
    length <= MAX_BODY_BYTES
      ? new Uint8Array(await c.req.arrayBuffer())
      : await readUpTo(c.req.raw.body, MAX_BODY_BYTES)
  if (!bytes) return tooLarge(c)
  const decoded = decoder && bytes.length > 0 ? decode(decoder, bytes) : bytes
  if (decoded === 'too_large') return tooLarge(c)
  if (decoded) return decoded
  return problem(c, {
    code: 'invalid_json',
    detail:
      'The body does not have the encoding that the header Content-Encoding names. Correct the header or the body.',
  })
}

/** Parses the body for `c.req.json()`. Returns an error response if the body is refused; otherwise undefined. */
function provideBody(c: Context<AppEnv>, bytes: Uint8Array, type: string | undefined): Response | undefined {
  if (bytes.length === 0) {
    c.set('body_is_empty', true)
    provideJson(c.req, {})
    return
  }
  if (type === undefined) return unsupportedMediaType(c)
  const body = readJson(bytes)
  if (typeof body === 'string') return jsonProblem(c, body)
  provideJson(c.req, body.value)
  return
}

/**
 * Returns middleware that removes the nulls that mean "absent" from a body. It must run after `jsonBody`, and before
 * the body is validated and its fingerprint is computed.
 */
export function nullsRemoved(schema: z.ZodType): MiddlewareHandler<AppEnv> {
  return createMiddleware<AppEnv>(async (c, next) => {
    provideJson(c.req, withoutNulls(schema, await c.req.json()))
    return next()
  })
}

/** Replaces the function `json` of the request, because the function of Hono parses the text again on every call. */
export function provideJson(request: object, value: unknown): void {
  Object.defineProperty(request, 'json', { value: () => Promise.resolve(value), configurable: true })
}

/**
 * Decodes the bytes of a body. Returns undefined if the bytes do not have the encoding of the decoder, and `too_large`
 * if the decoded bytes exceed the limit.
 */
function decode(decoder: Decoder, bytes: Uint8Array): Uint8Array | 'too_large' | undefined {
  try {
    return decoder(bytes, { maxOutputLength: MAX_BODY_BYTES })
  } catch (error) {
    return error instanceof RangeError ? 'too_large' : undefined
  }
}

/**
 * Parses a JSON body in the format of another system, and checks the limits. Parses free JSON like all other values.
 * Returns the problem if the body is invalid or exceeds a limit.
 */
export function parseBody(bytes: Uint8Array, limits = LIMITS): { readonly value: unknown } | JsonProblem {
  return readJson(bytes, { ...limits, free: false })
}

/**
 * Parses a body and keeps free JSON as text (`JsonSource`). A field `__proto__` is harmless: `JSON.parse` creates it as
 * a normal property, and no later code copies properties by assignment, which would change a prototype. A strict schema
 * refuses it as an unknown field.
 */
function readJson(bytes: Uint8Array, limits = LIMITS): { readonly value: unknown } | JsonProblem {
  try {
    return readText(new Utf8Text(bytes), limits)
  } catch {
    // The body is not JSON, or it is not UTF-8. Invalid UTF-8 is refused, because replacement characters could make
    // different ids equal.
    return 'invalid'
  }
}

/**
 * Parses a JSON text and checks the limits. Returns the problem if a limit is exceeded. Throws if the text is not JSON
 * or not UTF-8.
 */
function readText(characters: Utf8Text, limits: JsonLimits): { readonly value: unknown } | JsonProblem {
  const whole = characters.length > ALWAYS_SCANNED_LENGTH ? undefined : characters.slice(0)
  const isScanned = whole === undefined || (limits.free !== false && HAS_FREE_JSON.test(whole))
  const scanned = isScanned ? scanJson(whole ?? characters, limits) : { text: whole, sources: [] }
  if (typeof scanned === 'string') return scanned
  const value = parseJson(scanned.text)
  if (!isScanned && isDeeperThan(value, limits.depth)) return 'too_deep'
  placeSources(value, scanned.sources)
  return { value }
}

/** Returns the 400 response for a body that is refused before it is validated. */
export function jsonProblem(
  c: Context<AppEnv>,
  found: JsonProblem,
  { fields, values, depth }: JsonLimits = LIMITS,
): Response {
  switch (found) {
    case 'invalid':
      return problem(c, { code: 'invalid_json', detail: 'The body is not valid JSON in UTF-8.' })
    case 'too_deep':
      return problem(c, {
        code: 'invalid_json',
        detail: `The body is nested deeper than ${depth} levels.`,
      })
    case 'too_many_fields':
      return tooMany(c, `must have at most ${fields} fields in each object`)
    case 'too_many_values':
      return tooMany(c, `must have at most ${values} values`)
  }
}

function tooMany(c: Context<AppEnv>, message: string): Response {
  return invalidRequest(c, `The body ${message}.`, [{ path: '', message }])
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) return value.some((inner) => isDeeperThan(inner, levels - 1))
  // The loop needs no list of the values, which would take 3 % of the memory of a batch. `for … in` is safe here,
  // because parsed JSON has no inherited properties.
  for (const name in value) {
    const inner: unknown = Reflect.get(value, name)
    // The function is called only for objects. A call for every value takes three times as long.
    if (typeof inner === 'object' && isDeeperThan(inner, levels - 1)) return true
  }
  return false
}

function tooLarge(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'body_too_large',
    detail: 'The body is larger than the limit of 4 MB (4,194,304 bytes, after decoding). Split the request.',
  })
}

function unsupportedEncoding(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'unsupported_media_type',
    detail: 'Send the body without a Content-Encoding, or with gzip or deflate.',
  })
}
