import type { Refusal } from '../ledger/model/refusal.ts'

/**
 * The reasons why an item of a drop-in request is not billed. The list is closed, because `GET /v1/drop-in` counts
 * items by reason. A rejected item should have been billed. An ignored item costs nothing.
 */
export type RejectedReason =
  | Refusal['code']
  /** The request or the item is malformed. */
  | 'unreadable'
  /** The usage is missing, or the usage reader does not support it. */
  | 'no_usage'
  | 'no_model'
  | 'no_provider'
  /** A CloudEvent whose type has no mapping. */
  | 'no_mapping'
  /** A value that the mapping requires is missing or has the wrong type. */
  | 'wrong_data'

export type IgnoredReason =
  /** A span that is not a model call: HTTP, tools, the application itself. */
  | 'not_a_model_call'
  /** A span of an agent or a workflow. Its usage repeats the usage of its calls. */
  | 'total_of_others'
  /** A model call that contains another model call, such as a framework's call around the call of its client. */
  | 'not_a_leaf'
  | 'failed_call'
  | 'cache_hit'
