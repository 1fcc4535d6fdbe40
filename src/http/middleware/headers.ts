import type { OpenAPIHono } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import { cors as honoCors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { type Config, configOf } from '../../config.ts'
import { newId } from '../../ids.ts'
import { RATE_WINDOW_MS } from '../../ledger/admission/rate-limit.ts'
import type { RateCount } from '../../ledger/model/account.ts'
import { type AppEnv, guard } from '../env.ts'
import { problem } from '../output/problem.ts'

/**
 * Sets the headers of every response. Also responds to CORS preflights, to `OPTIONS`, and to unsupported methods (405
 * with `Allow`).
 */

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Middleware that sets the request id and returns it in every response. It accepts the id in the header `X-Request-Id`
 * if the id is safe in a log line. Otherwise, it creates an id.
 */
export const requestId = createMiddleware<AppEnv>(async (c, next) => {
  const offered = c.req.header('X-Request-Id')
  const id = offered !== undefined && REQUEST_ID.test(offered) ? offered : newId('req')
  c.set('request_id', id)
  await next()
  c.res.headers.set('X-Request-Id', id)
})

/**
 * The default headers of responses. Responses contain balances and sometimes an API key. Browsers must therefore not
 * cache, sniff, frame or embed them, and must not run code in them. A route can override the headers. For example,
 * `/docs` needs another content security policy.
 */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
]

/** The HSTS policy. It is valid for one year, and does not include subdomains, because other services can use them. */
const HSTS = 'max-age=31536000'

/** Middleware that sets the default headers of every response, HSTS outside development, and the rate limit headers. */
export const responseHeaders = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  const { headers } = c.res
  for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value)
  // Development uses http. If a browser got HSTS from localhost over https once, it would refuse http on localhost for
  // a year.
  if (configOf(c.env).environment !== 'development') headers.set('Strict-Transport-Security', HSTS)
  setRateLimit(headers, c.get('rate'))
})

/** The name of the only rate limit policy. It limits the number of requests per UTC minute. */
const POLICY = '"default"'

/**
 * Adds the rate limit headers to a response, also to an error response, if a ledger object has counted the request.
 * Their format is that of draft-ietf-httpapi-ratelimit-headers-11: the policy allows `q` requests in `w` seconds, and
 * `r` requests are left until the count resets in `t` seconds.
 */
function setRateLimit(headers: Headers, rate: RateCount | undefined): void {
  if (!rate) return
  const { limit, remaining, resets_in_s } = rate
  headers.set('RateLimit-Policy', `${POLICY};q=${limit};w=${RATE_WINDOW_MS / 1000}`)
  headers.set('RateLimit', `${POLICY};r=${remaining};t=${resets_in_s}`)
}

/** Returns the tighter of two rate counts: the count of the ledger that will refuse requests first. */
export function tighter(rate: RateCount | undefined, other: RateCount): RateCount {
  if (!rate || !other.allowed) return other
  return rate.allowed && other.remaining < rate.remaining ? other : rate
}

/** The time for which browsers can cache a preflight, in seconds. It is the longest time that Chrome accepts. */
export const PREFLIGHT_MAX_AGE_S = 7_200

export const ALLOWED_HEADERS = [
  'Authorization',
  'X-API-Key',
  'Content-Type',
  'Idempotency-Key',
  'X-Request-Id',
]

export const EXPOSED_HEADERS = [
  'X-Request-Id',
  'X-Next-Cursor',
  'Idempotency-Replayed',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
]

/**
 * The request headers of the gateway, and the headers that the providers' SDKs send, for example for their API key and
 * their version.
 */
const GATEWAY_REQUEST_HEADERS = [
  'X-Meter-User',
  'X-Meter-Team',
  'X-Meter-Feature',
  'X-Meter-Metadata',
  'X-Meter-Clip',
  'X-Meter-Trailer',
  'X-Meter-On-Abort',
  'X-Meter-Fallback',
  'X-Meter-Provider-Key',
  'X-Provider-Key',
  'Anthropic-Version',
  'Anthropic-Beta',
  'Anthropic-Dangerous-Direct-Browser-Access',
  'X-Goog-API-Key',
  'X-Goog-API-Client',
  'OpenAI-Organization',
  'OpenAI-Project',
  'OpenAI-Beta',
  'X-Stainless-Arch',
  'X-Stainless-Helper',
  'X-Stainless-Helper-Method',
  'X-Stainless-Lang',
  'X-Stainless-OS',
  'X-Stainless-Package-Version',
  'X-Stainless-Retry-Count',
  'X-Stainless-Runtime',
  'X-Stainless-Runtime-Version',
  'X-Stainless-Timeout',
]

