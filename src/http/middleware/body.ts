import { gunzipSync, inflateSync } from 'node:zlib'
import type { z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { parseJson } from '../input/exact-json.ts'
import { type JsonLimits, type JsonProblem, placeSources, scanJson, Utf8Text } from '../input/json-source.ts'
import { withoutNulls } from '../input/nulls.ts'
import { invalidRequest, problem, refusalResponse, unsupportedMediaType } from '../output/problem.ts'
import { roomFor } from './large-bodies.ts'

export const MAX_BODY_BYTES = 4 * 1024 * 1024
/** The maximum depth of JSON. Deeper JSON could overflow the stack of a recursive function. */
export const MAX_DEPTH = 64
/** The maximum number of fields of one object, far above the number in any schema or provider response. */
export const MAX_FIELDS = 10_000
/**
 * The maximum number of values in a whole body. Values in free JSON do not count. The parsed values take up to 5 MB.
 */
export const MAX_VALUES = 150_000

/** The limits of the bodies of this API. */
export const LIMITS: JsonLimits = { fields: MAX_FIELDS, values: MAX_VALUES, depth: MAX_DEPTH }
/**
 * The length above which the fields and values of a text are always counted. Shorter texts cannot exceed the limits
 * by much.
 */
const ALWAYS_SCANNED_LENGTH = 50_000
const HAS_FREE_JSON = /"(?:metadata|value)"/

/** The methods whose body is read, even if the route accepts no body. */
export const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
export const JSON_TYPE = /^application\/json\s*(?:;|$)/i

const limitSize = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge })

/**
 * The decoders by content coding. In RFC 9110, section 8.4.1, `deflate` is the zlib format and `x-gzip` is `gzip`.
 */
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
])

/** A body format. `types` is undefined if the route checks the content type. */
interface BodyFormat {
  readonly types: RegExp | undefined
  /** The expected content types, for the 415. */
  readonly expected: string
  /**
   * Passes the decoded bytes to the route. `bytes` is undefined if the body cannot be decoded. Returns a refusal;
   * undefined if the body is accepted.
   */
  readonly provide: (
    c: Context<AppEnv>,
    bytes: Uint8Array | undefined,
    type: string | undefined,
  ) => Response | undefined
}

/**
 * Reads the body of a POST, PUT or PATCH once as JSON. Validators get the same object from `c.req.json()`. A request
 * without a body continues with `{}`, because the route's schema decides whether a body is required.
 */
export const jsonBody = bodyOf({ types: JSON_TYPE, expected: 'application/json', provide: provideBody })

/**
 * Reads the body of another format once and stores its decoded bytes as `body_bytes`. The route parses them. If
 * `types` is undefined, the route checks the content type.
 */
export function rawBody(types: RegExp | undefined, expected: string): MiddlewareHandler<AppEnv> {
  return bodyOf({
    types,
    expected,
    provide(c, bytes, type) {
      if (bytes === undefined) {
        return problem(c, {
          code: 'invalid_json',
          detail:
            'The body cannot be decoded by its Content-Encoding. Send it in the encoding of this header.',
        })
      }
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
    // The size of an encoded body and of a body without Content-Length is known only after it is read.
    const declared = decoder ? 0 : Math.min(Number(c.req.header('Content-Length') ?? 0), MAX_BODY_BYTES)
    let room = await roomFor(declared)
    if (!room) return refusalResponse(c, { code: 'overloaded' })
    try {
      const bytes = await readBytes(c, decoder)
      if (bytes instanceof Response) return bytes
      if (declared === 0) {
        room = await roomFor(bytes?.length ?? 0)
        if (!room) return refusalResponse(c, { code: 'overloaded' })
      }
      if (bytes) room.weigh(bytes)
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

/** Returns the decoded body, undefined if it cannot be decoded, or a refusal. */
async function readBytes(
  c: Context<AppEnv>,
  decoder: Decoder | undefined,
): Promise<Uint8Array | Response | undefined> {
  let bytes = new Uint8Array()
  const read = async () => {
    bytes = new Uint8Array(await c.req.arrayBuffer())
  }
  // The runtime reads no more than a declared length. `limitSize` is used only without such a length, because it
  // opens the body as a stream.
  const is_declared = c.req.header('Transfer-Encoding') === undefined
  const length = Number((is_declared && c.req.header('Content-Length')) || Number.NaN)
  const refused = length <= MAX_BODY_BYTES ? await read() : await limitSize(c, read)
  if (refused) return refused
  const decoded = decoder && bytes.length > 0 ? decode(decoder, bytes) : bytes
  if (decoded === 'too_large') return tooLarge(c)
  return decoded
}

/** Parses the body for `c.req.json()`, or returns a refusal. */
function provideBody(
  c: Context<AppEnv>,
  bytes: Uint8Array | undefined,
  type: string | undefined,
): Response | undefined {
  if (bytes?.length === 0) {
    c.set('body_is_empty', true)
    provideJson(c.req, {})
    return
  }
  if (type === undefined) return unsupportedMediaType(c)
  const body = bytes === undefined ? 'invalid' : readJson(bytes)
  if (typeof body === 'string') return jsonProblem(c, body)
  provideJson(c.req, body.value)
  return
}

/** Removes nulls that mean "absent" before a body is validated and fingerprinted. Runs after `jsonBody`. */
export function nullsRemoved(schema: z.ZodType): MiddlewareHandler<AppEnv> {
  return createMiddleware<AppEnv>(async (c, next) => {
    provideJson(c.req, withoutNulls(schema, await c.req.json()))
    return next()
  })
}

/** Replaces Hono's `json`, which would parse the text again at every call. */
export function provideJson(request: object, value: unknown): void {
  Object.defineProperty(request, 'json', { value: () => Promise.resolve(value), configurable: true })
}

/**
 * Decodes bytes. Returns undefined if they do not have this encoding, and `too_large` if the decoded bytes exceed the
 * limit.
 */
function decode(decoder: Decoder, bytes: Uint8Array): Uint8Array | 'too_large' | undefined {
  try {
    return decoder(bytes, { maxOutputLength: MAX_BODY_BYTES })
  } catch (error) {
    return error instanceof RangeError ? 'too_large' : undefined
  }
}

/** Parses the JSON bytes of a body that is not part of this API, within limits. Does not keep free JSON as text. */
export function parseBody(bytes: Uint8Array, limits = LIMITS): { readonly value: unknown } | JsonProblem {
  return readJson(bytes, { ...limits, free: false })
}

/**
 * Parses a body. Free JSON stays text (`JsonSource`). `JSON.parse` creates `__proto__` as an own property. This
 * property changes no prototype, because no later code copies properties by assignment. A strict schema refuses the
 * property as an unknown field.
 */
function readJson(bytes: Uint8Array, limits = LIMITS): { readonly value: unknown } | JsonProblem {
  try {
    return readText(new Utf8Text(bytes), limits)
  } catch {
    // The body is not JSON or not UTF-8. Invalid UTF-8 is refused, because replacement characters would make
    // different ids equal.
    return 'invalid'
  }
}

/** Parses a text within limits. Throws if the text is not JSON. */
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

/** Returns the 400 for a body that is refused before validation. */
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
  // Iterates over the names, because a list of the values takes 3 % of the memory of a batch. Parsed JSON inherits no
  // names.
  for (const name in value) {
    const inner: unknown = Reflect.get(value, name)
    // Calls the function only for objects, because a call for every value takes three times as long.
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
