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

export type { AuthenticatedKey }
