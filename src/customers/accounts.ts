import { forgetCachedKey } from '../api-keys/authentication/lookup.ts'
import { publishKeys } from '../api-keys/publishing.ts'
import { requireReached } from '../api-keys/revocation.ts'
import { hashesInForce } from '../api-keys/rows.ts'
import type { Bindings } from '../bindings.ts'
import { type CustomerStatus, MODES, type Tier } from '../db/schema.ts'
import { setLedgerAccount } from '../ledger/client/client.ts'

/** Reads customers, and changes their tier and status in D1, in the ledgers and in KV. */

export interface Customer {
  readonly customer_id: string
  readonly name: string
  readonly email: string
  readonly tier: Tier
  readonly status: CustomerStatus
  readonly region: string | null
  readonly created_at_ms: number
}

const COLUMNS = 'customer_id, name, email, tier, status, region, created_at_ms'

const SELECT = `SELECT ${COLUMNS} FROM customers WHERE customer_id = ?1`

export function readCustomer(env: Pick<Bindings, 'DB'>, customer_id: string): Promise<Customer | null> {
  return env.DB.prepare(SELECT).bind(customer_id).first<Customer>()
}

export interface CustomerFilter {
  readonly status?: CustomerStatus | undefined
  readonly tier?: Tier | undefined
  /** The email address. The filter ignores case. */
  readonly email?: string | undefined
}

/**
 * Lists the customers whose ids are below `before_id`, newest first. An index finds an email. No index orders the
 * customers of a status or a tier by id, because each registration would write one more row for such an index. A page
 * that filters by status or tier can therefore read many rows. Only the operator can request a page.
 */
export async function listCustomers(
  env: Pick<Bindings, 'DB'>,
  { status, tier, email }: CustomerFilter,
  page: { readonly before_id: string; readonly limit: number },
): Promise<Customer[]> {
  const conditions: [sql: string, value: string | undefined][] = [
    ['customer_id < ?', page.before_id],
    ['status = ?', status],
    ['tier = ?', tier],
    ['email_key = ?', email?.toLowerCase()],
  ]
  const given = conditions.filter(([, value]) => value !== undefined)
  const where = given.map(([sql]) => sql).join(' AND ')
  const { results } = await env.DB.prepare(
    `SELECT ${COLUMNS} FROM customers WHERE ${where} ORDER BY customer_id DESC LIMIT ?`,
  )
    .bind(...given.map(([, value]) => value), page.limit)
    .all<Customer>()
  return results
}

export interface AccountChange {
  readonly tier?: Tier | undefined
  readonly status?: Exclude<CustomerStatus, 'PENDING'> | undefined
}

export type AccountChanged =
  | { readonly kind: 'changed'; readonly customer: Customer }
  | { readonly kind: 'not_found' }
  /** The customer is PENDING: the registration is incomplete. When it completes, it sets the tier and the status. */
  | { readonly kind: 'unfinished' }

// Writes the row, and also its index entry if the tier or the status changes. Writes no row if the tier or the status
// has changed since it was read. The new revision is at least the current time, so that ledgers accept changes after D1
// has been restored to an earlier state. The revision increases even if no other column changes, so that a repeated
// change takes effect.
const CHANGE = `
  UPDATE customers SET tier = ?2, status = ?3, account_revision = max(account_revision + 1, ?6)
  WHERE customer_id = ?1 AND tier = ?4 AND status = ?5`

/** The maximum number of attempts to write a change. An attempt fails only if a concurrent change was written first. */
const ATTEMPTS = 20

/**
 * Changes a customer's tier or status in D1, then in the ledgers, then in KV. The ledgers apply the change immediately.
 * The rest of the API applies it within 90 s. Throws if D1, a ledger or KV fails, or if all attempts to write the
 * change fail. A repeated call completes the change.
 * `also` returns the statements that run directly after the change in the same batch. They must write nothing if the
 * change affected no row. `also` is not called if tier and status stay the same.
 */
export async function changeAccount(
  env: Bindings,
  customer_id: string,
  change: AccountChange,
  also: (before: Customer, after: Customer) => D1PreparedStatement[],
): Promise<AccountChanged> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await readCustomer(env, customer_id)
    if (!before) return { kind: 'not_found' }
    if (before.status === 'PENDING') return { kind: 'unfinished' }
    const after = { ...before, tier: change.tier ?? before.tier, status: change.status ?? before.status }
    const is_new = after.tier !== before.tier || after.status !== before.status
    const statements = is_new ? also(before, after) : []
    if (!(await writeChange(env, before, after, statements))) continue
    await settleAccount(env, customer_id)
    return { kind: 'changed', customer: after }
  }
  throw new Error('the customer was changed concurrently during each attempt')
}

async function writeChange(
  env: Bindings,
  before: Customer,
  after: Customer,
  also: readonly D1PreparedStatement[],
): Promise<boolean> {
  const { customer_id, tier, status } = before
  const change = env.DB.prepare(CHANGE).bind(customer_id, after.tier, after.status, tier, status, Date.now())
  const [changed] = await env.DB.batch([change, ...also])
  return changed?.meta.changes === 1
}

const SELECT_ACCOUNT = `
  SELECT tier, status, account_revision AS revision,
    EXISTS (SELECT 1 FROM api_keys k WHERE k.customer_id = ?1 AND k.mode = 'test') AS has_test_ledger
  FROM customers WHERE customer_id = ?1`

const LIVE_ONLY = ['live'] as const

interface AccountRow {
  readonly tier: Tier
  readonly status: CustomerStatus
  readonly revision: number
  readonly has_test_ledger: 0 | 1
}

/**
 * Sends a customer's account from D1 to the customer's ledgers, and then to the records of the API keys in KV. The test
 * ledger is included if the customer has a test key, because the first test key creates the test ledger. A concurrent
 * request writes a new key only if the account in D1 has not changed, so no key with the old account is missed. Throws
 * if D1, a ledger or KV fails.
 */
async function settleAccount(env: Bindings, customer_id: string): Promise<void> {
  const row = await env.DB.prepare(SELECT_ACCOUNT).bind(customer_id).first<AccountRow>()
  if (!row) throw new Error(`the customer ${customer_id} no longer exists`)
  const { has_test_ledger, ...account } = row
  for (const mode of has_test_ledger ? MODES : LIVE_ONLY) {
    requireReached(await setLedgerAccount(env, { customer_id, mode }, account))
  }
  const key_hashes = await hashesInForce(env, customer_id, Date.now())
  await publishKeys(env, key_hashes)
  for (const key_hash of key_hashes) forgetCachedKey(key_hash)
}
