import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Scope } from '../api-keys/authentication/scopes.ts'
import type { AuthenticatedKey } from '../api-keys/record.ts'
import { callerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { InexactNumber } from '../http/input/exact-json.ts'
import { createRouter } from '../http/route.ts'

/** A request to a route of this API, translated from a request to a drop-in route. */
export interface OwnRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body?: object
  readonly idempotency_key?: string | undefined
  /**
   * A scope that the called route requires and that the API key does not need. The drop-in route has already checked
   * the scope that it requires itself.
   */
  readonly granted?: Scope
}

/**
 * Runs a request to this API within the current request. The inner request has the same API key, caller and request id
 * as the current request. The ledger therefore counts both as one request.
 */
export type Dispatch = (c: Context<AppEnv>, request: OwnRequest) => Promise<Response>

interface Outer {
  readonly context: Context<AppEnv>
  readonly key: AuthenticatedKey | undefined
}

/** Creates a function that runs inner requests. `mount` adds the routes of the API to the router of inner requests. */
export function createDispatch(mount: (app: OpenAPIHono<AppEnv>) => void): Dispatch {
  const outers = new WeakMap<Request, Outer>()
  const app = createRouter()
  app.use(async (c, next) => {
    const outer = outers.get(c.req.raw)
    if (!outer) throw new Error('an inner request has no outer request')
    const { context, key } = outer
    c.set('request_id', context.get('request_id'))
    c.set('stranger_admitted', context.get('stranger_admitted'))
    if (key) {
      c.set('key', key)
      c.set('caller', callerOf(context))
    }
    await next()
    const rate = c.get('rate')
    if (rate) context.set('rate', rate)
    context.set('problem_code', c.get('problem_code'))
  })
  mount(app)
  return (context, request) => {
    const inner = innerRequest(context, request)
    outers.set(inner, { context, key: keyOf(context, request.granted) })
    return Promise.resolve(app.fetch(inner, context.env, context.executionCtx))
  }
}

function keyOf(c: Context<AppEnv>, granted: Scope | undefined): AuthenticatedKey | undefined {
  const key: AuthenticatedKey | undefined = c.get('key')
  if (!key || granted === undefined || key.scopes.includes(granted)) return key
  return { ...key, scopes: [...key.scopes, granted] }
}

function innerRequest(
  c: Context<AppEnv>,
  { method, path, query, body, idempotency_key }: OwnRequest,
): Request {
  const url = new URL(path, c.req.url)
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of [value ?? []].flat()) url.searchParams.append(name, item)
  }
  const headers = new Headers()
  for (const name of ['Authorization', 'CF-Connecting-IP']) {
    const value = c.req.header(name)
    if (value !== undefined) headers.set(name, value)
  }
  if (idempotency_key !== undefined) headers.set('Idempotency-Key', idempotency_key)
  if (body === undefined) return new Request(url, { method, headers })
  headers.set('Content-Type', 'application/json')
  return new Request(url, { method, headers, body: JSON.stringify(body, exactly) })
}

/**
 * Replaces numbers in `JSON.stringify`: a number that a double cannot represent is written with its original digits.
 */
function exactly(_: string, value: unknown): unknown {
  return value instanceof InexactNumber ? JSON.rawJSON(value.source) : value
}
