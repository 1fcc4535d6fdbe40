import type { Context } from 'hono'
import type { Auditor } from '../audit/record.ts'
import type { Caller } from '../ledger/model/account.ts'
import type { Idempotency, LedgerName } from '../ledger/model/vocabulary.ts'
import { type AppEnv, clientIp } from './env.ts'
import { tighter } from './middleware/headers.ts'
import { fingerprintOf } from './middleware/idempotency-key.ts'

/** The ledger that a request's key acts on: its customer's, in its mode. */
export function ledgerOf(c: Context<AppEnv>): LedgerName {
  const { customer_id, mode } = c.get('key')
  return { customer_id, mode }
}

/** The ledger that keeps what live and test keys share, burn tables among it: the customer's live one. */
export function sharedLedgerOf(c: Context<AppEnv>): LedgerName {
  return { customer_id: c.get('key').customer_id, mode: 'live' }
}

/** One for the whole request: it remembers which ledgers have counted it. */
export function callerOf(c: Context<AppEnv>): Caller {
  const known = c.get('caller')
  if (known) return known
  const { key_id, mode } = c.get('key')
  const counted_by: string[] = []
  const caller: Caller = {
    key_id,
    mode,
    ...originOf(c),
    counted_by,
    onCounted: (ledger, rate) => {
      counted_by.push(ledger)
      c.set('rate', tighter(c.get('rate'), rate))
    },
  }
  c.set('caller', caller)
  return caller
}

/** Who makes a change that no ledger object commits, for the audit log: a key's id, `operator` or `public`. */
export function auditorOf(c: Context<AppEnv>, actor: string): Auditor {
  return { actor, ...originOf(c) }
}

function originOf(c: Context<AppEnv>): Omit<Auditor, 'actor'> {
  const ip = clientIp(c)
  return { ...(ip !== undefined && { ip }), request_id: c.get('request_id') }
}

/** The request's idempotency key, if it has one, and what it stands for: the route and the body as they came. */
export async function idempotencyOf(c: Context<AppEnv>, operation: string): Promise<Idempotency | undefined> {
  const key = c.get('idempotency_key')
  return key === undefined ? undefined : { key, fingerprint: fingerprintOf(operation, await c.req.json()) }
}

/**
 * `idempotencyOf` for what the live ledger keeps for both modes. A test key's idempotency keys are its own ledger's:
 * a prefix that no customer's key can have keeps the two apart there.
 */
export async function sharedIdempotencyOf(
  c: Context<AppEnv>,
  operation: string,
): Promise<Idempotency | undefined> {
  const idempotency = await idempotencyOf(c, operation)
  if (!idempotency || c.get('key').mode === 'live') return idempotency
  return { ...idempotency, key: `\u0000test ${idempotency.key}` }
}
