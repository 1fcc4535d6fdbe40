import { isRecord, type Located } from './rules.ts'

/**
 * The patterns for the paths of numbers that are not needed. A positive number in a usage object causes a warning if no
 * rule reads it and no pattern matches its path. Numbers that are not needed are totals, parts that another number
 * includes, copies of other numbers, times, costs, services that are free of charge, and quantities that are not
 * billed.
 */
const REDUNDANT: readonly RegExp[] = [
  // Totals of the other numbers.
  /(^|\.)(total_tokens|totaltokens|totaltokencount|total_token_count|tokens_total|num_total_tokens)$/,
  /(^|\.)(gen_ai\.usage|llm\.usage|llm\.token_count)\.(total|total_tokens)$/,
  // Times and speeds.
  /(^|[._])(prompt|completion|queue|total|load|eval|prompt_eval|generation)_?(time|duration)$|latency|_ms$|_per_sec(ond)?$/,
  // Costs. `reportedCostWarning` compares the cost of the call with our cost.
  /(^|[._])cost([._]|$)|cost_|_cost|(^|\.)is_byok$|ticks$/,
  // Accepted and rejected prediction tokens, which the count of completion tokens includes.
  /(accepted|rejected)_?prediction_?tokens$/,
  // Thinking tokens at a reseller. They are part of the output, and resellers have no separate price for them.
  /(^|\.)output_tokens_details\.thinking_tokens$/,
  // Cache hits of servers that give no discount for cache hits.
  /(^|\.)num_cached_tokens$/,
  // The rest of a total, for example text tokens or uncached tokens, which is billed at the price of the total.
  /(^|\.)(prompt_tokens_details|completion_tokens_details|input_tokens_details|output_tokens_details)\.text_tokens$/,
  /(^|\.)(prompt_cache_miss_tokens|uncached_tokens|nocachetokens|nocache|texttokens)$/,
  /(^|\.)(input_?token_?details|output_?token_?details|inputtokens|outputtokens)\.(text|texttokens|text_tokens|nocache|nocachetokens|total)$/,
  // Five-minute cache writes, which are billed at the price of cache writes.
  /(^|\.)cache_creation\.ephemeral_5m_input_tokens$/,
  // Tools that are free of charge; only their tokens are billed.
  /(^|\.)(web_fetch_requests|mcp_calls|num_server_side_tools_used|url_context_calls)$/,
  // Quantities that are not billed.
  /(^|\.)(doc_size_bytes|totalbillablecharacters|total_billable_characters|num_images_generated|index|created|created_at)$/,
  // Counts of parts of a call, which the totals of the call include.
  /(^|\.)gen_ai\.usage\.details\.(input|output)_tokens$/,
  // The original values of the provider. The SDK also reports them in its own fields.
  /(^|\.)raw\./,
]

/** The limits of the search for numbers in a usage object, and of the warnings about them. */
const MAX_NUMBERS = 500
const MAX_DEPTH = 8
const MAX_NAMED = 5

/**
 * Returns a warning for each positive number of a usage object that no rule reads and no pattern of `REDUNDANT`
 * matches. If there are more than `MAX_NAMED` such numbers, the last warning contains only the count of the others.
 */
export function unreadNumbers(root: Located, seen: ReadonlySet<string>): string[] {
  const unread = [...numbersOf(root.value, root.path, 0)].slice(0, MAX_NUMBERS).filter(({ path, value }) => {
    if (value <= 0 || seen.has(path)) return false
    const name = path.toLowerCase()
    // The attributes of a span can also contain values other than usage.
    if (root.path.endsWith('attributes') && !/usage|token_count/.test(name)) return false
    return !REDUNDANT.some((pattern) => pattern.test(name))
  })
  const named = unread.slice(0, MAX_NAMED).map(({ path, value }) => unreadUsage(`${path} is ${value}`))
  const more = unread.length - named.length
  return more > 0 ? [...named, unreadUsage(`other numbers are not read (${more})`)] : named
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
