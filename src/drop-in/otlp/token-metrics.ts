import { type EventFields, type Item, keyOf } from '../ingest.ts'
import { attributionOf, firstText, type SpanOptions, timestampOf } from './model-calls.ts'
import type { Point } from './points.ts'

/**
 * Reads the token counters of coding agents that export no spans. Claude Code counts each kind of token in a separate
 * series, as deltas. Each series and interval becomes one event, because a collector can send the series of one model
 * in several requests.
 */

const TOKENS = 'claude_code.token.usage'

/** The usage units of each kind of token. As in Anthropic's API, no kind includes the tokens of another kind. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  input: ['input_tokens'],
  output: ['output_tokens'],
  cacheRead: ['input_tokens', 'cache_read_tokens'],
  cacheCreation: ['input_tokens', 'cache_write_tokens'],
}

const MAX_TOKENS = 10_000_000_000_000

/**
 * An item, with the number of data points that it was read from. An item that is an event can have several data points.
 */
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
      'The sum is not a delta. Set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta, which is the default of Claude Code.'
    return { kind: 'rejected', reason: 'wrong_data', detail }
  }
  if (KINDS[String(attributes.get('type'))] === undefined) {
    return {
      kind: 'rejected',
      reason: 'no_usage',
      detail: 'The attribute "type" of the data point must be input, output, cacheRead or cacheCreation.',
    }
  }
  if (!Number.isInteger(value) || value < 0 || value > MAX_TOKENS) {
    return {
      kind: 'rejected',
      reason: 'no_usage',
      detail: `The value of the data point must be a whole number from 0 to ${MAX_TOKENS}.`,
    }
  }
  if (!/^[1-9]\d{0,19}$/.test(time_ns)) {
    return {
      kind: 'rejected',
      reason: 'unreadable',
      detail:
        'The data point has no time. Set timeUnixNano: it identifies the data point and is the time of its event.',
    }
  }
  if (firstText(attributes, ['model']) !== undefined) return undefined
  return { kind: 'rejected', reason: 'no_model', detail: 'The data point has no model.' }
}

/**
 * Returns a text that identifies the series and the interval of a data point. The text is also the idempotency key of
 * the event.
 */
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
  return {
    event_type: 'TOKEN_USAGE',
    ...attributionOf({ attributes, resource }, options, DEFAULT_FEATURE),
    provider: 'anthropic',
    model: firstText(attributes, ['model']) ?? '',
    usage,
    idempotency_key: key,
    timestamp: timestampOf(Number(BigInt(time_ns) / 1_000_000n)),
  }
}

const EMPTY = { attributes: new Map(), resource: new Map(), time_ns: '0' }
const DEFAULT_FEATURE = 'claude_code'
