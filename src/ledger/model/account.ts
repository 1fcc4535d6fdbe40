import type { CustomerStatus, Mode, Tier } from '../../db/schema.ts'

/** The ledger's copy of the customer's account: decides which requests it admits, and how many. */
export interface Account {
  readonly tier: Tier
  readonly status: CustomerStatus
  /** The revision of D1's row: rises with every change of tier or status. */
  readonly revision: number
}

/**
 * The kind of a request: a read, a change for the customer, or the operator's own work on accepted requests, such as
 * rating an event whose price is now known. A suspended or closed customer is refused only `write`.
 */
export type Access = 'read' | 'write' | 'upkeep'

/** The ledger's count of a caller's requests, this one included. */
export interface RateCount {
  /** Is false if this request exceeds the limit. */
  readonly allowed: boolean
  /** Requests a minute. */
  readonly limit: number
  /** The remaining requests of this minute, 0 or more. */
  readonly remaining: number
  /** Whole seconds until the next minute, 1 to 60 while the clock is right. */
  readonly resets_in_s: number
}

/**
 * The client on whose behalf a call is made, and its address for the audit log. The object refuses a revoked
 * key even if the caches in front of it still admit it.
 */
export interface Caller {
  readonly key_id: string
  readonly ip?: string
  readonly request_id?: string
  /** The mode of the key. The live ledger holds what live and test keys share, and counts the requests of the two separately. */
  readonly mode?: Mode
  /**
   * The id of the portal token that the key made for an end user's page. Such requests have a count of their own, and
   * none is admitted for a suspended customer.
   */
  readonly portal_token?: string
  /**
   * The ledgers that have counted this request, so that no ledger counts it twice over several calls. Absent
   * if the service itself calls: its calls are not counted.
   */
  readonly counted_by?: readonly string[]
  /** Receives a ledger's count on the Worker's side. A function is not part of the JSON. */
  readonly onCounted?: (ledger: string, rate: RateCount) => void
}
