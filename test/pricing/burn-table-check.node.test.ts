import { describe, expect, it } from 'vitest'
import { checkBurnTable } from '../../src/pricing/burn-table/check.ts'
import type { BurnMethod, BurnRule, RuleMatch, Tier } from '../../src/pricing/burn-table/definition.ts'
import { definition } from './burn-table-support.ts'

function problems(method: BurnMethod, match: RuleMatch = {}) {
  const free: BurnRule = { match: { feature: 'free' }, method: 'flat', amount: '0' }
  const result = checkBurnTable(definition([free, { match, ...method }]))
  return result.kind === 'invalid' ? result.problems : result.kind
}

const flat = (unit: string): BurnMethod => ({ method: 'flat', amount: '1', unit })

describe('a unit of a burn table', () => {
  it.each([
    ['input_token', 'input_tokens'],
    ['inputtokens', 'input_tokens'],
    ['input_tokenss', 'input_tokens'],
    ['imput_tokens', 'input_tokens'],
    ['inupt_tokens', 'input_tokens'],
    ['tokens_input', 'input_tokens'],
    ['output_token', 'output_tokens'],
    ['cached_read_tokens', 'cache_read_tokens'],
    ['cache_reads_token', 'cache_read_tokens'],
    ['output_image', 'output_images'],
    ['images_output', 'output_images'],
    ['video_second', 'video_seconds'],
    ['request', 'requests'],
    ['web_search', 'web_searches'],
    ['code_execution', 'code_executions'],
  ])('%s is treated as a typo of %s', (written, meant) => {
    const message = `is too similar to a canonical unit. Did you mean ${meant}?`
    expect(problems(flat(written))).toEqual([{ path: '/rules/1/unit', message }])
    expect(problems({ method: 'package', unit: written, size: '1', amount: '1' })).toEqual([
      { path: '/rules/1/unit', message },
    ])
    expect(problems({ method: 'per_unit', rates: { [written]: { amount: '1', per: '1' } } })).toEqual([
      { path: `/rules/1/rates/${written}`, message },
    ])
  })

  it.each([
    'Input_Tokens',
    'input-tokens',
    'input tokens',
    '',
    '1st',
    '_x',
    'a'.repeat(65),
    'größe',
    '__proto__',
  ])('%j is not the name of a unit', (written) => {
    expect(problems(flat(written))).toEqual([
      { path: '/rules/1/unit', message: expect.stringContaining('must be a canonical unit, or') },
    ])
  })

  it.each([
    'input_tokens',
    'cache_write_1h_tokens',
    'requests',
    'api_calls',
    'seats',
    'pages',
    'x',
    'constructor',
  ])('%s is one', (written) => {
    expect(problems(flat(written))).toBe('sound')
  })
})

describe('the match of a rule', () => {
  it.each<[RuleMatch, string, string]>([
    [{ feature: 'a*b' }, '/rules/1/match/feature', 'may have * only at its end'],
    [{ model: '*gpt' }, '/rules/1/match/model', 'may have * only at its end'],
    [{ model: 'gpt**' }, '/rules/1/match/model', 'may have * only at its end'],
    [{ provider: 'opnai' }, '/rules/1/match/provider', 'is not a known provider. Did you mean openai'],
    [{ provider: 'o*i' }, '/rules/1/match/provider', 'may have * only at its end'],
  ])('%j is refused', (match, path, message) => {
    expect(problems(flat('x'), match)).toEqual([{ path, message: expect.stringContaining(message) }])
  })
})

describe('the tiers of a rule', () => {
  const end = (up_to: string | null): Tier => ({ up_to, unit_amount: '1' })
  it.each<[string, (string | null)[], [index: number, message: string][]]>([
    ['falling', ['20', '10', null], [[1, 'must be above 0 and above the up_to of the previous tier']]],
    ['equal', ['10', '10', null], [[1, 'must be above 0 and above the up_to of the previous tier']]],
    ['a first of 0', ['0', null], [[0, 'must be above 0 and above the up_to of the previous tier']]],
    ['no last null', ['10', '20'], [[1, 'must be null in the last tier']]],
    ['null before the last', [null, '20', null], [[0, 'must be a number: only the last tier has null']]],
    [
      'everything at once',
      [null, '5', '4'],
      [
        [0, 'must be a number: only the last tier has null'],
        [2, 'must be above 0 and above the up_to of the previous tier'],
        [2, 'must be null in the last tier'],
      ],
    ],
  ])('%s are refused', (_, ends, expected) => {
    const tiers = ends.map(end)
    const method: BurnMethod = { method: 'tiered', mode: 'volume', unit: 'x', period: 'DAILY', tiers }
    expect(problems(method)).toEqual(
      expected.map(([index, message]) => ({ path: `/rules/1/tiers/${index}/up_to`, message })),
    )
  })

  it('rising ones that end with null are valid', () => {
    const tiers = ['0.5', '1', '10000000000000', null].map(end)
    expect(problems({ method: 'tiered', mode: 'volume', unit: 'x', period: 'DAILY', tiers })).toBe('sound')
  })
})
