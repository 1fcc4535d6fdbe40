import type { Access, Account } from '../model/account.ts'
import { parseStored } from '../model/json.ts'
import type { MetaTable } from '../tables.ts'

const KEY = 'account'

/** For a ledger that was opened before accounts existed; the next change of its customer sets it. */
const UNKNOWN: Account = { tier: 'STARTER', status: 'ACTIVE', revision: 0 }

/**
 * The customer's account. D1 is its master and pushes it here. Pushes may arrive twice, late, or in any order, so only a
 * newer revision is taken. Writes 1 row for each.
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

  /** Whether a request of this kind is admitted. */
  admits(access: Access): boolean {
    return access !== 'write' || this.known.status === 'ACTIVE'
  }
}
