import { type Context, Hono } from 'hono'
import { authenticateBy, bearerToken, refuseScope } from '../api-keys/authentication/authenticate.ts'
import { configOf } from '../config.ts'
import type { AppEnv } from '../http/env.ts'
import { invalidRequest, notFound, problem } from '../http/output/problem.ts'
import type { Dialect } from '../provider-keys/providers.ts'
import { resolveUpstream } from '../provider-keys/upstream.ts'
import { currentPrices } from '../rating/current-prices.ts'
import { meteredCall } from './call.ts'
import { decodedPath, endpointOf, type Target, VERSIONS } from './dialect.ts'
import { shapedErrors } from './errors.ts'
import { readMeterHeaders } from './request/headers.ts'
import {
  isReadable,
  refusedParameter,
  returnedHeaders,
  UNREADABLE,
  upstreamHeaders,
  upstreamQuery,
  upstreamUrl,
} from './upstream.ts'

/**
 * Returns the routes of the gateway for one dialect. They relay calls to the APIs of the providers. A metered call has
 * a hold and a charge. A free call, such as counting tokens, has neither. The OpenAPI document does not contain these
 * routes.
 */
export function gatewayRoutes(dialect: Dialect): Hono<AppEnv> {
  const router = new Hono<AppEnv>()
  router.use(shapedErrors(dialect))
  router.use(authenticateWhereSdksDo(dialect))
  router.use((c, next) => {
    c.set('route', `/gateway/${dialect}`)
    return next()
  })
  router.all('*', currentPrices, (c) => dispatch(c, dialect))
  return router
}

/**
 * Returns middleware that authenticates the request. It accepts an API key of this system wherever a provider's SDK
 * sends the provider's API key.
 */
function authenticateWhereSdksDo(dialect: Dialect) {
  return authenticateBy(
    (c) => ({
      Authorization: bearerToken(c.req.header('Authorization')),
      'x-api-key': c.req.header('x-api-key'),
      'x-goog-api-key': c.req.header('x-goog-api-key'),
      'the parameter key': c.req.query('key'),
    }),
    ADVISED[dialect],
  )
}

/** The advice in the error for a missing API key: the places where the SDK of a dialect sends the key. */
const ADVISED: Readonly<Record<Dialect, string>> = {
  openai: 'Authorization: Bearer KEY',
  anthropic: 'x-api-key: KEY or as Authorization: Bearer KEY',
  google: 'x-goog-api-key: KEY or in the query as ?key=KEY',
}

async function dispatch(c: Context<AppEnv>, dialect: Dialect): Promise<Response> {
  const refused = refuseScope(c, 'gateway:use')
  if (refused) return refused
  const url = new URL(c.req.url)
  const [version = '', ...segments] = url.pathname.slice(`/gateway/${dialect}/`.length).split('/')
  const path = segments.join('/')
  const decoded = decodedPath(path)
  if (decoded === undefined) return invalidRequest(c, BAD_PATH, [{ path: '/model', message: BAD_NAME }])
  const known = (method: string) =>
    VERSIONS[dialect].includes(version) ? endpointOf(dialect, method, decoded) : undefined
  const endpoint = known(c.req.method)
  if (!endpoint) return METHODS.some(known) ? wrongMethod(c, METHODS.filter(known)) : notFound(c)
  const parameter = refusedParameter(dialect, url.search)
  if (parameter !== undefined) return wrongParameter(c, dialect, parameter.slice(0, MAX_NAME_CHARS))
  const target: Target = { dialect, version, path, query: url.search }
  if (endpoint.kind === 'free') return freeCall(c, target)
  const read = readMeterHeaders((name) => c.req.header(name))
  if (read.kind === 'invalid') {
    const { errors } = read
    const detail = errors.map(({ path, message }) => `The header ${path.slice(1)} ${message}.`).join(' ')
    return invalidRequest(c, detail, errors)
  }
  return meteredCall(c, target, endpoint, read.meter)
}

const BAD_NAME =
  'must have a valid percent-encoding, and must not contain %, ?, #, ; or control characters when it is decoded'
const BAD_PATH = `The path is invalid: a name in it ${BAD_NAME}.`

const METHODS = ['GET', 'POST'] as const

function wrongMethod(c: Context<AppEnv>, methods: readonly string[]): Response {
  const Allow = methods.join(', ')
  const detail = `This path does not support the method of the request. Use ${Allow}.`
  return problem(c, { code: 'method_not_allowed', detail, headers: { Allow } })
}

/** The maximum number of characters of a parameter's name in an error. */
const MAX_NAME_CHARS = 64

function wrongParameter(c: Context<AppEnv>, dialect: Dialect, name: string): Response {
  const reason =
    dialect === 'google'
      ? 'It supports alt=json, alt=sse, filter, key, pageSize, pageToken, prettyPrint and quotaUser'
      : 'On hosts of Google, it could hide the usage of the call or replace the provider key'
  const detail = `The gateway does not support the query parameter ${name} with this value. ${reason}.`
  return invalidRequest(c, detail, [{ path: `/${name}`, message: 'is not supported with this value' }])
}

/** Relays a call that costs nothing, without a hold. */
async function freeCall(c: Context<AppEnv>, target: Target): Promise<Response> {
  const { dialect } = target
  const upstream = await resolveUpstream(
    c,
    upstreamQuery(dialect, (name) => c.req.header(name)),
  )
  if (!upstream.ok) return problem(c, upstream.problem)
  const url = upstreamUrl(upstream.baseUrl, target)
  const { headers_timeout_ms } = configOf(c.env).gateway
  try {
    const response = await fetch(url, {
      method: c.req.method,
      headers: upstreamHeaders(dialect, url, upstream.key, c.req.raw.headers),
      body: c.req.raw.body,
      redirect: 'manual',
      signal: AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(headers_timeout_ms)]),
    })
    if (!isReadable(response.headers)) {
      response.body?.cancel().catch(() => {})
      return problem(c, UNREADABLE)
    }
    return new Response(response.body, {
      status: response.status,
      headers: returnedHeaders(response.headers),
    })
  } catch {
    const detail = 'The provider could not be reached, or did not respond in time. Nothing is charged.'
    return problem(c, { code: 'provider_unreachable', detail })
  }
}
