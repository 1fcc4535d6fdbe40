import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ancestors, contains, overlap, partitions, UNIT_NAMES } from '../../src/pricing/units.ts'
import { checkUsage, clampUsage, isUsageUnit, USAGE_UNITS, type Usage } from '../../src/pricing/usage.ts'

describe('the units', () => {
  it('are those of the contract', () => {
    const contract = `input_tokens input_text_tokens input_audio_tokens input_image_tokens input_video_tokens
      input_tool_tokens input_text_tool_tokens cache_read_tokens cache_text_read_tokens cache_audio_read_tokens
      cache_image_read_tokens cache_video_read_tokens cache_write_tokens cache_write_5m_tokens
      cache_write_1h_tokens output_tokens output_text_tokens output_reasoning_tokens output_audio_tokens
      output_image_tokens output_video_tokens output_citation_tokens output_images input_images video_seconds
      audio_seconds input_audio_seconds input_characters input_document_pages requests web_searches
      storage_searches code_executions`
    for (const unit of contract.split(/\s+/)) expect(isUsageUnit(unit), unit).toBe(true)
    expect(isUsageUnit('api_calls')).toBe(false)
    expect(isUsageUnit('__proto__')).toBe(false)
  })

  it('contain one another as the contract states', () => {
    expect(ancestors('cache_audio_read_tokens')).toEqual(
      expect.arrayContaining(['input_tokens', 'input_audio_tokens', 'cache_read_tokens']),
    )
    expect(contains('cache_write_tokens', 'cache_write_1h_tokens')).toBe(true)
    expect(contains('audio_seconds', 'input_audio_seconds')).toBe(true)
    expect(contains('input_tokens', 'output_tokens')).toBe(false)
    expect(overlap('input_audio_tokens', 'cache_read_tokens')).toBe('cache_audio_read_tokens')
    expect(overlap('input_audio_tokens', 'input_text_tokens')).toBeUndefined()
    expect(partitions('output_tokens')[1]).toEqual(['output_reasoning_tokens', 'output_citation_tokens'])
  })

  it('have exactly one unit for every overlap', () => {
    for (const a of UNIT_NAMES) {
      for (const b of UNIT_NAMES) {
        const { facets: one, family } = USAGE_UNITS[a]
        const { facets: two, family: other } = USAGE_UNITS[b]
        const clash = Object.entries(one).some(([facet, value]) =>
          Object.entries(two).some(([f, v]) => f === facet && v !== value),
        )
        if (family !== other || clash || a === b || contains(a, b) || contains(b, a)) continue
        // Any other pair of units must have a common unit, which counts the quantity that both include.
        expect(overlap(a, b), `${a} and ${b}`).toBeDefined()
      }
    }
  })
})

describe('checking usage', () => {
  it.each([
    ['nothing', {}, {}],
    ['parts inside their totals', { input_tokens: 10, cache_read_tokens: 4, input_audio_tokens: 8 }, {}],
    ['a lone part, whose total is then filled in', { cache_read_tokens: 100 }, { input_tokens: 100 }],
    ['a lone part of a part', { cache_write_1h_tokens: 7 }, { input_tokens: 7, cache_write_tokens: 7 }],
    [
      'parts of one partition',
      { input_text_tokens: 3, input_audio_tokens: 4, cache_read_tokens: 2 },
      { input_tokens: 7 },
    ],
    [
      'parts that overlap',
      { input_tokens: 100, input_audio_tokens: 60, cache_read_tokens: 60, cache_audio_read_tokens: 20 },
      {},
    ],
    [
      'parts of several partitions, whose total is then filled in from the largest',
      { input_audio_tokens: 5, cache_read_tokens: 10, cache_write_tokens: 2 },
      { input_tokens: 12 },
    ],
    ['seconds with decimals', { audio_seconds: 1.25, input_audio_seconds: 1.25 }, {}],
    [
      'a lone part in seconds',
      { input_audio_seconds: 0.1, output_audio_seconds: 0.2 },
      { audio_seconds: 0.3 },
    ],
  ] as const)('accepts %s', (_what, usage, filled) => {
    expect(checkUsage(usage)).toEqual({ usage: { ...usage, ...filled }, problems: [] })
  })

  it.each<[string, Usage, string, RegExp]>([
    [
      'a part above its total',
      { input_tokens: 10, cache_read_tokens: 11 },
      'input_tokens',
      /less than its parts.*11/,
    ],
    [
      'parts above their total together',
      { output_tokens: 10, output_text_tokens: 6, output_audio_tokens: 5 },
      'output_tokens',
      /add up to 11/,
    ],
    [
      'a split above what it splits',
      { input_tokens: 50, cache_write_tokens: 10, cache_write_5m_tokens: 6, cache_write_1h_tokens: 6 },
      'cache_write_tokens',
      /add up to 12/,
    ],
    ['a total of zero with a part', { input_tokens: 0, cache_read_tokens: 1 }, 'input_tokens', /is 0/],
    [
      'overlaps that contradict their totals',
      { input_tokens: 100, input_audio_tokens: 100, cache_read_tokens: 100, cache_audio_read_tokens: 5 },
      'cache_audio_read_tokens',
      /overlap by at least 100/,
    ],
    ['negative tokens', { input_tokens: -1 }, 'input_tokens', /negative/],
    ['fractions of tokens', { output_tokens: 1.5 }, 'output_tokens', /whole number/],
    ['a value that is not a number', { output_tokens: Number.NaN }, 'output_tokens', /not a number/],
    [
      'a total below two partitions, and names only the largest',
      { input_tokens: 1, input_audio_tokens: 5, cache_read_tokens: 10 },
      'input_tokens',
      /is 1, .*add up to 10/,
    ],
    ['an infinite quantity', { output_tokens: Number.POSITIVE_INFINITY }, 'output_tokens', /above 1/],
    ['too many', { input_tokens: 1e13 + 1 }, 'input_tokens', /above 10000000000000/],
  ])('refuses %s', (_what, usage, unit, message) => {
    expect(checkUsage(usage).problems).toEqual([{ unit, message: expect.stringMatching(message) }])
  })
})

