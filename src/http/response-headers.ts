import { createMiddleware } from 'hono/factory'
import type { AppEnv } from './env.ts'

/** Answers hold balances and, once, a key: nobody keeps them, and nobody guesses their type. */
export const responseHeaders = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  c.res.headers.set('Cache-Control', 'no-store')
  c.res.headers.set('X-Content-Type-Options', 'nosniff')
})
