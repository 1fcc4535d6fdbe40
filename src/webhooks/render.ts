import { timeJson, timeOrNull } from '../http/input/times.ts'
import type { Place } from './place.ts'
import type { Delivery } from './records/deliveries.ts'
import type { Endpoint } from './records/endpoints.ts'

export function endpointJson(endpoint: Endpoint, { mode }: Pick<Place, 'mode'>, now_ms = Date.now()) {
  const { webhook_endpoint_id: id, url, types, description, enabled, disabled_reason, public_key } = endpoint
  const { previous_key_ends_at_ms } = endpoint
  const overlaps = previous_key_ends_at_ms !== null && previous_key_ends_at_ms > now_ms
  return {
    ...{ id, url, types, description, enabled, disabled_reason },
    failing_since: timeOrNull(endpoint.failing_since_ms),
    v1a: public_key !== null,
    public_key,
    previous_secret_expires_at: overlaps ? timeJson(previous_key_ends_at_ms) : null,
    mode,
    created_at: timeJson(endpoint.created_at_ms),
    updated_at: timeJson(endpoint.updated_at_ms),
  }
}

export function deliveryJson(delivery: Delivery, { mode }: Pick<Place, 'mode'>) {
  const { delivery_id: id, webhook_endpoint_id: endpoint_id, notification_id, type, sequence } = delivery
  return {
    ...{ id, endpoint_id, notification_id, type, sequence },
    status: delivery.status,
    next_attempt_at: timeOrNull(delivery.due_at_ms),
    attempts: delivery.attempts.map(({ at_ms, ...attempt }) => ({ at: timeJson(at_ms), ...attempt })),
    mode,
    created_at: timeJson(delivery.at_ms),
  }
}
