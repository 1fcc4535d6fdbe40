import { type Context, Hono } from 'hono'
import { authenticateBy, bearerToken, refuseScope } from '../api-keys/authentication/authenticate.ts'
import { configOf } from '../config.ts'
import type { AppEnv } from '../http/env.ts'
import { invalidRequest, notFound, problem } from '../http/output/problem.ts'
import type { Dialect } from '../provider-keys/providers.ts'
import { resolveUpstream } from '../provider-keys/upstream.ts'
import { currentPrices } from '../rating/current-prices.ts'
import { meteredCall } from './call.ts'
import { endpointOf, type Target, VERSIONS } from './dialect.ts'
import { shapedErrors } from './errors.ts'
import { readMeterHeaders } from './request/headers.ts'
import { returnedHeaders, upstreamHeaders, upstreamQuery, upstreamUrl } from './upstream.ts'

/**
 * Returns the routes of the gateway. They relay calls to the providers' own APIs. Each metered call has a hold and a
 * charge; free calls, such as counting tokens, have neither. The routes are not in the OpenAPI document.
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

/** Accepts our API key in every place where the SDK of a provider sends its key. */
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

/** The place to which the SDK of a dialect writes its key. */
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
  const known = (method: string) =>
    VERSIONS[dialect].includes(version) ? endpointOf(dialect, method, path) : undefined
  const endpoint = known(c.req.method)
  if (!endpoint) return METHODS.some(known) ? wrongMethod(c, METHODS.filter(known)) : notFound(c)
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

const METHODS = ['GET', 'POST'] as const

function wrongMethod(c: Context<AppEnv>, methods: readonly string[]): Response {
  const Allow = methods.join(', ')
  const detail = `This path does not support the method of the request. Use ${Allow}.`
  return problem(c, { code: 'method_not_allowed', detail, headers: { Allow } })
}

/** Relays a call that costs nothing. */
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
    return new Response(response.body, {
      status: response.status,
      headers: returnedHeaders(response.headers),
    })
  } catch {
    return problem(c, { code: 'provider_unreachable', detail: 'The provider could not be reached.' })
  }
}
