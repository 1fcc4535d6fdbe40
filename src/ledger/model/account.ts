import type { CustomerStatus, Mode, Tier } from '../../db/schema.ts'

/** The ledger's copy of the customer's account. It decides which requests the ledger admits, and how many. */
export interface Account {
  readonly tier: Tier
  readonly status: CustomerStatus
  /**
   * The revision of the account's row in D1. It increases with every change of the tier or status, except the change
   * from PENDING to ACTIVE.
   */
  readonly revision: number
}

/**
 * The kind of a request: `read`, `write` (a change for the customer), or `upkeep` (the operator's own work on accepted
 * requests, for example rating an event whose price was added later). If the customer is suspended or closed, requests
 * of the kind `write` and all requests with a portal token are refused.
 */
export type Access = 'read' | 'write' | 'upkeep'

/** The ledger's count of a caller's requests, including this request. */
export interface RateCount {
  /** Whether the request is within the limit. */
  readonly allowed: boolean
  /** The maximum number of requests a minute. */
  readonly limit: number
  /** The number of remaining requests in this minute, 0 or more. */
  readonly remaining: number
  /** The number of whole seconds until the next minute: 1 to 60, or more if the clock is set back. */
  readonly resets_in_s: number
}

/**
 * The client on whose behalf a call is made, with the IP address and the request id for the audit log. The object
 * refuses a revoked key even if the Worker's caches still accept it.
 */
export interface Caller {
  readonly key_id: string
  readonly ip?: string
  readonly request_id?: string
  /**
   * The mode of the API key. The live ledger stores the data that live and test keys share, and counts the requests of
   * the two modes separately.
   */
  readonly mode?: Mode
  /**
   * The id of the portal token, if the request comes from an end user's page. Requests with a portal token are
   * counted separately, and all of them are refused for a suspended or closed customer.
   */
  readonly portal_token?: string
  /**
   * The ledgers that have already counted this request. If a request makes several calls, each ledger counts the
   * request only once. Absent for the service's own calls, which are not counted.
   */
  readonly counted_by?: readonly string[]
  /** Receives a ledger's count in the Worker. It is not sent to the object, because JSON omits functions. */
  readonly onCounted?: (ledger: string, rate: RateCount) => void
}
