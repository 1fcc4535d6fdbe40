import type { MiddlewareHandler } from 'hono'
import { cors as honoCors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { type Config, configOf } from '../../config.ts'
import type { AppEnv } from '../env.ts'

/** Chrome caches a preflight for at most this long. */
const PREFLIGHT_MAX_AGE_S = 7_200

const SHARED = {
  allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowHeaders: ['Authorization', 'X-API-Key', 'Content-Type', 'Idempotency-Key', 'X-Request-Id'],
  exposeHeaders: [
    'X-Request-Id',
    'X-Next-Cursor',
    'Idempotency-Replayed',
    'RateLimit',
    'RateLimit-Policy',
    'Retry-After',
  ],
  maxAge: PREFLIGHT_MAX_AGE_S,
  // The API uses no cookies: a page can only send a key that it has.
  credentials: false,
}

const handlers = new WeakMap<Config, MiddlewareHandler<AppEnv>>()

/**
 * Answers cross-origin requests from browsers, for the origins in `CORS_ORIGINS`; off if there are none. A preflight
 * carries no key, so it is answered before authentication. Other origins get the same responses without the header
 * that lets their page read them.
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
