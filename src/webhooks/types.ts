import { NOTIFICATION_TYPES } from '../ledger/model/notifications.ts'

/** The subscriptions of endpoints to notifications: `*`, a type, or a group such as `credits.*`. */

/** The notifications of a deployment, for its operator. */
export const OPERATOR_TYPES = [
  'ops.flush_behind',
  'ops.dead_letters',
  'ops.reconcile_difference',
  'ops.price_feed_refused',
] as const
export type OperatorType = (typeof OPERATOR_TYPES)[number]

/**
 * The type of a message that `POST …/test` sends. It is sent regardless of the endpoint's subscription, and a
 * subscription cannot name it.
 */
export const TEST_TYPE = 'webhook_endpoint.test'

export const MAX_TYPES = 50

/** Reports whether the text of a subscription matches at least one of the types in `known`. */
export function isSubscription(text: string, known: readonly string[] = NOTIFICATION_TYPES): boolean {
  return known.some((type) => covers(text, type))
}

/** Reports whether an endpoint with this subscription gets notifications of a type. */
export function subscribes(types: readonly string[], type: string): boolean {
  return types.some((text) => covers(text, type))
}

/** Reports whether a pattern matches a type: `limit.*` matches `limit.reached` but not `limits.x`. */
function covers(text: string, type: string): boolean {
  if (text === '*' || text === type) return true
  return text.endsWith('.*') && type.startsWith(text.slice(0, -1))
}
