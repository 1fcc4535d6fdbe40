import { forgetCachedKey, mintApiKey } from '../api-keys/authentication/lookup.ts'
import { SCOPES } from '../api-keys/authentication/scopes.ts'
import { publishNewKey } from '../api-keys/changes.ts'
import { isStored } from '../api-keys/rows.ts'
import type { Auditor } from '../audit/record.ts'
import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'
import { newId } from '../ids.ts'
import { openLedger } from '../ledger/client/client.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { formatCredits, microCredits } from '../pricing/money.ts'
import type { Registration } from './schema.ts'

export interface Registered {
  readonly kind: 'registered'
  readonly customer_id: string
  readonly api_key: string
  readonly created_at_ms: number
}

/**
 * Returns the statements that run in the batch that adds the first key, directly after the key's audit record. They
 * must write nothing if `changes()` is 0, which means that no key was added.
 */
export type WithCustomer = (registered: Registered) => D1PreparedStatement[]

export type RegistrationOutcome = Registered | { readonly kind: 'email_taken' } | Refused

/**
 * Registers a customer. Crashes and concurrent requests with the same email leave no inconsistent state. The customer's
 * row is PENDING until the ledger is open. One batch then adds the first key and makes the row ACTIVE. A repeated
 * request takes over the PENDING row and replaces its data. If two requests are concurrent, only the request that took
 * over the row last gets a key. The ledger and D1 therefore have the same tier. Returns `email_taken` if the email
 * belongs to a registered customer, or if another request has taken over the row. Returns a refusal if the ledger
 * cannot be opened.
 */
export async function register(
  env: Bindings,
  registration: Registration,
  auditor: Auditor,
  now_ms: number,
  also: WithCustomer,
): Promise<RegistrationOutcome> {
  const customer = await pendingCustomer(env, registration, now_ms)
  if (!customer) return { kind: 'email_taken' }

  const { customer_id, created_at_ms, account_revision } = customer
  const opened = await openLedger(
    env,
    {
      ledger: { customer_id, mode: 'live' },
      signup_grant_micro: configOf(env).signup_grant_micro,
      account: { tier: registration.tier, status: 'ACTIVE', revision: account_revision },
    },
    registration.region === undefined ? {} : { location_hint: registration.region },
  )
  if (opened.kind === 'refused') return opened

  const key = mintApiKey('live')
  const registered = { kind: 'registered', customer_id, api_key: key.api_key, created_at_ms } as const
  const audit = auditOf(env, { customer, registration, key, auditor }, now_ms)
  const with_key = [audit, ...also(registered)]
  if (!(await activate(env, customer, key, with_key, now_ms))) return { kind: 'email_taken' }
  forgetCachedKey(key.key_hash)
  await publishNewKey(env, key.key_hash, key.key_id)
  return registered
}

interface PendingCustomer {
  readonly customer_id: string
  readonly created_at_ms: number
  readonly account_revision: number
}

// If an incomplete registration is repeated, the new data replaces the earlier data.
const UPSERT_PENDING = `
  INSERT INTO customers (customer_id, name, email, email_key, tier, status, region, created_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, 'PENDING', ?6, ?7)
  ON CONFLICT (email_key) DO UPDATE SET name = excluded.name, email = excluded.email, tier = excluded.tier,
    region = excluded.region, account_revision = account_revision + 1
  WHERE status = 'PENDING'
  RETURNING customer_id, created_at_ms, account_revision`

/**
 * Adds a PENDING row for an email, or takes over the existing PENDING row. Returns undefined if the email belongs to a
 * registered customer.
 */
async function pendingCustomer(
  env: Bindings,
  { name, email, tier, region }: Registration,
  now_ms: number,
): Promise<PendingCustomer | undefined> {
  const row = await env.DB.prepare(UPSERT_PENDING)
    .bind(newId('cust'), name, email, email.toLowerCase(), tier, region ?? null, now_ms)
    .first<PendingCustomer>()
  return row ?? undefined
}

const INSERT_FIRST_KEY = `
  INSERT INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms)
  SELECT ?1, customer_id, 'live', 'First key', ?2, ?3, ?4 FROM customers
  WHERE customer_id = ?5 AND status = 'PENDING' AND account_revision = ?6`

const ACTIVATE = `
  UPDATE customers SET status = 'ACTIVE' WHERE customer_id = ?1 AND status = 'PENDING' AND account_revision = ?2`

/**
 * Adds the first key and makes the customer ACTIVE. Returns false if another request has taken over the registration or
 * completed it. Throws if D1 fails and does not have the key.
 */
async function activate(
  env: Bindings,
  customer: PendingCustomer,
  key: FirstKey,
  with_key: readonly D1PreparedStatement[],
  now_ms: number,
): Promise<boolean> {
  try {
    return await writeActivation(env, customer, key, with_key, now_ms)
  } catch (error) {
    // D1 might have written the key although the result of the write was lost. In this case, the registration has
    // succeeded. Without a stored response, only this response can contain the key, because a repeated request is
    // refused as a duplicate email.
    if (await isStored(env, key.key_hash)) return true
    throw error
  }
}

interface FirstKey {
  readonly key_id: string
  readonly key_hash: string
}

async function writeActivation(
  env: Bindings,
  { customer_id, account_revision }: PendingCustomer,
  key: FirstKey,
  with_key: readonly D1PreparedStatement[],
  now_ms: number,
): Promise<boolean> {
  const scopes = SCOPES.join(' ')
  const [inserted] = await env.DB.batch([
    env.DB.prepare(INSERT_FIRST_KEY).bind(
      key.key_id,
      key.key_hash,
      scopes,
      now_ms,
      customer_id,
      account_revision,
    ),
    ...with_key,
    env.DB.prepare(ACTIVATE).bind(customer_id, account_revision),
  ])
  return inserted?.meta.changes === 1
}

interface Registering {
  readonly customer: PendingCustomer
  readonly registration: Registration
  readonly key: FirstKey
  readonly auditor: Auditor
}

/**
 * Returns the statement that adds the audit record of a registration: the customer, the first key and the sign-up
 * grant.
 */
function auditOf(
  env: Bindings,
  { customer: { customer_id }, registration, key, auditor }: Registering,
  now_ms: number,
): D1PreparedStatement {
  const { tier, region = null } = registration
  const signup_grant = Number(formatCredits(microCredits(configOf(env).signup_grant_micro)))
  const record = {
    ...auditor,
    action: 'customers.register',
    target: customer_id,
    before: null,
    after: { tier, status: 'ACTIVE', region, key_id: key.key_id, signup_grant },
  } as const
  return auditStatement(env.DB, { customer_id, mode: 'live' }, record, now_ms, { if_changed: true })
}
