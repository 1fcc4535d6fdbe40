import type { Bindings } from '../bindings.ts'
import { newId } from '../ids.ts'
import { type DataKeyRow, selectDataKey } from '../secrets/data-keys.ts'
import { addressChecks, attempt } from './delivery/attempt.ts'
import { testContent } from './delivery/content.ts'
import { isSuccess, SEND_LIMITS } from './delivery/send.ts'
import { keysOf } from './delivery/situation.ts'
import { type Delivery, deliveryId, type Outcome } from './records/deliveries.ts'
import type { SealedEndpoint } from './records/endpoints.ts'
import { keyOwner } from './records/secrets.ts'
import { TEST_TYPE } from './types.ts'

/**
 * Sends a test message to an endpoint immediately, even if the endpoint is disabled, and returns the delivery. Makes
 * only one attempt, whose outcome does not change the endpoint. Returns undefined if the signing keys cannot be
 * decrypted.
 */
export async function sendTest(
  env: Bindings,
  endpoint: SealedEndpoint,
): Promise<{ readonly outcome: Outcome; readonly delivery: Delivery } | undefined> {
  const at_ms = Date.now()
  const { owner, webhook_endpoint_id } = endpoint
  const { results } = await selectDataKey(env.DB, keyOwner(owner)).all<DataKeyRow>()
  const keys = keysOf(env, endpoint, results, at_ms)
  if (keys.length === 0) return undefined
  const delivered = {
    owner,
    webhook_endpoint_id,
    notification_id: newId('ntf', at_ms),
    sequence: 0,
    type: TEST_TYPE,
    at_ms,
  }
  const check = addressChecks(env, SEND_LIMITS.fetcher)
  const sent = await attempt({ endpoint, content: testContent(delivered), keys }, check, SEND_LIMITS)
  const status = isSuccess(sent.attempt) ? 'succeeded' : 'failed'
  const ended = { ...delivered, status, made: 1, due_at_ms: null } as const
  return {
    outcome: { ...ended, in_flight: false, attempt: sent.attempt },
    delivery: { ...ended, delivery_id: deliveryId(delivered), attempts: [sent.attempt] },
  }
}
