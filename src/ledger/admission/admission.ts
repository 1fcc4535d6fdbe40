import type { Config } from '../../config.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import type { Mode } from '../../db/schema.ts'
import type { Access, Account, Caller, RateCount } from '../model/account.ts'
import { parseStored } from '../model/json.ts'
import { type Refused, refused, UNAVAILABLE } from '../model/refusal.ts'
import type { LedgerName } from '../model/vocabulary.ts'
import type { MetaTable } from '../tables.ts'
import { PortalRateLimiter, RateLimiter } from './rate-limit.ts'

/** The stored state that decides whether a request is admitted. */
export interface AdmissionState {
  /** The name of the ledger; null until the ledger is opened. */
  readonly identity: LedgerName | null
  readonly account: AccountRow
  isRevoked(key_id: string, now_ms: number): boolean
}

export interface Admitted {
  /** The count of the caller's requests; absent if this request was not counted. */
  readonly rate?: RateCount
  readonly refusal?: Refused
}

/**
 * Decides which requests a ledger object accepts. Refuses requests to an unopened ledger, requests with a revoked key,
 * and requests above a rate limit. Also refuses writes and requests with portal tokens if the customer is not active.
 * The Worker's own checks use caches, which can be out of date.
 */
export class Admission {
  private readonly state: AdmissionState
  private readonly config: () => Config
  /** The counts of requests in the current minute, by mode. */
  private readonly rates: Readonly<Record<Mode, RateLimiter>> = {
    live: new RateLimiter(),
    test: new RateLimiter(),
  }
  /**
   * Counts requests with portal tokens separately, so that end users do not use up their customer's request limit.
   */
  private readonly portal = new PortalRateLimiter()

  constructor(state: AdmissionState, config: () => Config) {
    this.state = state
    this.config = config
  }

  /**
   * Decides whether a request is admitted, and counts it. Does not count requests with a revoked key, because a stolen
   * key must not use up its customer's request limit.
   */
  admit(caller: Caller, access: Access): Admitted {
    const { identity, account } = this.state
    if (!identity) return { refusal: UNAVAILABLE }
    const now_ms = Date.now()
    if (this.state.isRevoked(caller.key_id, now_ms)) return { refusal: refused({ code: 'revoked_api_key' }) }
    const rate = this.countRequest(caller, identity, now_ms)
    if (rate?.allowed === false) {
      const { limit, resets_in_s } = rate
      return { rate, refusal: refused({ code: 'rate_limited', limit, retry_after_s: resets_in_s }) }
    }
    const admitted = rate ? { rate } : {}
    // With a portal token, a read needs an active customer too, so it is checked like a write.
    return account.admits(caller.portal_token === undefined ? access : 'write')
      ? admitted
      : { ...admitted, refusal: refused({ code: 'customer_suspended' }) }
  }

  /**
   * Counts a request and returns the count. Returns undefined if this ledger must not count the request, or has already
   * counted it.
   */
  private countRequest(
    { mode = 'live', counted_by, portal_token }: Caller,
    identity: LedgerName,
    now_ms: number,
  ): RateCount | undefined {
    if (!counted_by || counted_by.includes(ledgerKey(identity))) return undefined
    const { requests_a_minute } = this.config().limits[this.state.account.current.tier]
    return portal_token === undefined
      ? this.rates[mode].count(requests_a_minute, now_ms)
      : this.portal.count(portal_token, requests_a_minute, now_ms)
  }
}

const KEY = 'account'

/** The account that a ledger uses until it receives its customer's account. */
const UNKNOWN: Account = { tier: 'STARTER', status: 'ACTIVE', revision: 0 }

/**
 * The customer's account. D1 is its source of truth, and the Worker sends every change to the ledger. Changes can
 * arrive twice, late or out of order, so only a newer revision is accepted. Writes 1 row for each accepted change.
 */
export class AccountRow {
  private readonly meta: MetaTable
  private known: Account = UNKNOWN

  constructor(meta: MetaTable) {
    this.meta = meta
  }

  load(): void {
    const stored = this.meta.get(KEY)
    this.known = stored === null ? UNKNOWN : parseStored(stored)
  }

  get current(): Account {
    return this.known
  }

  take(account: Account): void {
    if (account.revision <= this.known.revision) return
    this.meta.set(KEY, JSON.stringify(account))
    this.known = account
  }

  /**
   * Reports whether the customer's status permits a request with the given access. Only an active customer can write.
   */
  admits(access: Access): boolean {
    return access !== 'write' || this.known.status === 'ACTIVE'
  }
}
