import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { problem, unsupportedMediaType } from '../output/problem.ts'

export const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Deeper JSON could overflow the stack of a recursive walk. */
export const MAX_DEPTH = 64

const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])
const JSON_TYPE = /^application\/json\s*(?:;|$)/i

const limitSize = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: (c) =>
    problem(c, {
      code: 'body_too_large',
      detail: 'The body is larger than the limit of 4 MB (4,194,304 bytes). Split the request.',
    }),
})

/**
 * Reads the body of a POST, PUT or PATCH once, as JSON; validators get the same object from `c.req.json()`. A request
 * without a body continues as `{}`: the route's schema decides whether it requires one.
 */
export const jsonBody = createMiddleware<AppEnv>(async (c, next) => {
  if (!METHODS_WITH_BODY.has(c.req.method)) return next()
  const type = c.req.header('Content-Type')
  if (type !== undefined && !JSON_TYPE.test(type)) return unsupportedMediaType(c)
  let text: string | undefined
  const tooLarge = await limitSize(c, async () => {
    text = decodeUtf8(await c.req.arrayBuffer())
  })
  if (tooLarge) return tooLarge
  if (text === '') {
    c.set('body_is_empty', true)
    provideJson(c.req, {})
    return next()
  }
  if (type === undefined) return unsupportedMediaType(c)
  const body = text === undefined ? undefined : parseJson(text)
  if (!body) return problem(c, { code: 'invalid_json', detail: 'The body is not valid JSON in UTF-8.' })
  if (isDeeperThan(body.value, MAX_DEPTH)) {
    return problem(c, { code: 'invalid_json', detail: `The body is nested deeper than ${MAX_DEPTH} levels.` })
  }
  provideJson(c.req, body.value)
  return next()
})

/** Replaces Hono's `json`, which parses the text again at every call: 4 MB are parsed only once. */
function provideJson(request: object, value: unknown): void {
  Object.defineProperty(request, 'json', { value: () => Promise.resolve(value) })
}

/** Returns undefined for invalid UTF-8: replacement characters would make different ids equal. */
function decodeUtf8(bytes: ArrayBuffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * `JSON.parse` creates `__proto__` as an own property. No later code copies properties by assignment, so it changes
 * no prototype: a strict schema refuses it as an unknown field.
 */
function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some((inner) => isDeeperThan(inner, levels - 1))
}
