import type { Context } from 'hono'
import { type Auditor, OPERATOR_ACTOR } from '../audit/record.ts'
import type { Caller } from '../ledger/model/account.ts'
import type { Idempotency, LedgerName } from '../ledger/model/vocabulary.ts'
import { type AppEnv, clientIp, guard } from './env.ts'
import { fingerprintOf } from './input/fingerprint.ts'
import { tighter } from './middleware/headers.ts'
import { invalidRequest } from './output/problem.ts'

/** Returns the ledger of the request: the customer and the mode of its API key. */
export function ledgerOf(c: Context<AppEnv>): LedgerName {
  const { customer_id, mode } = c.get('key')
  return { customer_id, mode }
}

/**
 * Returns the customer's live ledger. The live ledger also stores the definitions that both modes share, such as burn
 * tables.
 */
export function sharedLedgerOf(c: Context<AppEnv>): LedgerName {
  return { customer_id: c.get('key').customer_id, mode: 'live' }
}

/**
 * Returns the caller that is passed to ledger objects. A request has only one caller object, because the object records
 * which ledgers have already counted the request.
 */
export function callerOf(c: Context<AppEnv>): Caller {
  const known = c.get('caller')
  if (known) return known
  const { key_id, mode } = c.get('key')
  const portal_token = c.get('portal')?.token_id
  const counted_by: string[] = []
  const caller: Caller = {
    key_id,
    mode,
    ...originOf(c),
    ...(portal_token !== undefined && { portal_token }),
    counted_by,
    onCounted: (ledger, rate) => {
      counted_by.push(ledger)
      c.set('rate', tighter(c.get('rate'), rate))
    },
  }
  c.set('caller', caller)
  return caller
}

/**
 * Returns the author of a change for the audit log. Only changes outside the ledger objects use it. `actor` is the id
 * of an API key, `operator` or `public`. If the operator signed in with Cloudflare Access, the author is
 * `operator:EMAIL`.
 */
export function auditorOf(c: Context<AppEnv>, actor: string): Auditor {
  const email = actor === OPERATOR_ACTOR ? c.get('operator_email') : undefined
  return { actor: email === undefined ? actor : `${actor}:${email}`, ...originOf(c) }
}

function originOf(c: Context<AppEnv>): Omit<Auditor, 'actor'> {
  const ip = clientIp(c)
  return { ...(ip !== undefined && { ip }), request_id: c.get('request_id') }
}

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/

/** Validates the `Idempotency-Key` header of a POST and stores it as `idempotency_key`. */
export const idempotencyKey = guard((c) => {
  const key = c.req.method === 'POST' ? c.req.header('Idempotency-Key') : undefined
  if (key !== undefined && !PRINTABLE_ASCII.test(key)) {
    const message = 'must be 1 to 255 printable ASCII characters'
    return invalidRequest(c, `The header Idempotency-Key ${message}.`, [
      { path: '/Idempotency-Key', message },
    ])
  }
  c.set('idempotency_key', key)
  return
})

/**
 * Returns the idempotency key of the request, with the fingerprint of the operation and the body. Returns undefined if
 * the request has no idempotency key. The fingerprint is computed from the body before validation, without the default
 * values of the schema.
 */
export async function idempotencyOf(c: Context<AppEnv>, operation: string): Promise<Idempotency | undefined> {
  const key = c.get('idempotency_key')
  return key === undefined ? undefined : { key, fingerprint: fingerprintOf(operation, await c.req.json()) }
}

/**
 * Returns the idempotency key and the fingerprint of a request that changes definitions of both modes in the live
 * ledger. The key of a test request gets a prefix that no customer can send. Test and live requests therefore never
 * have the same key. Returns undefined if the request has no key.
 */
export async function sharedIdempotencyOf(
  c: Context<AppEnv>,
  operation: string,
): Promise<Idempotency | undefined> {
  const idempotency = await idempotencyOf(c, operation)
  if (!idempotency || c.get('key').mode === 'live') return idempotency
  return { ...idempotency, key: `\u0000test ${idempotency.key}` }
}
