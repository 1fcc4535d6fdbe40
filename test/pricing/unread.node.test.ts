import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { extractUsage } from '../../src/pricing/extract/extract.ts'
import { isRecord } from '../../src/pricing/extract/rules.ts'
import { sharedData } from './support.ts'

interface Recorded {
  readonly provider: string
  readonly body: unknown
}

const path = join(sharedData, 'provider-responses.json')
const recordings: Recorded[] = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []
if (recordings.length === 0) console.warn(`skipped: recorded provider responses are not at ${path}`)

type Path = readonly (string | number)[]

/**
 * Matches the names of numbers in recorded usage that do not affect the cost: numbers that other numbers include,
 * times, and quantities that are free.
 */
const REDUNDANT =
  /total|_time$|cost|prediction_tokens$|details\.text_tokens$|ephemeral_5m|prompt_cache_miss|web_fetch_requests|num_cached_tokens|thinking_tokens$/i

describe.skipIf(recordings.length === 0)('every number of a recorded usage object', () => {
  it('changes the reading or a warning, or is known as redundant', () => {
    const ignored = new Set<string>()
    let numbers = 0
    for (const { provider, body } of recordings) {
      const before = reading(provider, body)
      for (const at of usageNumbers(body)) {
        numbers += 1
        const after = reading(
          provider,
          changed(body, at, (value) => value + 1_000_003),
        )
        const name = at.filter((key) => typeof key === 'string').join('.')
        if (after === before && !REDUNDANT.test(name)) ignored.add(`${provider} ${name}`)
      }
    }
    expect([...ignored]).toEqual([])
    expect(numbers).toBeGreaterThan(8_000)
  })

  it('is named in a warning if it is unknown', () => {
    const name = fc.stringMatching(/^[a-z]{3,8}_quanta$/)
    fc.assert(
      fc.property(
        fc.constantFrom(...recordings),
        name,
        fc.integer({ min: 1, max: 1e9 }),
        (recorded, key, value) => {
          const part = isRecord(recorded.body)
            ? Object.keys(recorded.body).find((one) => /^usage/.test(one))
            : undefined
          if (part === undefined || !isRecord(recorded.body)) return
          const usage = recorded.body[part]
          const body = { ...recorded.body, [part]: { ...(isRecord(usage) ? usage : {}), [key]: value } }
          const result = extractUsage(findProvider(recorded.provider), undefined, body)
          expect(result).toMatchObject({
            warnings: expect.arrayContaining([
              `unread_usage: ${part}.${key} is ${value}; this usage is not in the cost`,
            ]),
          })
        },
      ),
      { numRuns: 500 },
    )
  })
})

/**
 * Returns the usage, the parts, the warnings and the reported cost of a body as JSON, or the error message if the body
 * cannot be read.
 */
function reading(provider: string, body: unknown): string {
  const result = extractUsage(findProvider(provider), undefined, body)
  if (result.kind === 'error') return result.message
  return JSON.stringify([result.usage, result.parts, result.warnings, result.reported_cost_usd])
}

function usageNumbers(body: unknown): Path[] {
  if (!isRecord(body)) return []
  return Object.keys(body)
    .filter((key) => /^usage/.test(key))
    .flatMap((key) => [...numbersIn(body[key], [key])])
}

function* numbersIn(value: unknown, at: Path): Generator<Path> {
  if (typeof value === 'number') yield at
  if (Array.isArray(value))
    for (const [index, item] of value.entries()) yield* numbersIn(item, [...at, index])
  else if (isRecord(value)) for (const key of Object.keys(value)) yield* numbersIn(value[key], [...at, key])
}

function changed(value: unknown, [key, ...rest]: Path, change: (value: number) => number): unknown {
  if (key === undefined) return typeof value === 'number' ? change(value) : value
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === key ? changed(item, rest, change) : item))
  return isRecord(value) ? { ...value, [key]: changed(value[key], rest, change) } : value
}
