import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'

/** The pattern of a request's route, which has no ids in it; `unmatched` when there is none. What matched for ALL is middleware. */
export function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'unmatched'
}
