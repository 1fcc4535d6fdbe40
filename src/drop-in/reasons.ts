import type { Refusal } from '../ledger/model/refusal.ts'

/**
 * Why an item of a drop-in request is not billed, as a closed list: `GET /v1/drop-in` counts by these. A rejected item
 * should have been billed; an ignored one costs nothing.
 */
export type RejectedReason =
  | Refusal['code']
  /** The request itself cannot be read. */
  | 'unreadable'
  /** No usage that the reader knows. */
  | 'no_usage'
  | 'no_model'
  | 'no_provider'
  /** A CloudEvent whose type has no mapping. */
  | 'no_mapping'
  /** A field that the mapping points to is missing or no number. */
  | 'wrong_data'

export type IgnoredReason =
  /** A span that is no call of a model: HTTP, tools, an application's own. */
  | 'not_a_model_call'
  /** A span of an agent or a workflow, whose usage repeats that of its calls. */
  | 'total_of_others'
  /** A model call that another one contains, such as a framework's around its client's. */
  | 'not_a_leaf'
  | 'failed_call'
  | 'cache_hit'