describe('clamping usage', () => {
  it.each<[string, Usage, Usage]>([
    [
      'raises a total to its parts: what was reported is never dropped',
      { input_tokens: 10, cache_read_tokens: 500 },
      { input_tokens: 500, cache_read_tokens: 500 },
    ],
    [
      'takes negatives for zero',
      { input_tokens: -5, output_tokens: 3 },
      { input_tokens: 0, output_tokens: 3 },
    ],
    ['takes fractions to the nearest whole', { input_tokens: 10.4 }, { input_tokens: 10 }],
    ['counts a value that is not a number as zero', { input_tokens: Number.NaN }, { input_tokens: 0 }],
    ['limits absurd quantities', { input_tokens: 1e300 }, { input_tokens: 1e13 }],
    ['limits an infinite quantity', { input_tokens: Number.POSITIVE_INFINITY }, { input_tokens: 1e13 }],
    [
      'raises a total to the largest of its partitions',
      { input_tokens: 1, input_audio_tokens: 5, cache_read_tokens: 10 },
      { input_tokens: 10, input_audio_tokens: 5, cache_read_tokens: 10 },
    ],
    [
      'raises an overlap that is too small for its totals',
      { input_tokens: 10, input_audio_tokens: 10, cache_read_tokens: 10, cache_audio_read_tokens: 1 },
      { input_tokens: 10, input_audio_tokens: 10, cache_read_tokens: 10, cache_audio_read_tokens: 10 },
    ],
  ])('%s, with a warning', (_what, usage, clamped) => {
    const result = clampUsage(usage)
    expect(result.usage).toEqual(clamped)
    expect(result.warnings).toHaveLength(1)
  })

  it('fills in a missing total from the largest partition of its parts, without a warning', () => {
    const usage = { input_audio_tokens: 5, cache_read_tokens: 10 }
    expect(clampUsage(usage)).toEqual({ usage: { ...usage, input_tokens: 10 }, warnings: [] })
  })

  it('names the change of an infinite quantity', () => {
    const { warnings } = clampUsage({ output_tokens: Number.POSITIVE_INFINITY })
    expect(warnings).toEqual(['output_tokens is above 10000000000000; it is counted as 10000000000000'])
  })

  it('leaves consistent usage unchanged, without a warning', () => {
    const usage = { input_tokens: 10, cache_read_tokens: 4, output_tokens: 2 }
    expect(clampUsage(usage)).toEqual({ usage, warnings: [] })
  })

  it('always returns consistent usage', () => {
    const wild = fc.dictionary(
      fc.constantFrom(...UNIT_NAMES),
      fc.oneof(fc.double(), fc.nat(1000), fc.nat(1e13)),
    )
    fc.assert(
      fc.property(wild, (usage) => {
        const once = clampUsage(usage).usage
        const big = Object.values(once).some((quantity) => quantity > 1e13)
        // A warning is allowed for a very large quantity, because the sum of its parts can exceed the bound.
        return big || clampUsage(once).warnings.length === 0
      }),
      { numRuns: 10_000 },
    )
  })
})
