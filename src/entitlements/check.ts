import { type FieldError, invalid, type Refusal } from '../ledger/model/refusal.ts'
import type { PricedEvent } from '../ledger/model/vocabulary.ts'
import type { PriceBook } from '../pricing/cost/price-book.ts'
import { type EventInput, priceEvent } from '../rating/event.ts'
import { usageInput } from '../rating/schema.ts'
import type { CheckInput } from './schema.ts'

export type EstimateResult =
  | { readonly kind: 'estimated'; readonly event: PricedEvent | null }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * Prices the event that the planned action of a check would cause. If the check has no action, the event in the result
 * is null.
 */
export function estimate(
  check: CheckInput,
  customer_id: string,
  now_ms: number,
  book: PriceBook,
): EstimateResult {
  if (!check.action) return { kind: 'estimated', event: null }
  const priced = priceEvent(eventOf(check, check.action), customer_id, now_ms, book)
  if (priced.kind === 'priced') return { kind: 'estimated', event: priced.event }
  return { kind: 'refused', refusal: inAction(priced.refusal) }
}

function eventOf(
  { feature_id, user_id, team_id }: CheckInput,
  action: NonNullable<CheckInput['action']>,
): EventInput {
  const { type, provider, model, estimated_count: count, estimated_duration_seconds } = action
  const output_tokens = action.estimated_output_tokens
  // A TOKEN_USAGE event requires usage. If the check estimates no tokens, the usage is 0.
  const input_tokens =
    action.estimated_input_tokens ?? (type === 'TOKEN_USAGE' && output_tokens === undefined ? 0 : undefined)
  return {
    event_type: type,
    feature_id,
    user_id,
    team_id,
    provider,
    model,
    input_tokens,
    output_tokens,
    ...(type === 'IMAGE_GENERATION'
      ? { image_count: count }
      : count !== undefined && { usage: usageInput.parse({ requests: count }) }),
    duration_seconds: estimated_duration_seconds,
  }
}

/**
 * The path of a field of the action, by the path of the event field that is derived from it. A refusal of the whole
 * usage has the path of the action, because several fields can be the reason.
 */
const ACTION_FIELDS: Readonly<Record<string, string>> = {
  '/event_type': '/type',
  '/input_tokens': '/estimated_input_tokens',
  '/output_tokens': '/estimated_output_tokens',
  '/usage': '',
  '/image_count': '/estimated_count',
  '/duration_seconds': '/estimated_duration_seconds',
}

/** Replaces the paths of invalid event fields in a refusal with the paths of the action fields that the caller sent. */
function inAction(refusal: Refusal): Refusal {
  if (refusal.code !== 'invalid_request' || !refusal.errors) return refusal
  return invalid(
    refusal.errors.map(
      ({ path, message }): FieldError => ({ path: `/action${ACTION_FIELDS[path] ?? path}`, message }),
    ),
  )
}
