import type { UsageUnit } from '../units.ts'
import type { Usage } from '../usage.ts'
import { isRecord, ownValue, type Reading } from './rules.ts'
import { unreadUsage } from './unread.ts'

/**
 * Corrects a reading by its own arithmetic. Whether reasoning is inside the output or beside it, and cached
 * tokens inside the input or beside it, depends on the provider behind an API or an SDK; the totals of the
 * response show it.
 */
export function correctedSums(
  reading: Reading,
  isGoogle: boolean,
): { readonly usage: Usage; readonly warnings: readonly string[] } {
  const usage: { [U in UsageUnit]?: number } = { ...reading.usage }
  const warnings: string[] = []
  const sums = reportedSums(reading.root.value)
  if (sums !== undefined) correctOutput(usage, sums, isGoogle, warnings)
  const { input_tokens = 0, cache_read_tokens = 0, cache_write_tokens = 0 } = usage
  const cached = cache_read_tokens + cache_write_tokens
  if (cached > input_tokens) {
    usage.input_tokens = input_tokens + cached
    if (input_tokens > 0) {
      warnings.push(
        `${cached} cached tokens are more than the ${input_tokens} input tokens, so they are counted beside them`,
      )
    }
  }
  return { usage, warnings }
}

interface Sums {
  readonly input: number
  readonly output: number
  readonly reasoning: number
  /** Is undefined if the response has none. */
  readonly total: number | undefined
}

function correctOutput(
  usage: { [U in UsageUnit]?: number },
  { input, output, reasoning, total }: Sums,
  isGoogle: boolean,
  warnings: string[],
): void {
  const beside = (tokens: number) => {
    usage.output_tokens = output + tokens
    usage.output_reasoning_tokens = tokens
  }
  const rest = total === undefined ? 0 : total - input - output
  const cached = (usage.cache_read_tokens ?? 0) + (usage.cache_write_tokens ?? 0)
  if (reasoning > 0 && (rest === reasoning || reasoning > output)) beside(reasoning)
  // Google's endpoint for clients of OpenAI reports thoughts by the total alone.
  else if (isGoogle && rest > 0) beside(rest)
  else if (total !== undefined && rest === 0) usage.output_tokens = output
  else if (rest > 0 && rest === cached) usage.input_tokens = input + cached
  else if (rest > 0) warnings.push(unreadUsage(`the total exceeds input and output by ${rest}`))
}

/** Returns the totals of chat completions and of AI SDKs, whose details depend on the provider behind them. */
function reportedSums(root: Record<string, unknown>): Sums | undefined {
  // Perplexity bills reasoning and citations beside the completion, and its total leaves them out.
  if (Object.hasOwn(root, 'citation_tokens') || Object.hasOwn(root, 'num_search_queries')) return undefined
  const at = (...path: readonly string[]): number | undefined => {
    let value: unknown = root
    for (const key of path) value = isRecord(value) ? ownValue(value, key) : undefined
    return typeof value === 'number' ? value : undefined
  }
  const input = at('prompt_tokens') ?? at('inputTokens') ?? at('promptTokens')
  const output = at('completion_tokens') ?? at('outputTokens') ?? at('completionTokens')
  if (input === undefined || output === undefined) return undefined
  return {
    input,
    output,
    reasoning:
      at('completion_tokens_details', 'reasoning_tokens') ??
      at('reasoning_tokens') ??
      at('outputTokenDetails', 'reasoningTokens') ??
      at('reasoningTokens') ??
      0,
    total: at('total_tokens') ?? at('totalTokens'),
  }
}
