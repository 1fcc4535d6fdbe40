import { describe, expect, it } from 'vitest'
import { checkBurnTable } from '../../src/pricing/burn-table/check.ts'
import type { BurnRule, RuleMatch } from '../../src/pricing/burn-table/definition.ts'
import { costing, credits, definition, table } from './burn-table-support.ts'

/**
 * Returns a burn table with a flat rule for each match. The first rule charges 1 credit, the second 2 credits, and so
 * on. An event that matches no rule costs 0.5 credits.
 */
function tableOf(matches: readonly RuleMatch[]) {
  return table(
    matches.map((match, index): BurnRule => ({ match, method: 'flat', amount: String(index + 1) })),
  )
}

function chosen(
  matches: readonly RuleMatch[],
  event: { feature_id?: string; provider?: string; model?: string },
) {
  const { cost } = costing('0.00025')
  const bare = { feature_id: undefined, provider: undefined, model: undefined }
  return credits(tableOf(matches), { ...bare, ...event, cost })
}

const NONE = '0.5'
const EVENT = { feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o-mini' }

describe('the rule that matches an event', () => {
  it.each<[string, RuleMatch[], object, string]>([
    ['a name before its prefix', [{ model: 'gpt-4o-mini*' }, { model: 'gpt-4o-mini' }], EVENT, '2'],
    [
      'a longer prefix before a shorter one',
      [{ model: 'gpt-*' }, { model: 'gpt-4*' }, { model: 'g*' }],
      EVENT,
      '2',
    ],
    ['a prefix before any', [{ model: '*' }, { model: 'g*' }], EVENT, '2'],
    ['any by its star', [{ model: '*' }], EVENT, '1'],
    ['any by an empty match', [{}], EVENT, '1'],
    ['wherever it is in the list', [{}, { model: 'g*' }, { model: 'gpt-4o-mini' }], EVENT, '3'],
    ['the feature before the provider', [{ provider: 'openai' }, { feature: 'chat' }], EVENT, '2'],
    [
      'the feature before provider and model together',
      [{ provider: 'openai', model: 'gpt-4o-mini' }, { feature: 'c*' }],
      EVENT,
      '2',
    ],
    ['the provider before the model', [{ model: 'gpt-4o-mini' }, { provider: 'o*' }], EVENT, '2'],
    [
      'the model where feature and provider are equal',
      [
        { feature: 'chat', provider: 'openai' },
        { feature: 'chat', provider: 'openai', model: 'g*' },
      ],
      EVENT,
      '2',
    ],
    [
      'none that asks for another feature',
      [{ feature: 'Chat' }, { feature: 'chats' }, { feature: 'chat*x' }],
      EVENT,
      NONE,
    ],
    [
      'none that asks for a feature of an event without one',
      [{ feature: 'c*' }],
      { provider: 'OPENAI' },
      NONE,
    ],
    ['any feature of an event without one', [{ feature: '*' }], { provider: 'OPENAI' }, '1'],
    [
      'none that asks for a provider of an event without one',
      [{ provider: 'openai' }],
      { feature_id: 'x' },
      NONE,
    ],
    ['none that asks for a model of an event without one', [{ model: 'g*' }], { feature_id: 'x' }, NONE],
    ['a provider in any spelling', [{ provider: 'Open_AI' }], EVENT, '1'],
    ['a provider by another of its names', [{ provider: 'bedrock' }], { provider: 'AMAZON' }, '1'],
    [
      'a provider by the beginning of the name that records have',
      [{ provider: 'AMA*' }],
      { provider: 'AMAZON' },
      '1',
    ],
    ['a provider by the beginning of its id', [{ provider: 'aw*' }], { provider: 'AMAZON' }, '1'],
    ['a provider of two words', [{ provider: 'stability-ai' }], { provider: 'STABILITY_AI' }, '1'],
    ['a model in any case', [{ model: 'GPT-4o-Mini' }], { ...EVENT, model: 'gpt-4O-mini' }, '1'],
    ['a name exactly, not one that begins with it', [{ model: 'gpt-4o' }], EVENT, NONE],
    ['a feature in its own case', [{ feature: 'chat' }], { feature_id: 'CHAT' }, NONE],
    ['a feature of one star and more', [{ feature: 'ch*' }], { feature_id: 'ch' }, '1'],
  ])('%s', (_, matches, event, result) => {
    expect(chosen(matches, event)).toBe(result)
  })
})

describe('two rules are ambiguous', () => {
  const flat = (match: RuleMatch): BurnRule => ({ match, method: 'flat', amount: '1' })
  const check = (...matches: RuleMatch[]) => checkBurnTable(definition(matches.map(flat)))

  it.each<[string, RuleMatch, RuleMatch]>([
    ['that are equal', { model: 'gpt-4o' }, { model: 'gpt-4o' }],
    ['that match everything', {}, { feature: '*', provider: '*', model: '*' }],
    ['that name a model in two cases', { model: 'gpt-4o' }, { model: 'GPT-4o' }],
    ['that name a provider in two spellings', { provider: 'stability_ai' }, { provider: 'Stability-AI' }],
    ['that name a provider by two names', { provider: 'aws' }, { provider: 'bedrock' }],
    ['with prefixes of the two names of a provider', { provider: 'aw*' }, { provider: 'AM*' }],
    ['with equal prefixes', { feature: 'a', model: 'gpt*' }, { feature: 'a', model: 'GPT*' }],
  ])('%s', (_, first, second) => {
    expect(check({ feature: 'z' }, first, second)).toEqual({
      kind: 'ambiguous',
      detail: `Ambiguous rules match the same events: rules[1] ${JSON.stringify(first)} and rules[2] ${JSON.stringify(second)}. Keep one rule of each pair.`,
    })
  })

  it.each<[string, RuleMatch, RuleMatch]>([
    ['of which one is narrower', { model: 'gpt-4o' }, { model: 'gpt-*' }],
    [
      'that overlap, because the feature decides',
      { feature: 'chat' },
      { provider: 'openai', model: 'gpt-4o' },
    ],
    ['that overlap in prefixes of different length', { feature: 'c*', model: 'gpt-4o' }, { feature: 'ch*' }],
    ['with features in two cases, which are two features', { feature: 'chat' }, { feature: 'Chat' }],
    ['that never match the same event', { model: 'a*' }, { model: 'b*' }],
    ['with prefixes of two providers', { provider: 'op*' }, { provider: 'an*' }],
    [
      'with prefixes of the names of a provider of different length',
      { provider: 'aw*' },
      { provider: 'ama*' },
    ],
    [
      'with prefixes of the names of a provider, but two models',
      { provider: 'aw*', model: 'a' },
      { provider: 'am*', model: 'b' },
    ],
    [
      'of which one has a prefix of an alias that records do not have',
      { provider: 'aw*' },
      { provider: 'be*' },
    ],
  ])('but two %s are not', (_, first, second) => {
    expect(check(first, second)).toEqual({ kind: 'sound' })
  })

  it('of which up to five pairs are named', () => {
    const result = check(...Array.from({ length: 9 }, () => ({})))
    expect(result).toMatchObject({
      detail: expect.stringMatching(
        /^.*rules\[0\].* and rules\[1\].*rules\[5\].*, and other pairs \(3\)\. Keep/,
      ),
    })
  })
})
