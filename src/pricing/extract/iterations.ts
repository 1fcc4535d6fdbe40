import { isUsageUnit, type UsageUnit } from '../units.ts'
import { MAX_QUANTITY, type Usage } from '../usage.ts'
import { isRecord, type Located, ownValue, type ReadQuantity } from './rules.ts'
import { unreadUsage } from './unread.ts'

/**
 * One of the calls of a response: a call that the response lists, or a tool's calls of another model. Each call is
 * billed at the price of its own model and its own context tier.
 */
export interface UsagePart {
  /** The model of the call; absent if it is the model of the response. */
  readonly model?: string
  readonly usage: Usage
}

export interface Iterations {
  readonly parts: readonly UsagePart[]
  readonly read: readonly ReadQuantity[]
  readonly seen: readonly string[]
  readonly warnings: readonly string[]
}

/** The maximum number of iterations that are read from one response. */
const MAX_ITERATIONS = 1000

const FIELDS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const

/**
 * Reads Anthropic's `usage.iterations`. The sum of the iterations is billed, because the counts outside this list do
 * not include compaction (platform.claude.com/docs/en/build-with-claude/compaction) and calls of advisors, which have
 * another model. Returns undefined if no iteration has a count of input tokens. Also returns undefined if the sum of
 * the iterations of the response's own model is less than a count outside the list.
 */
export function readIterations(root: Located, model: string | undefined): Iterations | undefined {
  const list = ownValue(root.value, 'iterations')
  if (!Array.isArray(list) || list.length === 0) return undefined
  const parts: UsagePart[] = []
  const read: ReadQuantity[] = []
  const seen: string[] = []
  for (const [index, item] of list.slice(0, MAX_ITERATIONS).entries()) {
    if (!isRecord(item) || count(item, 'input_tokens') === undefined) continue
    const path = `${root.path}.iterations[${index}]`
    const own = ownValue(item, 'model')
    const usage = partUsage(item)
    parts.push({ ...(typeof own === 'string' && own !== model ? { model: own } : {}), usage })
    for (const [unit, quantity] of entriesOf(usage)) read.push({ unit, path, quantity })
    seen.push(
      ...FIELDS.map((field) => `${path}.${field}`),
      `${path}.cache_creation.ephemeral_1h_input_tokens`,
    )
  }
  if (parts.length === 0) return undefined
  const own = parts.filter((part) => part.model === undefined).map(({ usage }) => usage)
  if (FIELDS.some((field) => total(own, field) < (count(root.value, field) ?? 0))) {
    return undefined
  }
  const warnings =
    list.length > MAX_ITERATIONS
      ? [unreadUsage(`${list.length} iterations are reported, and only the first ${MAX_ITERATIONS} are read`)]
      : []
  return { parts: withLongWrites(parts, root.value), read, seen, warnings }
}

/**
 * Returns the sum of one response field over some iterations. As in the response, the sum of `input_tokens` excludes
 * cached tokens.
 */
function total(usages: readonly Usage[], field: (typeof FIELDS)[number]): number {
  return usages.reduce((sum, usage) => {
    const { input_tokens = 0, cache_read_tokens = 0, cache_write_tokens = 0, output_tokens = 0 } = usage
    if (field === 'output_tokens') return sum + output_tokens
    if (field === 'cache_read_input_tokens') return sum + cache_read_tokens
    if (field === 'cache_creation_input_tokens') return sum + cache_write_tokens
    return sum + input_tokens - cache_read_tokens - cache_write_tokens
  }, 0)
}

function partUsage(item: Record<string, unknown>): Usage {
  const [input, output, read, written] = FIELDS.map((field) => count(item, field) ?? 0)
  const creation = ownValue(item, 'cache_creation')
  const hourly = isRecord(creation) ? (count(creation, 'ephemeral_1h_input_tokens') ?? 0) : 0
  const usage = {
    input_tokens: (input ?? 0) + (read ?? 0) + (written ?? 0),
    cache_read_tokens: read ?? 0,
    cache_write_tokens: written ?? 0,
    cache_write_1h_tokens: hourly,
    output_tokens: output ?? 0,
  }
  return Object.fromEntries(Object.entries(usage).filter(([, quantity]) => quantity > 0))
}

/**
 * Distributes the one-hour cache writes that the response reports only as a total. Assigns them to iterations of the
 * response's own model that wrote to the cache.
 */
function withLongWrites(parts: readonly UsagePart[], root: Record<string, unknown>): UsagePart[] {
  const creation = ownValue(root, 'cache_creation')
  const reported = isRecord(creation) ? (count(creation, 'ephemeral_1h_input_tokens') ?? 0) : 0
  let left = reported - parts.reduce((sum, { usage }) => sum + (usage.cache_write_1h_tokens ?? 0), 0)
  return parts.map((part) => {
    const { cache_write_tokens = 0, cache_write_1h_tokens = 0 } = part.usage
    const share = part.model === undefined ? Math.min(left, cache_write_tokens - cache_write_1h_tokens) : 0
    if (share <= 0) return part
    left -= share
    return { ...part, usage: { ...part.usage, cache_write_1h_tokens: cache_write_1h_tokens + share } }
  })
}

/** Returns the sum of the usage of several calls, for each unit. */
export function sumOf(parts: readonly { readonly usage: Usage }[]): Usage {
  const sum: { [U in UsageUnit]?: number } = {}
  for (const { usage } of parts)
    for (const unit in usage) if (isUsageUnit(unit)) sum[unit] = (sum[unit] ?? 0) + (usage[unit] ?? 0)
  return sum
}

/**
 * Returns the usage that a response reports only for all calls together, for example searches. Omits the count of
 * reasoning tokens, which are part of the output tokens of the calls.
 */
export function countsOfAllCalls(parts: readonly { readonly usage: Usage }[], usage: Usage): Usage {
  const ofCalls = sumOf(parts)
  const { output_reasoning_tokens: _inside, ...others } = usage
  return Object.fromEntries(Object.entries(others).filter(([unit]) => !Object.hasOwn(ofCalls, unit)))
}

function entriesOf(usage: Usage): (readonly [UsageUnit, number])[] {
  const units = [
    'input_tokens',
    'cache_read_tokens',
    'cache_write_tokens',
    'cache_write_1h_tokens',
    'output_tokens',
  ] as const
  return units.flatMap((unit) => (usage[unit] === undefined ? [] : [[unit, usage[unit]] as const]))
}

function count(record: Record<string, unknown>, key: string): number | undefined {
  const value = ownValue(record, key)
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_QUANTITY
    ? value
    : undefined
}
