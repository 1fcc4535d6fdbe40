import type { OpenAPIHono } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { problem } from '../output/problem.ts'

/**
 * Answers a wrong method on a known path of `app` with 405, and `OPTIONS` with 204; both name the methods in `Allow`.
 * Paths and methods are public (they are in the OpenAPI document), so this comes before authentication.
 */
export function allowedMethods(app: OpenAPIHono<AppEnv>): MiddlewareHandler<AppEnv> {
  let paths: Paths | undefined
  return createMiddleware<AppEnv>(async (c, next) => {
    paths ??= pathsOf(app)
    const { method } = c.req
    const methods = methodsOf(paths, c.req.path)
    if (!methods || methods.has(method)) return next()
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
  /** Undefined for a parameter. */
  readonly segments: readonly (string | undefined)[]
  readonly methods: Set<string>
}

/** By number of segments; the most specific first, so that `/v1/events/ingest` is not an id of `/v1/events/{id}`. */
type Paths = ReadonlyMap<number, readonly Path[]>

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
  const sorted = [...known.values()].toSorted((a, b) => parameters(a) - parameters(b))
  return Map.groupBy(sorted, ({ segments }) => segments.length)
}

function methodsOf(paths: Paths, path: string): ReadonlySet<string> | undefined {
  const given = path.split('/')
  const found = paths
    .get(given.length)
    ?.find(({ segments }) =>
      segments.every((segment, i) => (segment === undefined ? given[i] !== '' : segment === given[i])),
    )
  return found?.methods
}
