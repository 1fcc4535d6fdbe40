import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { AuthenticatedKey } from '../api-keys/record.ts'
import type { Bindings } from '../bindings.ts'
import type { Caller, RateCount } from '../ledger/model/account.ts'
import type { PriceBook } from '../pricing/cost/price-book.ts'
import type { ProblemCode } from './output/problem-codes.ts'

/** What every handler finds on its context. `key` is there on every route that `authenticate` stands before. */
export type AppEnv = {
  Bindings: Bindings
  Variables: {
    request_id: string
    key: AuthenticatedKey
    /** Who asks the ledger objects, once one was asked. */
    caller: Caller | undefined
    /** What the ledger objects have counted of this customer's requests, once one has counted this one. */
    rate: RateCount | undefined
    /** Whether its address may send one more request without a valid key, once that was asked. */
    stranger_admitted: Promise<boolean> | undefined
    /** The customer's prices, on every route that `currentPrices` stands before. */
    prices: PriceBook
    /** The `Idempotency-Key` header of a POST, checked; undefined when there is none. */
    idempotency_key: string | undefined
    /** The code of the problem that it was answered with; undefined while there is none. */
    problem_code: ProblemCode | undefined
    /** How often events of a batch that was answered 200 were rejected, by code. */
    rejected_events: ReadonlyMap<string, number> | undefined
    /** The request came without a body: a route that needs one says so instead of listing its missing fields. */
    body_is_empty: boolean
  }
}

/** The pattern of a request's route, which has no ids in it; `unmatched` when there is none. What matched for ALL is middleware. */
export function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'unmatched'
}

// An IPv6 address takes 45 characters at most.
const IP = /^[0-9A-Fa-f.:]{2,45}$/

/** The address that a request came from. Cloudflare sets the header itself; elsewhere anybody can, or nobody does. */
export function clientIp(c: Context): string | undefined {
  const ip = c.req.header('CF-Connecting-IP')
  return ip !== undefined && IP.test(ip) ? ip : undefined
}
