import { type EventFields, type Item, keyOf } from '../ingest.ts'
import { firstText, type SpanOptions, timestampOf } from './model-calls.ts'
import type { Point } from './points.ts'
import { USER_ATTRIBUTES } from './span.ts'

/**
 * The reader of the token counters of coding agents that export no spans. Claude Code counts each kind of token in a
 * separate series, as deltas. Each series and interval becomes one event, because a collector may send the series of
 * one model in several requests.
 */

const TOKENS = 'claude_code.token.usage'

/** The units of each kind of tokens. No kind includes the tokens of another kind, as in the API of Anthropic. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  input: ['input_tokens'],
  output: ['output_tokens'],
  cacheRead: ['input_tokens', 'cache_read_tokens'],
  cacheCreation: ['input_tokens', 'cache_write_tokens'],
}

const MAX_TOKENS = 10_000_000_000_000

/** An item for an event or for an ignored or rejected point, with the number of its points. */
export interface PointItem {
  readonly item: Item
  readonly count: number
}

export function itemsOfPoints(points: readonly Point[], options: SpanOptions): PointItem[] {
  const groups = new Map<string, Point[]>()
  const items: PointItem[] = []
  for (const point of points) {
    const wrong = problemOf(point)
    if (wrong) {
      items.push({ item: wrong, count: 1 })
      continue
    }
    const key = seriesOf(point)
    const group = groups.get(key)
    if (group) group.push(point)
    else groups.set(key, [point])
  }
  for (const [key, group] of groups) {
    items.push({ item: { kind: 'event', event: eventOf(key, group, options) }, count: group.length })
  }
  return items
}

function problemOf({ metric, attributes, is_delta, value, time_ns }: Point): Item | undefined {
  if (metric !== TOKENS) return { kind: 'ignored', reason: 'not_a_model_call' }
  if (!is_delta) {
    const detail =
      'The sum is cumulative. Set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta, its default in Claude Code.'
    return { kind: 'rejected', reason: 'wrong_data', detail }
  }
  if (KINDS[String(attributes.get('type'))] === undefined) {
    return {
      kind: 'rejected',
      reason: 'no_usage',
      detail: 'The attribute type of the point is not a known type of tokens.',
    }
  }
  if (!Number.isInteger(value) || value < 0 || value > MAX_TOKENS) {
    return {
      kind: 'rejected',
      reason: 'no_usage',
      detail: `The value of the point must be a whole number from 0 to ${MAX_TOKENS}.`,
    }
  }
  if (!/^[1-9]\d{0,19}$/.test(time_ns)) {
    return {
      kind: 'rejected',
      reason: 'unreadable',
      detail: 'The point has no time. Without a time, a retry would be billed twice.',
    }
  }
  if (firstText(attributes, ['model']) !== undefined) return undefined
  return { kind: 'rejected', reason: 'no_model', detail: 'The point has no model.' }
}

/** Returns a text that identifies the series and the interval of an event. It is also the idempotency key. */
function seriesOf({ attributes, resource, start_ns, time_ns }: Point): string {
  const sorted = (map: Point['attributes']) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return keyOf('otlp', TOKENS, start_ns, time_ns, JSON.stringify([sorted(attributes), sorted(resource)]))
}

function eventOf(key: string, group: readonly Point[], options: SpanOptions): EventFields {
  const usage: Record<string, number> = {}
  for (const { attributes, value } of group) {
    for (const unit of KINDS[String(attributes.get('type'))] ?? []) usage[unit] = (usage[unit] ?? 0) + value
  }
  const [{ attributes, resource, time_ns } = EMPTY] = group
  const either = (keys: readonly (string | undefined)[]) =>
    firstText(attributes, keys) ?? firstText(resource, keys)
  const user_id = either([options.user_attribute, ...USER_ATTRIBUTES])
  const team_id = either([options.team_attribute, 'openmonetize.team_id'])
  return {
    event_type: 'TOKEN_USAGE',
    feature_id: either(['openmonetize.feature_id']) ?? options.feature_id ?? DEFAULT_FEATURE,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    provider: 'anthropic',
    model: firstText(attributes, ['model']) ?? '',
    usage,
    idempotency_key: key,
    timestamp: timestampOf(Number(BigInt(time_ns) / 1_000_000n)),
  }
}

const EMPTY = { attributes: new Map(), resource: new Map(), time_ns: '0' }
const DEFAULT_FEATURE = 'claude_code'
