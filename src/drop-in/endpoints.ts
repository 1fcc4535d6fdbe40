import { createMiddleware } from 'hono/factory'
import { configOf, type DropInEndpoint } from '../config.ts'
import type { AppEnv } from '../http/env.ts'
import { notFound } from '../http/output/problem.ts'

export type Endpoint = DropInEndpoint

/** Answers 404 where the deployment has switched the endpoint off. */
export function whenEnabled(endpoint: Endpoint) {
  return createMiddleware<AppEnv>(async (c, next) => {
    return configOf(c.env).drop_in.includes(endpoint) ? next() : notFound(c)
  })
}