const SHARED = {
  allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowHeaders: [...ALLOWED_HEADERS, ...GATEWAY_REQUEST_HEADERS],
  exposeHeaders: [
    ...EXPOSED_HEADERS,
    'X-Meter-Event-Id',
    'X-Meter-Credits-Burned',
    'X-Meter-Balance',
    'X-Meter-Attempts',
    'X-Provider-Request-Id',
  ],
  maxAge: PREFLIGHT_MAX_AGE_S,
  // Pages of other origins do not use cookies. They send an API key.
  credentials: false,
}

const handlers = new WeakMap<Config, MiddlewareHandler<AppEnv>>()

/**
 * Middleware that allows pages of the origins in `CORS_ORIGINS` to read responses. It does nothing if the variable is
 * empty. It must run before authentication, because a preflight has no API key. Other origins get the same responses,
 * but without the header that allows their pages to read them.
 */
export const cors = createMiddleware<AppEnv>((c, next) => {
  const config = configOf(c.env)
  if (config.cors_origins.length === 0) return next()
  const preflight = c.req.header('Access-Control-Request-Method') !== undefined
  if (c.req.method === 'OPTIONS' && !preflight) return next()
  return handlerOf(config)(c, next)
})

function handlerOf(config: Config): MiddlewareHandler<AppEnv> {
  const known = handlers.get(config)
  if (known) return known
  const { cors_origins } = config
  const handler = honoCors({ ...SHARED, origin: cors_origins === '*' ? '*' : [...cors_origins] })
  handlers.set(config, handler)
  return handler
}

/**
 * Returns middleware that responds with 405 if a path of `app` does not support the method, and with 204 to `OPTIONS`.
 * Each of these responses lists the supported methods in `Allow`. The middleware can run before authentication, because
 * the paths and methods of the API are public.
 */
export function allowedMethods(app: OpenAPIHono<AppEnv>): MiddlewareHandler<AppEnv> {
  let paths: Paths | undefined
  return guard((c) => {
    paths ??= pathsOf(app)
    const { method } = c.req
    const methods = methodsOf(paths, c.req.path)
    if (!methods || methods.has(method)) return
    const Allow = [...methods, 'OPTIONS'].join(', ')
    if (method === 'OPTIONS') return c.body(null, 204, { Allow })
    return problem(c, {
      code: 'method_not_allowed',
      detail: `This path does not support the method ${METHOD.test(method) ? method : 'of the request'}. Use one of ${Allow}.`,
      headers: { Allow },
    })
  })
}

const METHOD = /^[A-Z]{1,20}$/

interface Path {
  /** The segments of the path. A parameter is undefined. */
  readonly segments: readonly (string | undefined)[]
  readonly methods: Set<string>
}

interface Paths {
  /**
   * The paths without parameters. They are matched first, so that `/v1/events/ingest` does not match `/v1/events/{id}`.
   */
  readonly exact: ReadonlyMap<string, Path>
  /** The paths with parameters, by their number of segments. Paths with fewer parameters are first. */
  readonly patterns: ReadonlyMap<number, readonly Path[]>
}

function pathsOf(app: OpenAPIHono<AppEnv>): Paths {
  const known = new Map<string, Path>()
  for (const { method, path } of app.routes) {
    if (method === 'ALL') continue
    const segments = path.split('/').map((segment) => (segment.startsWith(':') ? undefined : segment))
    const name = segments.join('/')
    const methods = known.get(name)?.methods ?? new Set()
    known.set(name, { segments, methods })
    methods.add(method)
    if (method === 'GET') methods.add('HEAD')
  }
  const parameters = ({ segments }: Path) => segments.filter((segment) => segment === undefined).length
  const patterns = [...known.values()].filter((path) => parameters(path) > 0)
  return {
    exact: new Map([...known].filter(([, path]) => parameters(path) === 0)),
    patterns: Map.groupBy(
      patterns.sort((a, b) => parameters(a) - parameters(b)),
      ({ segments }) => segments.length,
    ),
  }
}

function methodsOf({ exact, patterns }: Paths, path: string): ReadonlySet<string> | undefined {
  const known = exact.get(path)
  if (known) return known.methods
  const given = path.split('/')
  const found = patterns
    .get(given.length)
    ?.find(({ segments }) =>
      segments.every((segment, i) => (segment === undefined ? given[i] !== '' : segment === given[i])),
    )
  return found?.methods
}
