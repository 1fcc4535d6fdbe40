import { createMiddleware } from 'hono/factory'
import { configOf } from '../../config.ts'
import type { AppEnv } from '../env.ts'

/**
 * What every answer says unless its route said otherwise (`/docs` is a page and needs another policy). Answers hold
 * balances and, once, a key: nobody keeps them, nobody guesses their type, no page frames or embeds them, and should a
 * browser ever show one, it runs nothing.
 */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
]

/** A year. Without `includeSubDomains`: what else runs under the name is not ours to decide. */
const HSTS = 'max-age=31536000'

export const responseHeaders = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  const { headers } = c.res
  for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value)
  // A laptop serves http, and its browser would refuse localhost for a year.
  if (configOf(c.env).environment !== 'development') headers.set('Strict-Transport-Security', HSTS)
})
