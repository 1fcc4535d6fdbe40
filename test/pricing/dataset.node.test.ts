import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { providerCost } from '../../src/pricing/cost/cost.ts'
import { extractUsage } from '../../src/pricing/extract/extract.ts'
import { checkUsage } from '../../src/pricing/usage.ts'
import { MISREADINGS } from './misreadings.ts'
import { exactUsd, sharedData } from './support.ts'

/**
 * A recorded response of a provider API, with the usage and the price that an independent project has determined for
 * it. The data set has responses of 29 APIs, and is stored outside of this repository.
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

  it.each([...groups])('%s: the same cost without the name of the api', (_name, group) => {
    const wrong = group.filter(readByItsOwnApi).flatMap((recorded) => costDifferences(recorded, undefined))
    expect(wrong).toEqual([])
  })
})

/**
 * Reports whether the meter would read the body with the same rules as the data set. For some bodies of OpenAI, the
 * data set has results of Anthropic's rules, which the meter uses only if `provider_api` requests them.
 */
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
