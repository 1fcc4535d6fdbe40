import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { providerCost } from '../../src/pricing/cost/cost.ts'
import { extractUsage } from '../../src/pricing/extract/extract.ts'
import { checkUsage } from '../../src/pricing/usage.ts'
import { exactUsd, sharedData } from './support.ts'

/**
 * Recorded responses of 29 provider APIs with the usage and prices that an independent project worked out for
 * them. They lie beside the project and are not part of it.
 */
interface Case {
  readonly provider: string
  readonly api: string
  readonly model: string
  readonly at: string
  readonly body: unknown
  readonly usage: Record<string, number>
  readonly input_cost_usd: string
  readonly output_cost_usd: string
}

const path = join(sharedData, 'provider-responses.json')

function readCases(): Case[] {
  if (!existsSync(path)) return []
  const cases: Case[] = JSON.parse(readFileSync(path, 'utf8'))
  return cases
}

/**
 * Rows whose own reading is wrong, by what is wrong with it. Their usage and cost are not compared: the right ones are
 * rows of `situations.node.test.ts`.
 */
const MISREADINGS: readonly { readonly what: string; readonly isOne: (recorded: Case) => boolean }[] = [
  {
    what: 'Azure bills cache writes of GPT-5.6 at 1.25 times input; the rows have plain input',
    isOne: ({ provider, body }) =>
      provider === 'azure' && /"cache_write_tokens":[1-9]/.test(JSON.stringify(body)),
  },
  {
    what: 'the total of Google’s OpenAI endpoint includes thoughts; the rows leave them out',
    isOne: ({ provider, api, body }) => provider === 'google' && api === 'chat' && hasHiddenThoughts(body),
  },
  {
    what: 'an advisor is billed at its own model; the rows leave it out',
    isOne: ({ body }) => JSON.stringify(body).includes('advisor_message'),
  },
]

function hasHiddenThoughts(body: unknown): boolean {
  const [, completion, prompt, total] =
    /"completion_tokens":(\d+).*"prompt_tokens":(\d+).*"total_tokens":(\d+)/.exec(JSON.stringify(body)) ?? []
  return Number(total) > Number(prompt) + Number(completion)
}

const recordings = readCases()
const cases = recordings.filter((recorded) => !MISREADINGS.some(({ isOne }) => isOne(recorded)))
if (cases.length === 0) console.warn(`skipped: recorded provider responses are not at ${path}`)

describe.skipIf(cases.length === 0)('recorded provider responses', () => {
  it.each(MISREADINGS)('are misread in a few rows: $what', ({ isOne }) => {
    expect(recordings.filter(isOne).length).toBeGreaterThan(0)
    expect(recordings.filter(isOne).length).toBeLessThan(10)
  })

  const groups = Map.groupBy(cases, ({ provider, api }) => `${provider} ${api}`)

  it.each([...groups])('%s: every body gives its usage and its exact cost', (_name, group) => {
    const wrong = group.flatMap((recorded) => [
      ...usageDifferences(recorded),
      ...costDifferences(recorded, recorded.api),
    ])
    expect(wrong).toEqual([])
  })

  it.each([...groups])('%s: the same cost without being told the api', (_name, group) => {
    const wrong = group.filter(readByItsOwnApi).flatMap((recorded) => costDifferences(recorded, undefined))
    expect(wrong).toEqual([])
  })
})

/** Some bodies of OpenAI's are also recorded as read by Anthropic's rules, which nobody would guess. */
function readByItsOwnApi({ api, body }: Case): boolean {
  return api !== 'anthropic' || !JSON.stringify(body).includes('input_tokens_details')
}

function usageDifferences({ provider, api, body, usage }: Case): unknown[] {
  const extracted = extractUsage(findProvider(provider), api, body)
  if (extracted.kind === 'error') return [{ body, error: extracted.message }]
  const [ours, expected] = [extracted.usage, usage].map((units) =>
    JSON.stringify(Object.entries(units).sort()),
  )
  return ours === expected ? [] : [{ body, ours, expected }]
}

function costDifferences(recorded: Case, api: string | undefined): unknown[] {
  const provider = findProvider(recorded.provider)
  const extracted = extractUsage(provider, api, recorded.body)
  if (provider === undefined || extracted.kind === 'error') return [{ body: recorded.body, extracted }]
  const { usage, problems } = checkUsage(extracted.usage)
  if (problems.length > 0) return [{ body: recorded.body, problems }]
  const result = providerCost({ provider, model: recorded.model, usage, at_ms: Date.parse(recorded.at) })
  if (result.kind !== 'priced') return [{ model: recorded.model, result }]
  const expected = exactUsd(recorded.input_cost_usd).add(exactUsd(recorded.output_cost_usd))
  const ours = exactUsd(result.cost)
  return ours.equals(expected)
    ? []
    : [{ model: recorded.model, usage, ours: `${ours}`, expected: `${expected}` }]
}
