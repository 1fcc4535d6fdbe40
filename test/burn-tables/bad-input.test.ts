import { beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, type Json, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { postTable } from './support.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

type Case = [what: string, fields: Json, path: string, message: string]

const rule = (fields: Json) => ({ rules: [{ match: {}, ...fields }] })
const costPlus = (fields: Json) => rule({ method: 'cost_plus', markup_percent: 1, ...fields })
const perUnit = (rates: unknown) => rule({ method: 'per_unit', rates })
const flat = (fields: Json) => rule({ method: 'flat', amount: 1, ...fields })
const packages = (fields: Json) => rule({ method: 'package', unit: 'x', size: 1, amount: 1, ...fields })
const tiered = (fields: Json) =>
  rule({
    method: 'tiered',
    mode: 'graduated',
    unit: 'x',
    tiers: [{ up_to: null, unit_amount: 1 }],
    ...fields,
  })
const tiers = (...list: Json[]) => tiered({ tiers: list.map((tier) => ({ unit_amount: 1, ...tier })) })
const up_to = (end: unknown) => ({ up_to: end })

const NOT_AN_AMOUNT = 'must be a number, or a string with a plain decimal'
const MANY = { length: 10_000 }

const cases: Case[] = [
  ['no name', { name: undefined }, '/name', 'required'],
  ['an empty name', { name: '' }, '/name', 'must have 1 to 255 characters'],
  ['a name of 256 characters', { name: 'x'.repeat(256) }, '/name', 'must have 1 to 255 characters'],
  ['a name of the wrong type', { name: 7 }, '/name', 'must be a string'],
  ['an unknown field', { version: 2 }, '/version', 'unknown field'],
  ['0 credits per USD', { credits_per_usd: 0 }, '/credits_per_usd', 'must be above 0'],
  ['negative credits per USD', { credits_per_usd: -1 }, '/credits_per_usd', 'must not be negative'],
  [
    '13 decimals',
    { credits_per_usd: '0.0000000000001' },
    '/credits_per_usd',
    'must have at most 12 decimals',
  ],
  ['credits per USD in words', { credits_per_usd: 'many' }, '/credits_per_usd', NOT_AN_AMOUNT],
  [
    'too many credits per USD',
    { credits_per_usd: 8e9 + 1 },
    '/credits_per_usd',
    'must be at most 8000000000',
  ],
  ['a step of 0', { rounding: { step: 0 } }, '/rounding/step', 'must be above 0'],
  [
    'a step below what a wallet holds',
    { rounding: { step: '0.0000001' } },
    '/rounding/step',
    'must have at most 6 decimals',
  ],
  ['an unknown mode of rounding', { rounding: { mode: 'half_up' } }, '/rounding/mode', 'half_even'],
  ['an unknown field of rounding', { rounding: { steps: 1 } }, '/rounding/steps', 'unknown field'],
  ['a negative minimum', { min_charge: -0.1 }, '/min_charge', 'must not be negative'],
  ['a minimum of 7 decimals', { min_charge: '0.0000001' }, '/min_charge', 'must have at most 6 decimals'],
  ['an unknown policy', { on_unpriced: 'guess' }, '/on_unpriced', 'flag'],
  [
    'times in the wrong order',
    { effective_from: '2026-01-02T00:00:00Z', effective_to: '2026-01-01T00:00:00Z' },
    '/effective_to',
    'must be after effective_from',
  ],
  [
    'equal times',
    { effective_from: '2026-01-02T00:00:00Z', effective_to: '2026-01-02T01:00:00+01:00' },
    '/effective_to',
    'must be after effective_from',
  ],
  [
    'an end before now, which is when it begins',
    { effective_to: '2026-01-01T00:00:00Z' },
    '/effective_to',
    'must be after effective_from',
  ],
  ['a day for a time', { effective_from: '2026-01-02' }, '/effective_from', 'must be an RFC 3339 time'],
  ['rules that are not a list', { rules: {} }, '/rules', 'must be an array of rules'],
  [
    '201 rules',
    { rules: Array.from({ length: 201 }, () => ({ match: {}, method: 'flat', amount: 1 })) },
    '/rules',
    'must have at most 200 rules',
  ],
  [
    '10,000 rules',
    { rules: Array.from(MANY, (_, i) => ({ match: { feature: `f${i}` }, method: 'flat', amount: 1 })) },
    '/rules',
    'must have at most 200 rules',
  ],
  ['a rule without a method', rule({}), '/rules/0/method', 'must be cost_plus, per_unit'],
  [
    'an unknown method',
    rule({ method: 'free' }),
    '/rules/0/method',
    'must be cost_plus, per_unit, flat, tiered or package',
  ],
  ['a rule that is no object', { rules: [7] }, '/rules/0', 'object'],
  ['a field of another method', flat({ rates: {} }), '/rules/0/rates', 'unknown field'],
  [
    'an unknown dimension',
    rule({ method: 'flat', amount: 1, match: { user: 'zoe' } }),
    '/rules/0/match/user',
    'unknown field',
  ],
  [
    'an empty pattern',
    rule({ method: 'flat', amount: 1, match: { model: '' } }),
    '/rules/0/match/model',
    'must have 1 to 255 characters',
  ],
  [
    'a star in the middle',
    rule({ method: 'flat', amount: 1, match: { model: 'a*b' } }),
    '/rules/0/match/model',
    'may have * only at its end',
  ],
  [
    'an unknown provider',
    rule({ method: 'flat', amount: 1, match: { provider: 'opnai' } }),
    '/rules/0/match/provider',
    'Did you mean openai',
  ],
  ['no markup', costPlus({ markup_percent: undefined }), '/rules/0/markup_percent', 'required'],
  ['a negative markup', costPlus({ markup_percent: -5 }), '/rules/0/markup_percent', 'must not be negative'],
  ['a negative fee', costPlus({ fixed: -1 }), '/rules/0/fixed', 'must not be negative'],
  ['no rates', perUnit({}), '/rules/0/rates', 'must have at least one rate'],
  [
    '51 rates',
    perUnit(Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`u${i}`, { amount: 1, per: 1 }]))),
    '/rules/0/rates',
    'must have at most 50 rates',
  ],
  ['a rate per 0', perUnit({ x: { amount: 1, per: 0 } }), '/rules/0/rates/x/per', 'must be above 0'],
  ['a rate without per', perUnit({ x: { amount: 1 } }), '/rules/0/rates/x/per', 'required'],
  [
    'a negative rate',
    perUnit({ x: { amount: -1, per: 1 } }),
    '/rules/0/rates/x/amount',
    'must not be negative',
  ],
  [
    'a rate of a misspelt unit',
    perUnit({ input_token: { amount: 1, per: 1 } }),
    '/rules/0/rates/input_token',
    'Did you mean input_tokens?',
  ],
  [
    'a rate of no unit',
    perUnit({ 'Input Tokens': { amount: 1, per: 1 } }),
    '/rules/0/rates/Input Tokens',
    'must be a canonical unit',
  ],
  ['a flat amount that is negative', flat({ amount: -1 }), '/rules/0/amount', 'must not be negative'],
  [
    'a flat amount of 13 decimals',
    flat({ amount: '0.0000000000001' }),
    '/rules/0/amount',
    'must have at most 12 decimals',
  ],
  ['a misspelt flat unit', flat({ unit: 'output_image' }), '/rules/0/unit', 'Did you mean output_images?'],
  ['a package of nothing', packages({ size: 0 }), '/rules/0/size', 'must be above 0'],
  ['a package without a unit', packages({ unit: undefined }), '/rules/0/unit', 'required'],
  ['a misspelt package unit', packages({ unit: 'requets' }), '/rules/0/unit', 'Did you mean requests?'],
  ['an unknown tier mode', tiered({ mode: 'stairs' }), '/rules/0/mode', 'graduated'],
  ['an unknown period', tiered({ period: 'HOURLY' }), '/rules/0/period', 'DAILY'],
  ['a negative allowance', tiered({ free: -1 }), '/rules/0/free', 'must not be negative'],
  [
    'an allowance of 10 decimals',
    tiered({ free: '0.0000000001' }),
    '/rules/0/free',
    'must have at most 9 decimals',
  ],
  ['no tiers', tiered({ tiers: [] }), '/rules/0/tiers', 'must have at least one tier'],
  [
    '51 tiers',
    tiers(...Array.from({ length: 51 }, (_, i) => up_to(i < 50 ? i + 1 : null))),
    '/rules/0/tiers',
    'must have at most 50 tiers',
  ],
  [
    'tiers that fall',
    tiers(up_to(10), up_to(5), up_to(null)),
    '/rules/0/tiers/1/up_to',
    'must be above 0 and above the up_to of the previous tier',
  ],
  [
    'tiers without an end at the end',
    tiers(up_to(10), up_to(20)),
    '/rules/0/tiers/1/up_to',
    'must be null in the last tier',
  ],
  [
    'a tier without an end in the middle',
    tiers(up_to(null), up_to(null)),
    '/rules/0/tiers/0/up_to',
    'must be a number: only the last tier has null',
  ],
  ['a tier that does not say where it ends', tiers({}), '/rules/0/tiers/0/up_to', 'required'],
  [
    'a misspelt unit of a tier',
    tiered({ unit: 'output_token' }),
    '/rules/0/unit',
    'Did you mean output_tokens?',
  ],
]

describe('a burn table is refused, naming the field, for', () => {
  it.each(cases)('%s', async (_, fields, path, message) => {
    const problem = await expectRefused(
      await postTable(key, { name: 'x', ...fields }),
      400,
      'invalid_request',
    )
    expect(problem.errors).toContainEqual({ path, message: expect.stringContaining(message) })
  })

  it('rules of more than 500,000 characters', async () => {
    const rules = Array.from({ length: 200 }, (_, i) => ({
      match: { feature: `${i}${'f'.repeat(250)}`, model: `${i}${'m'.repeat(250)}` },
      method: 'tiered',
      mode: 'volume',
      unit: 'x',
      tiers: Array.from({ length: 50 }, (_, tier) => ({
        up_to: tier < 49 ? tier + 1 : null,
        unit_amount: '1.123456789012',
      })),
    }))
    const problem = await expectRefused(await postTable(key, { name: 'x', rules }), 400, 'invalid_request')
    expect(problem.errors).toEqual([
      { path: '/rules', message: expect.stringContaining('500000 characters') },
    ])
  })

  it('without keeping anything', async () => {
    expect(await read(key, '/v1/burn-tables')).toEqual({ data: [], next_cursor: null })
  })
})
