import type { Access, Account } from '../model/account.ts'
import type { MetaTable } from '../tables.ts'

const KEY = 'account'

/** Of a ledger that was opened before accounts came; the next change of its customer gives it one. */
const UNKNOWN: Account = { tier: 'STARTER', status: 'ACTIVE', revision: 0 }

/**
 * The customer's account, as the operator last changed it. D1 is its master and pushes it here; pushes may come twice,
 * late, or in any order, so only a newer revision is taken. 1 row written for each that is.
 */
export class AccountRow {
  private readonly meta: MetaTable
  private known: Account = UNKNOWN

  constructor(meta: MetaTable) {
    this.meta = meta
  }

  load(): void {
    const stored = this.meta.get(KEY)
    this.known = stored === null ? UNKNOWN : JSON.parse(stored)
  }

  get current(): Account {
    return this.known
  }

  take(account: Account): void {
    if (account.revision <= this.known.revision) return
    this.meta.set(KEY, JSON.stringify(account))
    this.known = account
  }

  /** Whether a request of this kind is admitted. */
  admits(access: Access): boolean {
    return access !== 'write' || this.known.status === 'ACTIVE'
  }
}
