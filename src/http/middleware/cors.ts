import type { MiddlewareHandler } from 'hono'
import { cors as honoCors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { type Config, configOf } from '../../config.ts'
import type { AppEnv } from '../env.ts'

/** Chrome remembers a preflight for no longer than this. */
const PREFLIGHT_MAX_AGE_S = 7_200

const SHARED = {
  allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowHeaders: ['Authorization', 'X-API-Key', 'Content-Type', 'Idempotency-Key', 'X-Request-Id'],
  exposeHeaders: ['X-Request-Id', 'Idempotency-Replayed', 'RateLimit', 'RateLimit-Policy', 'Retry-After'],
  maxAge: PREFLIGHT_MAX_AGE_S,
  // The API knows no cookies: a page can only send a key that it has.
  credentials: false,
}

const handlers = new WeakMap<Config, MiddlewareHandler<AppEnv>>()

/**
 * Cross-origin requests from browsers, for the origins of `CORS_ORIGINS`; off when there is none. A preflight carries no
 * key, so it is answered here, before anybody asks for one. An origin that is not listed gets the same answers without
 * the header that would let its page read them.
 */
export const cors = createMiddleware<AppEnv>(async (c, next) => {
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
