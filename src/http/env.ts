import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { AuthenticatedKey } from '../api-keys/record.ts'
import type { Bindings } from '../bindings.ts'
import type { Caller, RateCount } from '../ledger/model/account.ts'
import type { WalletOwner } from '../ledger/model/vocabulary.ts'
import type { PriceBook } from '../pricing/cost/price-book.ts'
import type { ProblemCode } from './output/problem-codes.ts'

/** The rights of a portal token. */
export interface PortalRights {
  /** The owner of the wallet: a user or a team, never the customer itself. */
  readonly owner: Exclude<WalletOwner, { readonly kind: 'customer' }>
  /** The origins of the pages that may use the token. */
  readonly origins: readonly string[]
  /** The credit packs that the token may buy, in the order in which they are offered. Absent if it may buy none. */
  readonly credit_pack_ids?: readonly string[]
}

export interface PortalAccess extends PortalRights {
  /** The id of the token, for the rate limit of the ledger. */
  readonly token_id: string
}

/** The context of every handler. `key` is set on every route behind `authenticate`. */
export type AppEnv = {
  Bindings: Bindings
  Variables: {
    request_id: string
    key: AuthenticatedKey
    /** The portal token of the request; unset for an API key. */
    portal: PortalAccess | undefined
    /** The email of the operator; undefined if the session did not begin with Cloudflare Access. */
    operator_email: string | undefined
    /** The caller passed to ledger objects, set with the first call. */
    caller: Caller | undefined
    /** The rate count of the request, set after a ledger object has counted the request. */
    rate: RateCount | undefined
    /** Whether the address may send another request without a valid key, set with the first check. */
    stranger_admitted: Promise<boolean> | undefined
    /** The customer's prices, set on every route behind `currentPrices`. */
    prices: PriceBook
    /** The valid `Idempotency-Key` header of a POST. */
    idempotency_key: string | undefined
    /** The code of the problem that the request was answered with. */
    problem_code: ProblemCode | undefined
    /** The number of rejected events of a batch that was answered 200, by code. */
    rejected_events: ReadonlyMap<string, number> | undefined
    /** The route of a request whose path has no pattern in the router, for `routeOf`. */
    route: string | undefined
    /** The number of accepted events of an ingest request, also when the request is a replay. */
    accepted_events: number | undefined
    /**
     * Whether the request has no body. A route that requires a body reports the missing body instead of each missing
     * field.
     */
    body_is_empty: boolean
    /** The decoded body on routes behind `rawBody`. */
    body_bytes: Uint8Array | undefined
  }
}

/**
 * Returns the request's route pattern, without ids; `unmatched` if no route matches. Ignores matches for ALL, because
 * they are middleware.
 */
export function routeOf(c: Context): string {
  const named: unknown = c.get('route')
  if (typeof named === 'string') return named
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'unmatched'
}

// An IPv6 address has at most 45 characters.
const IP = /^[0-9A-Fa-f.:]{2,45}$/

/** Returns the client's IP address. Reads only Cloudflare's header, because a client can set all other headers. */
export function clientIp(c: Context): string | undefined {
  const ip = c.req.header('CF-Connecting-IP')
  return ip !== undefined && IP.test(ip) ? ip : undefined
}
