import type { Context } from 'hono'
import { credentialOf } from '../api-keys/authentication/authenticate.ts'
import { type AuditAction, type AuditPlace, type AuditState, OPERATOR_ACTOR } from '../audit/record.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import type { Mode } from '../db/schema.ts'
import { auditorOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import type { Once } from '../http/output/stored-answers.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'
import type { Endpoint } from './records/endpoints.ts'
import { OPERATOR } from './records/secrets.ts'

/**
 * The owner of the endpoints that a request is about, which is a ledger or the operator, and the data that depends on
 * the owner.
 */
export interface Place {
  /** The name of the ledger, or `operator`. */
  readonly owner: string
  /** The mode of the ledger; null for the operator's endpoints. */
  readonly mode: Mode | null
  readonly audit: AuditPlace
  /** The author of changes: the id of an API key, or `operator`. */
  readonly actor: string
  readonly path: string
}

export type PlaceOf = (c: Context<AppEnv>) => Place

export const customerPlace: PlaceOf = (c) => {
  const ledger = ledgerOf(c)
  return {
    owner: ledgerKey(ledger),
    mode: ledger.mode,
    audit: ledger,
    actor: c.get('key').key_id,
    path: '/v1',
  }
}

export const operatorPlace: PlaceOf = () => ({
  owner: OPERATOR,
  mode: null,
  audit: { customer_id: null, mode: null },
  actor: OPERATOR_ACTOR,
  path: '/v1/admin',
})

/** Returns the idempotency settings of a POST whose response contains a secret. */
export function onceWithSecret(c: Context<AppEnv>, place: Place, operation: string): Once {
  return { ...once(place, operation), credential: credentialOf(c) }
}

export function once({ owner, path }: Place, operation: string): Once {
  return { owner, operation: `POST ${path}${operation}` }
}

/**
 * Returns the statement that writes the audit record of a change. It writes the record only if the previous statement
 * in the batch changed a row. The record contains only the host of the endpoint's URL, because the path can contain a
 * secret.
 */
export function auditOf(
  c: Context<AppEnv>,
  place: Place,
  action: Extract<AuditAction, `webhook_endpoints.${string}`>,
  before: Endpoint | null,
  after: Endpoint | null,
): D1PreparedStatement {
  const target = (after ?? before)?.webhook_endpoint_id ?? ''
  const states = { before: before && stateOf(before), after: after && stateOf(after) }
  const record = { ...auditorOf(c, place.actor), action, target, ...states }
  return auditStatement(c.env.DB, place.audit, record, Date.now(), { if_changed: true })
}

function stateOf({ url, types, enabled, public_key }: Endpoint): AuditState {
  return { host: new URL(url).host, types, enabled, v1a: public_key !== null }
}
