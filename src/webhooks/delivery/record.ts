import type { Bindings } from '../../bindings.ts'
import { ledgerName } from '../../db/ledger-db.ts'
import { notify } from '../../ledger/client/client.ts'
import { logError, logWarning } from '../../logging/log.ts'
import { dropPending, type Outcome, recordOutcomes } from '../records/deliveries.ts'
import { disableEndpoint, setFailing } from '../records/endpoints.ts'
import { OPERATOR } from '../records/secrets.ts'
import type { Consequence } from './outcome.ts'

/**
 * Writes the outcomes of deliveries and the changes of their endpoints in one D1 batch. Throws if D1 fails. If the call
 * is repeated, an attempt can be recorded twice.
 */
export async function record(
  env: Bindings,
  consequences: readonly Consequence[],
  others: readonly Outcome[],
  now_ms: number,
): Promise<void> {
  const outcomes = [...consequences.map(({ outcome }) => outcome), ...others]
  if (outcomes.length === 0) return
  const disabled = await announced(env, consequences)
  const failing = newStates(consequences)
  const [, ...results] = await env.DB.batch([
    recordOutcomes(env, outcomes),
    ...disabled.map(({ endpoint, disable }) => disableEndpoint(env, endpoint, disable ?? 'failing', now_ms)),
    ...disabled.map(({ endpoint }) => dropPending(env, endpoint.webhook_endpoint_id)),
    ...(failing.length > 0 ? [setFailing(env, failing)] : []),
  ])
  disabled.forEach(({ endpoint: { webhook_endpoint_id, owner }, disable: reason }, i) => {
    if (results[i]?.meta.changes === 0) return
    logWarning('webhook_endpoint_disabled', { webhook_endpoint_id, owner, reason })
  })
}

/**
 * Returns the new `failing_since_ms` of each endpoint for which it changes. If an endpoint has several changes, returns
 * the last one.
 */
function newStates(consequences: readonly Consequence[]) {
  const states = new Map<string, Parameters<typeof setFailing>[1][number]>()
  for (const { endpoint, failing_since_ms: at_ms } of consequences) {
    const { owner, webhook_endpoint_id } = endpoint
    if (at_ms !== undefined) states.set(webhook_endpoint_id, { owner, webhook_endpoint_id, at_ms })
  }
  return [...states.values()]
}

/**
 * Notifies the customers of the endpoints that must be disabled. Returns one consequence for each of these endpoints,
 * but omits endpoints whose customer could not be notified. The operator's endpoints are returned without a
 * notification. The notification precedes the change of the endpoint, and is stored only once. If a crash prevents the
 * change, a later attempt that fails for the same reason disables the endpoint.
 */
async function announced(env: Bindings, consequences: readonly Consequence[]): Promise<Consequence[]> {
  const to_disable = new Map(
    consequences
      .filter(({ disable }) => disable !== undefined)
      .map((one) => [one.endpoint.webhook_endpoint_id, one]),
  )
  const results = await Promise.all(
    [...to_disable.values()].map(async (one) => ((await announce(env, one)) ? [one] : [])),
  )
  return results.flat()
}

async function announce(env: Bindings, { endpoint, disable: reason }: Consequence): Promise<boolean> {
  const { owner, webhook_endpoint_id, updated_at_ms } = endpoint
  if (owner === OPERATOR) return true
  try {
    const id = `webhook_endpoint.disabled ${webhook_endpoint_id} ${updated_at_ms}`
    const data = { webhook_endpoint_id, reason: reason ?? null }
    const notice = { type: 'webhook_endpoint.disabled', data } as const
    const result = await notify(env, ledgerName(owner), { id, notice })
    if (result.kind !== 'refused') return true
    logWarning('webhook_endpoint_not_disabled', { webhook_endpoint_id, code: result.refusal.code })
  } catch (error) {
    logError('webhook_endpoint_not_disabled', error, { webhook_endpoint_id })
  }
  return false
}
