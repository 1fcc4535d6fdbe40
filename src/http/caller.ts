import type { Context } from 'hono'
import { type Auditor, OPERATOR_ACTOR } from '../audit/record.ts'
import type { Caller } from '../ledger/model/account.ts'
import type { Idempotency, LedgerName } from '../ledger/model/vocabulary.ts'
import { type AppEnv, clientIp } from './env.ts'
import { fingerprintOf } from './input/fingerprint.ts'
import { tighter } from './middleware/headers.ts'

/** Returns the ledger of the customer and mode of the request's key. */
export function ledgerOf(c: Context<AppEnv>): LedgerName {
  const { customer_id, mode } = c.get('key')
  return { customer_id, mode }
}

/** Returns the customer's live ledger. It also keeps the definitions that both modes share, such as burn tables. */
export function sharedLedgerOf(c: Context<AppEnv>): LedgerName {
  return { customer_id: c.get('key').customer_id, mode: 'live' }
}

/**
 * Returns the caller for ledger objects. It is the same for the whole request, because it records which ledgers have
 * counted the request.
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
 * Returns the author of a change outside the ledger objects, for the audit log. `actor` is a key id, `operator` or
 * `public`. An operator who signed in with Cloudflare Access becomes `operator:EMAIL`.
 */
export function auditorOf(c: Context<AppEnv>, actor: string): Auditor {
  const email = actor === OPERATOR_ACTOR ? c.get('operator_email') : undefined
  return { actor: email === undefined ? actor : `${actor}:${email}`, ...originOf(c) }
}

function originOf(c: Context<AppEnv>): Omit<Auditor, 'actor'> {
  const ip = clientIp(c)
  return { ...(ip !== undefined && { ip }), request_id: c.get('request_id') }
}

/**
 * Returns the request's idempotency key with the fingerprint of the route and the body; undefined without a key. The
 * body is not validated and has no defaults of the schema.
 */
export async function idempotencyOf(c: Context<AppEnv>, operation: string): Promise<Idempotency | undefined> {
  const key = c.get('idempotency_key')
  return key === undefined ? undefined : { key, fingerprint: fingerprintOf(operation, await c.req.json()) }
}

/**
 * Returns the result of `idempotencyOf` for definitions that the live ledger keeps for both modes. Keys of test
 * requests get a prefix that no customer can send, so that they differ from the keys of live requests.
 */
export async function sharedIdempotencyOf(
  c: Context<AppEnv>,
  operation: string,
): Promise<Idempotency | undefined> {
  const idempotency = await idempotencyOf(c, operation)
  if (!idempotency || c.get('key').mode === 'live') return idempotency
  return { ...idempotency, key: `\u0000test ${idempotency.key}` }
}
