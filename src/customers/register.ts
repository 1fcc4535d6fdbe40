import { type Bindings, configOf } from '../config.ts'
import type { CustomerStatus } from '../db/schema.ts'
import { newId } from '../ids.ts'
import { openLedger } from '../ledger/client.ts'
import type { Refused } from '../ledger/messages.ts'
import { mintApiKey, publishKeyRecord } from './api-keys.ts'
import type { Registration } from './schema.ts'
import { SCOPES } from './scopes.ts'

export interface Registered {
  readonly kind: 'registered'
  readonly customer_id: string
  readonly api_key: string
  readonly created_at_ms: number
}

/**
 * Registers a customer, whatever a crash or a second request with the same email does in between. The customer's row
 * is PENDING until the ledger is open and the first key is in D1, and one batch makes it ACTIVE together with that
 * key: a repeat finds the PENDING row and goes on with its customer id, and of two at once exactly one gets a key.
 */
export async function register(
  env: Bindings,
  registration: Registration,
  now_ms: number,
): Promise<Registered | { readonly kind: 'email_taken' } | Refused> {
  const customer = await pendingCustomer(env, registration, now_ms)
  if (!customer) return { kind: 'email_taken' }

  const { customer_id, created_at_ms } = customer
  const opened = await openLedger(
    env,
    { ledger: { customer_id, mode: 'live' }, signup_grant_micro: configOf(env).signup_grant_micro },
    registration.region === undefined ? {} : { location_hint: registration.region },
  )
  if (opened.kind === 'refused') return opened

  const key = mintApiKey('live')
  if (!(await activate(env, customer_id, registration, key, now_ms))) return { kind: 'email_taken' }
  await publishKeyRecord(env, key.key_hash, {
    v: 1,
    key_id: key.key_id,
    customer_id,
    mode: 'live',
    scopes: [...SCOPES],
    tier: registration.tier,
    customer_status: 'ACTIVE',
    expires_at_ms: null,
    revoked: false,
  })
  return { kind: 'registered', customer_id, api_key: key.api_key, created_at_ms }
}

interface CustomerRow {
  readonly customer_id: string
  readonly status: CustomerStatus
  readonly created_at_ms: number
}

const INSERT_PENDING = `
  INSERT INTO customers (customer_id, name, email, email_key, tier, status, region, created_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, 'PENDING', ?6, ?7)
  ON CONFLICT (email_key) DO NOTHING`

const SELECT_BY_EMAIL = 'SELECT customer_id, status, created_at_ms FROM customers WHERE email_key = ?1'

/** The PENDING row of this email, made if there is none. Undefined when the email has a customer already. */
async function pendingCustomer(
  env: Bindings,
  { name, email, tier, region }: Registration,
  now_ms: number,
): Promise<CustomerRow | undefined> {
  const email_key = email.toLowerCase()
  const [, selected] = await env.DB.batch<CustomerRow>([
    env.DB.prepare(INSERT_PENDING).bind(newId('cust'), name, email, email_key, tier, region ?? null, now_ms),
    env.DB.prepare(SELECT_BY_EMAIL).bind(email_key),
  ])
  const row = selected?.results[0]
  return row?.status === 'PENDING' ? row : undefined
}

const INSERT_FIRST_KEY = `
  INSERT INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms)
  SELECT ?1, customer_id, 'live', 'First key', ?2, ?3, ?4 FROM customers WHERE customer_id = ?5 AND status = 'PENDING'`

// A repeat of a registration that broke may have changed its mind: what it says now is what counts.
const ACTIVATE = `
  UPDATE customers SET status = 'ACTIVE', name = ?2, email = ?3, tier = ?4, region = ?5
  WHERE customer_id = ?1 AND status = 'PENDING'`

/** False when another request has activated the customer in the meantime. */
async function activate(
  env: Bindings,
  customer_id: string,
  registration: Registration,
  key: FirstKey,
  now_ms: number,
): Promise<boolean> {
  try {
    return await writeActivation(env, customer_id, registration, key, now_ms)
  } catch (error) {
    // D1 may have done it and only its answer is lost. Then this is the only chance to hand the key out: a repeat
    // would find the email taken.
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
  customer_id: string,
  { name, email, tier, region }: Registration,
  key: FirstKey,
  now_ms: number,
): Promise<boolean> {
  const [inserted] = await env.DB.batch([
    env.DB.prepare(INSERT_FIRST_KEY).bind(key.key_id, key.key_hash, SCOPES.join(' '), now_ms, customer_id),
    env.DB.prepare(ACTIVATE).bind(customer_id, name, email, tier, region ?? null),
  ])
  return inserted?.meta.changes === 1
}

async function isStored(env: Bindings, key_hash: string): Promise<boolean> {
  const row = await env.DB.prepare('SELECT 1 AS stored FROM api_keys WHERE key_hash = ?1')
    .bind(key_hash)
    .first()
  return row !== null
}
