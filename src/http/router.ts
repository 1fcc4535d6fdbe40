import { OpenAPIHono } from '@hono/zod-openapi'
import type { AppEnv } from './env.ts'
import { validationHook } from './input/validation.ts'

/** A resource's router: routes declared with `createRoute` are validated and documented by the same schemas. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
}
