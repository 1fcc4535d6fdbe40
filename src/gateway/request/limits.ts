import { isRecord } from '../../ledger/model/json.ts'
import { countOf, largestOf } from './fields.ts'

/** Reads the limits of output tokens in a request body. Their names depend on the API and on the provider. */

type Body = Readonly<Record<string, unknown>>
type Path = readonly [string, ...string[]]

/** A limit of output tokens: its path in the body, and its value if the body sets it. */
export interface OutputLimit {
  readonly path: readonly string[]
  readonly tokens?: number
}

interface Limited {
  readonly limits: readonly OutputLimit[]
  readonly max_output?: number
}

/**
 * Returns the output limits at some paths. If the body contains several limits, `max_output` is the largest, because it
 * is not known which of them the provider uses.
 */
export function limited(body: Body, ...paths: readonly [Path, ...Path[]]): Limited {
  const limits = paths.flatMap((path) => {
    const tokens = countOf(
      path.reduce<unknown>((node, name) => (isRecord(node) ? node[name] : undefined), body),
    )
    return tokens === undefined ? [] : [{ path, tokens }]
  })
  if (limits.length === 0) return { limits: [{ path: paths[0] }] }
  return { limits, max_output: Math.max(...limits.map(({ tokens }) => tokens)) }
}

/**
 * The providers whose API of chat completions has the limit `max_completion_tokens`. The others have `max_tokens`, and
 * some of them refuse the other name, such as Mistral.
 */
const RENAMED_LIMIT: ReadonlySet<string> = new Set(['openai', 'azure', 'cerebras'])
/** The providers that ignore a limit with the name `max_completion_tokens`. */
const IGNORE_RENAMED: ReadonlySet<string> = new Set(['deepseek'])

/**
 * Returns the output limits of a call that a provider reads. If the body has none, returns the path where the provider
 * accepts one.
 */
export function limitsAt(provider: string, { limits }: Limited): readonly OutputLimit[] {
  const isRenamed = ({ path }: OutputLimit) => path[0] === 'max_completion_tokens'
  const read = IGNORE_RENAMED.has(provider) ? limits.filter((limit) => !isRenamed(limit)) : limits
  const [first] = read
  if (first?.tokens !== undefined || limits.length === 0) return read
  return !first || (isRenamed(first) && !RENAMED_LIMIT.has(provider)) ? [{ path: ['max_tokens'] }] : read
}

/** Returns the maximum number of output tokens of one completion at a provider; undefined if there is no limit. */
export function maxOutputAt(provider: string, { limits, max_output }: Limited): number | undefined {
  if (limits.length === 0) return max_output
  return largestOf(limitsAt(provider, { limits }).map(({ tokens }) => tokens))
}
