import type { UsageUnit } from '../units.ts'
import type { Usage } from '../usage.ts'
import { isRecord, ownValue, type Reading } from './rules.ts'
import { unreadUsage } from './unread.ts'

/**
 * Corrects the usage of a reading. In the same API or SDK, the output of some providers includes reasoning tokens and
 * the output of others does not. The same is true for input and cached tokens. The total of the response, or a part
 * that exceeds its count, shows whether the counts include these tokens.
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
        `${cached} cached tokens are more than the ${input_tokens} input tokens, so they are added to the input tokens`,
      )
    }
  }
  return { usage, warnings }
}

interface Sums {
  readonly input: number
  readonly output: number
  readonly reasoning: number
  /** The total number of tokens; undefined if the response has no total. */
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
  // Google's OpenAI-compatible endpoint counts thoughts only in the total, not in the completion tokens.
  else if (isGoogle && rest > 0) beside(rest)
  else if (total !== undefined && rest === 0) usage.output_tokens = output
  else if (rest > 0 && rest === cached) usage.input_tokens = input + cached
  else if (rest > 0) warnings.push(unreadUsage(`the total exceeds input and output by ${rest}`))
}

/**
 * Returns the counts of a chat completion or of the AI SDK from which `correctOutput` finds out what they include;
 * undefined if the response has no such counts or is a response of Perplexity.
 */
function reportedSums(root: Record<string, unknown>): Sums | undefined {
  // Perplexity bills reasoning and citations separately from the completion. Its total does not include them, so it
  // shows nothing about them.
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
