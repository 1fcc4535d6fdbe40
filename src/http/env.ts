import type { Bindings } from '../config.ts'
import type { AuthenticatedKey } from '../customers/key-record.ts'
import type { PriceBook } from '../pricing/price-book.ts'

/** What every handler finds on its context. `key` is there on every route that `authenticate` stands before. */
export type AppEnv = {
  Bindings: Bindings
  Variables: {
    request_id: string
    key: AuthenticatedKey
    /** The customer's prices, on every route that `currentPrices` stands before. */
    prices: PriceBook
    /** The `Idempotency-Key` header of a POST, checked; undefined when there is none. */
    idempotency_key: string | undefined
    /** The request came without a body: a route that needs one says so instead of listing its missing fields. */
    body_is_empty: boolean
  }
}

export type { AuthenticatedKey }
