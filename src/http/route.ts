import { createRoute, OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import type { H, RouterRoute } from 'hono/types'
import { invalid } from '../ledger/model/refusal.ts'
import { type AppEnv, guard } from './env.ts'
import { unprintableFields } from './input/identifiers.ts'
import { jsonPointer, validationHook } from './input/validation.ts'
import { nullsRemoved } from './middleware/body.ts'
import { refusalResponse } from './output/problem.ts'
import { PROBLEMS, type ProblemCode } from './output/problem-codes.ts'
import { problemResponse } from './output/problem-schemas.ts'
import { RememberingRouter } from './remembering-router.ts'

/**
 * Creates a router for the routes of a resource. The schema of a route both validates its requests and documents them
 * in the OpenAPI document.
 */
export function createRouter(): OpenAPIHono<AppEnv> {
  // The inner routers are the default routers of Hono.
  const router = new SmartRouter<[H, RouterRoute]>({ routers: [new RegExpRouter(), new TrieRouter()] })
  return new OpenAPIHono<AppEnv>({ defaultHook: validationHook, router: new RememberingRouter(router) })
}

type Responses = RouteConfig['responses']

interface Outcomes {
  /** The OpenAPI responses for successful requests, by status. */
  readonly answers: Responses
  /**
   * The codes of the problems that the handler of the route can return. `openapi/shared.ts` adds the codes of the
   * problems that middleware can return, for example about the API key, its scope, the body or an invalid field.
   */
  readonly problems?: readonly ProblemCode[]
}

type Declaration<P extends string> = Omit<RouteConfig, 'path' | 'responses'> & { readonly path: P }

/**
 * Declares a route. Its handler returns a `Response` whose body has no TypeScript type, because no type describes the
 * exact numbers in it (`jsonResponse`). In a JSON body of a request, a null in an optional field means "absent", unless
 * the schema of the field accepts null (`nullsRemoved`).
 */
export function route<P extends string, R extends Declaration<P>>(
  declaration: R & { readonly path: P } & Outcomes,
): ReturnType<typeof createRoute<P, R & { readonly path: P; readonly responses: Responses }>>
export function route({ answers, problems = [], ...declaration }: Declaration<string> & Outcomes) {
  const media = declaration.request?.body?.content['application/json']
  const body = media && 'schema' in media ? media.schema : undefined
  const middleware = [
    declaration.middleware ?? [],
    parametersChecked(declaration.request),
    body instanceof z.ZodType ? nullsRemoved(body) : [],
  ].flat()
  const responses = { ...answers, ...problemsByStatus(problems) }
  return createRoute({ ...declaration, middleware, responses })
}

/**
 * Returns middleware that checks the path and query parameters of a route. It refuses control characters, because
 * problem documents quote ids. For paths that begin with `/v1/`, it also refuses unknown query parameters, unless the
 * query schema is loose. The drop-in endpoints have other paths and accept unknown parameters.
 */
function parametersChecked(request: RouteConfig['request']): MiddlewareHandler<AppEnv> {
  const names = new Set(request?.query instanceof z.ZodObject ? Object.keys(request.query.shape) : [])
  const is_loose = request?.query instanceof z.ZodObject && request.query.def.catchall instanceof z.ZodUnknown
  return guard((c) => {
    const in_path = request?.params ? unprintableFields(c.req.param()) : []
    if (in_path.length > 0) return refusalResponse(c, invalid(in_path, 'path'))
    if (!c.req.url.includes('?')) return undefined
    const query = c.req.queries()
    const in_query = request?.query ? unprintableFields(query) : []
    if (in_query.length > 0) return refusalResponse(c, invalid(in_query, 'query'))
    if (is_loose || !c.req.path.startsWith('/v1/')) return undefined
    const unknown = Object.keys(query).filter((name) => !names.has(name))
    if (unknown.length === 0) return undefined
    const errors = unknown.map((name) => ({ path: jsonPointer([name]), message: 'unknown parameter' }))
    return refusalResponse(c, invalid(errors, 'query'))
  })
}

/** Groups problem codes by status, and returns an OpenAPI response for each status. */
export function problemsByStatus(
  codes: Iterable<ProblemCode>,
): Record<string, ReturnType<typeof problemResponse>> {
  const by_status = Map.groupBy(new Set(codes), (code) => PROBLEMS[code].status)
  return Object.fromEntries([...by_status].map(([status, shared]) => [status, problemResponse(shared)]))
}

/** Returns the OpenAPI response for a JSON body. */
export function json(description: string, schema: z.ZodType): Responses[number] {
  return { description, content: { 'application/json': { schema } } }
}

/** Returns the OpenAPI declaration of a required JSON body. */
export function jsonRequest<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } } as const
}

/** Returns the OpenAPI declaration of an optional JSON body. */
export function optionalJsonRequest<T extends z.ZodType>(schema: T) {
  return { required: false, content: { 'application/json': { schema } } } as const
}

/**
 * The security schemes of the OpenAPI document. If a route lists several schemes, a request must satisfy one of them.
 */
export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description:
      "A customer's API key, `om_live_…` or `om_test_…`. Its scopes limit the routes that it can use. The scope that a route requires is in `x-required-scope`.",
  },
  apiKeyHeader: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description:
      'The same API key in the header `X-API-Key`. A request with different keys in `Authorization` and `X-API-Key` is refused (401).',
  },
  portalToken: {
    type: 'http',
    scheme: 'bearer',
    description:
      'A portal token, `om_portal_…`, from `POST /v1/portal-tokens`. With this token, a page can show one wallet to its end user and sell credit packs for the wallet.',
  },
  operator: {
    type: 'http',
    scheme: 'bearer',
    description:
      "The operator token: the Worker's secret `OPERATOR_TOKEN` or, during a rotation, `OPERATOR_TOKEN_NEXT`.",
  },
} as const

/** The security schemes of a route. The arrays are mutable, because the OpenAPI type requires mutable arrays. */
type Security = Partial<Record<keyof typeof SECURITY_SCHEMES, string[]>>[]

export const CUSTOMER_SECURITY: Security = [{ apiKey: [] }, { apiKeyHeader: [] }]
export const OPERATOR_SECURITY: Security = [{ operator: [] }]
/**
 * The security schemes of a route with optional authentication. The only credential that the route accepts is the
 * operator token.
 */
export const OPEN_OR_OPERATOR: Security = [{}, { operator: [] }]
export const OPEN: Security = []
