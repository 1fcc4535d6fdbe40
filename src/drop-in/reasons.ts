import type { Refusal } from '../ledger/model/refusal.ts'

/**
 * The reasons why an item of a drop-in request is not billed, as a closed list: `GET /v1/drop-in` counts by them. A
 * rejected item should have been billed; an ignored one costs nothing.
 */
export type RejectedReason =
  | Refusal['code']
  /** The request itself is malformed. */
  | 'unreadable'
  /** The usage is missing or unknown to the reader. */
  | 'no_usage'
  | 'no_model'
  | 'no_provider'
  /** A CloudEvent whose type has no mapping. */
  | 'no_mapping'
  /** A field of the mapping is missing or not a number. */
  | 'wrong_data'

export type IgnoredReason =
  /** A span that is not a model call: HTTP, tools, the application itself. */
  | 'not_a_model_call'
  /** A span of an agent or a workflow, whose usage repeats that of its calls. */
  | 'total_of_others'
  /** A model call that contains another one, such as a framework's call around its client's. */
  | 'not_a_leaf'
  | 'failed_call'
  | 'cache_hit'
