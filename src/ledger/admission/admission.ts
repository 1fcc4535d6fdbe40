import type { Config } from '../../config.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import type { Mode } from '../../db/schema.ts'
import type { Identity, LedgerStore } from '../commit/store.ts'
import type { Access, Caller, RateCount } from '../model/account.ts'
import { type Refused, refused, UNAVAILABLE } from '../model/refusal.ts'
import { RateLimiter } from './rate-limit.ts'

export interface Admitted {
  /** The count of the caller's requests, if this one was counted. */
  readonly rate?: RateCount
  readonly refusal?: Refused
}

/**
 * Decides which requests a ledger object takes. Refuses revoked keys, more requests than the customer's tier allows,
 * writes of a customer that is suspended or closed, and requests to an unopened ledger, whatever the caches in front of
 * the object still say.
 */
export class Admission {
  private readonly store: LedgerStore
  private readonly config: () => Config
  /** Requests of this minute. */
  private readonly rates: Readonly<Record<Mode, RateLimiter>> = {
    live: new RateLimiter(),
    test: new RateLimiter(),
  }

  constructor(store: LedgerStore, config: () => Config) {
    this.store = store
    this.config = config
  }

  /** A revoked key's requests are not counted, so that a stolen key cannot use up its customer's minute. */
  admit(caller: Caller, access: Access): Admitted {
    const { identity, account } = this.store
    if (!identity) return { refusal: UNAVAILABLE }
    const now_ms = Date.now()
    if (this.store.isRevoked(caller.key_id, now_ms)) return { refusal: refused({ code: 'revoked_api_key' }) }
    const rate = this.countRequest(caller, identity, now_ms)
    if (rate?.allowed === false) {
      const { limit, resets_in_s } = rate
      return { rate, refusal: refused({ code: 'rate_limited', limit, retry_after_s: resets_in_s }) }
    }
    const admitted = rate ? { rate } : {}
    return account.admits(access)
      ? admitted
      : { ...admitted, refusal: refused({ code: 'customer_suspended' }) }
  }

  /** Undefined for what is not counted, or was counted before. */
  private countRequest(
    { mode = 'live', counted_by }: Caller,
    identity: Identity,
    now_ms: number,
  ): RateCount | undefined {
    if (!counted_by || counted_by.includes(ledgerKey(identity))) return undefined
    const { requests_a_minute } = this.config().limits[this.store.account.current.tier]
    return this.rates[mode].count(requests_a_minute, now_ms)
  }
}
