import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { AuthenticatedKey } from '../api-keys/record.ts'
import type { Bindings } from '../bindings.ts'
import type { Caller, RateCount } from '../ledger/model/account.ts'
import type { WalletOwner } from '../ledger/model/vocabulary.ts'
import type { PriceBook } from '../pricing/cost/price-book.ts'
import type { ProblemCode } from './output/problem-codes.ts'

/** The wallet, the origins and the credit packs that a portal token is limited to. */
export interface PortalRights {
  /** The owner of the wallet: a user or a team, never the customer itself. */
  readonly owner: Exclude<WalletOwner, { readonly kind: 'customer' }>
  /** The origins of the web pages that are allowed to use the token. */
  readonly origins: readonly string[]
  /** The credit packs that the token is allowed to buy, in display order; absent if it is allowed to buy none. */
  readonly credit_pack_ids?: readonly string[]
}

export interface PortalAccess extends PortalRights {
  /** The id of the portal token. The ledger limits the request rate of each token by this id. */
  readonly token_id: string
}

/**
 * The types of Hono's context in every handler. `key` is set on every route that authenticates its requests
 * (`authenticateBy`).
 */
export type AppEnv = {
  Bindings: Bindings
  Variables: {
    request_id: string
    key: AuthenticatedKey
    /** The portal token of the request; undefined if the request has an API key. */
    portal: PortalAccess | undefined
    /** The email address of the operator; undefined if the operator did not sign in with Cloudflare Access. */
    operator_email: string | undefined
    /** The caller that is passed to ledger objects; undefined before the first call of a ledger object. */
    caller: Caller | undefined
    /**
     * The tightest rate count that a ledger object returned; undefined until a ledger object has counted the request.
     */
    rate: RateCount | undefined
    /**
     * Whether the client's IP address can still send requests without a valid key; undefined before the first check.
     */
    stranger_admitted: Promise<boolean> | undefined
    /** The customer's prices, set on every route that has the middleware `currentPrices`. */
    prices: PriceBook
    /** The value of the header `Idempotency-Key`, if a POST has a valid one. */
    idempotency_key: string | undefined
    /** The problem code of the response; undefined if the response is not a problem. */
    problem_code: ProblemCode | undefined
    /** The number of rejected events by code; set only for a new batch and for the items of a drop-in request. */
    rejected_events: ReadonlyMap<string, number> | undefined
    /** The route name that `routeOf` returns instead of the path pattern; set only for calls through the gateway. */
    route: string | undefined
    /** The number of accepted events of an ingest request; undefined for a repeated batch and for other requests. */
    accepted_events: number | undefined
    /**
     * True if the request has no body. A route that requires a body then reports only the missing body, and not each
     * missing field.
     */
    body_is_empty: boolean
    /** The decoded body of a POST, PUT or PATCH on a route with the middleware `rawBody`; otherwise undefined. */
    body_bytes: Uint8Array | undefined
  }
}

/**
 * Returns middleware that returns the refusal of a check, and otherwise passes the request on. It is not an async
 * function, because a request passes several checks, and each async function takes about 2 us of CPU time.
 */
export function guard(check: (c: Context<AppEnv>) => Response | undefined): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    const refusal = check(c)
    return refusal ? Promise.resolve(refusal) : next()
  }
}

/**
 * Returns the variable `route` if it is set, and otherwise the path pattern of the request's route. Neither contains
 * ids. Returns `unmatched` if no route matches. Ignores matches with the method `ALL`, because they are middleware.
 */
export function routeOf(c: Context): string {
  const named: unknown = c.get('route')
  if (typeof named === 'string') return named
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'unmatched'
}

// An IPv6 address in text form has at most 45 characters.
const IP = /^[0-9A-Fa-f.:]{2,45}$/

/**
 * Returns the client's IP address; undefined if it is unknown. Reads only the header that Cloudflare sets, because a
 * client can forge all other headers.
 */
export function clientIp(c: Context): string | undefined {
  const ip = c.req.header('CF-Connecting-IP')
  return ip !== undefined && IP.test(ip) ? ip : undefined
}
