import { isRecord, type Located } from './rules.ts'

/**
 * The patterns of redundant numbers. A positive number of a usage object is read, matches one of these patterns, or
 * causes a warning. Redundant numbers are totals, parts that a total already contains, times, costs (which are
 * compared and not added), and free services of providers.
 */
const REDUNDANT: readonly RegExp[] = [
  // Totals of the other numbers.
  /(^|\.)(total_tokens|totaltokens|totaltokencount|total_token_count|tokens_total|num_total_tokens)$/,
  /(^|\.)(gen_ai\.usage|llm\.usage|llm\.token_count)\.(total|total_tokens)$/,
  // Times and speeds.
  /(^|[._])(prompt|completion|queue|total|load|eval|prompt_eval|generation)_?(time|duration)$|latency|_ms$|_per_sec(ond)?$/,
  // Costs, which `reportedCostWarning` compares.
  /(^|[._])cost([._]|$)|cost_|_cost|(^|\.)is_byok$|ticks$/,
  // Accepted or rejected prediction tokens, which the completion includes.
  /(accepted|rejected)_?prediction_?tokens$/,
  // Thinking tokens, which are part of the output and have its price, because the reseller has no other price.
  /(^|\.)output_tokens_details\.thinking_tokens$/,
  // Cache hits of a server that has no discount for them.
  /(^|\.)num_cached_tokens$/,
  // The part of a total that is not in its reported parts.
  /(^|\.)(prompt_tokens_details|completion_tokens_details|input_tokens_details|output_tokens_details)\.text_tokens$/,
  /(^|\.)(prompt_cache_miss_tokens|uncached_tokens|nocachetokens|nocache|texttokens)$/,
  /(^|\.)(input_?token_?details|output_?token_?details|inputtokens|outputtokens)\.(text|texttokens|text_tokens|nocache|nocachetokens|total)$/,
  // The five-minute part of cache writes, which has the price of cache writes.
  /(^|\.)cache_creation\.ephemeral_5m_input_tokens$/,
  // Tools that are free of charge; only their tokens are billed.
  /(^|\.)(web_fetch_requests|mcp_calls|num_server_side_tools_used|url_context_calls)$/,
  // Quantities that are not billed.
  /(^|\.)(doc_size_bytes|totalbillablecharacters|total_billable_characters|num_images_generated|index|created|created_at)$/,
  // Counts of parts of a call, which the total of the call contains.
  /(^|\.)gen_ai\.usage\.details\.(input|output)_tokens$/,
  // The provider's original values, which an SDK also reports in its own fields.
  /(^|\.)raw\./,
]

/** The limits of the search for numbers in a usage object. */
const MAX_NUMBERS = 500
const MAX_DEPTH = 8
const MAX_NAMED = 5

/**
 * Returns warnings about the positive numbers of a usage object that no rule explains. The last warning counts the
 * numbers that are not named.
 */
export function unreadNumbers(root: Located, seen: ReadonlySet<string>): string[] {
  const unread = [...numbersOf(root.value, root.path, 0)].slice(0, MAX_NUMBERS).filter(({ path, value }) => {
    if (value <= 0 || seen.has(path)) return false
    const name = path.toLowerCase()
    // The attributes of a span may also contain values other than usage.
    if (root.path.endsWith('attributes') && !/usage|token_count/.test(name)) return false
    return !REDUNDANT.some((pattern) => pattern.test(name))
  })
  const named = unread.slice(0, MAX_NAMED).map(({ path, value }) => unreadUsage(`${path} is ${value}`))
  const more = unread.length - named.length
  return more > 0 ? [...named, unreadUsage(`${more} more numbers are not read`)] : named
}

/** Returns the warning about usage that is not in the cost. */
export function unreadUsage(what: string): string {
  return `unread_usage: ${what}; this usage is not in the cost`
}

function* numbersOf(
  value: unknown,
  path: string,
  depth: number,
): Generator<{ readonly path: string; readonly value: number }> {
  if (typeof value === 'number') yield { path, value }
  if (depth > MAX_DEPTH) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.slice(0, MAX_NUMBERS).entries()) {
      yield* numbersOf(item, `${path}[${index}]`, depth + 1)
    }
  } else if (isRecord(value)) {
    for (const key of Object.keys(value).slice(0, MAX_NUMBERS)) {
      yield* numbersOf(value[key], path === '' ? key : `${path}.${key}`, depth + 1)
    }
  }
}
