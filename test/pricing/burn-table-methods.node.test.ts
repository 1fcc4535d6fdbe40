import { describe, expect, it } from 'vitest'
import type { Chargeable } from '../../src/pricing/burn-table/charge.ts'
import type { BurnMethod, BurnTableDefinition, Tier } from '../../src/pricing/burn-table/definition.ts'
import { formatUsd, picoUsd } from '../../src/pricing/money.ts'
import { charge, costing, credits, Meter, table } from './burn-table-support.ts'

/**
 * Compares each burn method with results that were calculated by hand. Amounts are in credits. The names of the tests
 * contain the calculations.
 */

const rule = (method: BurnMethod) => [{ match: {}, ...method }]

describe('cost_plus', () => {
  it.each`
    cost                | markup          | fixed        | perUsd          | result                            | worked
    ${'0.0075'}         | ${'100'}        | ${undefined} | ${'1000'}       | ${'15'}                           | ${'0.0075 × 2 × 1000'}
    ${'0.0075'}         | ${'0'}          | ${undefined} | ${'1000'}       | ${'7.5'}                          | ${'0.0075 × 1 × 1000'}
    ${'0.0075'}         | ${'50'}         | ${'0.25'}    | ${'1000'}       | ${'11.5'}                         | ${'0.0075 × 1.5 × 1000 + 0.25'}
    ${'0.0075'}         | ${'33.3'}       | ${undefined} | ${'1000'}       | ${'9.9975'}                       | ${'0.0075 × 1.333 × 1000'}
    ${'0'}              | ${'100'}        | ${'0.5'}     | ${'1000'}       | ${'0.5'}                          | ${'0 + 0.5'}
    ${'0'}              | ${'100'}        | ${undefined} | ${'1000'}       | ${'0'}                            | ${'0'}
    ${'0.000000000001'} | ${'0'}          | ${undefined} | ${'1000'}       | ${'0'}                            | ${'0.000000001 of a credit'}
    ${'0.000000001'}    | ${'0'}          | ${undefined} | ${'1000'}       | ${'0.000001'}                     | ${'the smallest credit'}
    ${'0.0000000005'}   | ${'0'}          | ${undefined} | ${'1000'}       | ${'0'}                            | ${'half of it: to even, 0'}
    ${'0.0000000015'}   | ${'0'}          | ${undefined} | ${'1000'}       | ${'0.000002'}                     | ${'one and a half: to even, 2'}
    ${'1'}              | ${'0'}          | ${undefined} | ${'0.01'}       | ${'0.01'}                         | ${'a credit is 100 USD'}
    ${'8000000000'}     | ${'8000000000'} | ${undefined} | ${'8000000000'} | ${'5120000064000000000000000000'} | ${'8e9 × (1 + 8e7) × 8e9, more than a wallet holds'}
  `('$worked', ({ cost, markup, fixed, perUsd, result }) => {
    const made = table(rule({ method: 'cost_plus', markup_percent: markup, fixed }), {
      credits_per_usd: perUsd,
    })
    expect(credits(made, costing(cost))).toBe(result)
  })

  it('without a rule is the deployment’s markup at the table’s credits per USD', () => {
    expect(credits(table([], { credits_per_usd: '500' }), costing('0.0075'))).toBe('7.5')
  })
})

describe('per_unit', () => {
  const rates = (written: Record<string, [amount: string, per: string]>): BurnMethod => ({
    method: 'per_unit',
    rates: Object.fromEntries(
      Object.entries(written).map(([unit, [amount, per]]) => [unit, { amount, per }]),
    ),
  })

  it.each<[worked: string, Record<string, [string, string]>, Partial<Chargeable>, string]>([
    [
      '1000 × 2/1000 + 500 × 6/1000',
      { input_tokens: ['2', '1000'], output_tokens: ['6', '1000'] },
      { usage: { input_tokens: 1000, output_tokens: 500 } },
      '5',
    ],
    [
      'cached tokens at their own rate and not again as input: 600 × 2 + 400 × 0.5',
      { input_tokens: ['2', '1000'], cache_read_tokens: ['0.5', '1000'] },
      { usage: { input_tokens: 1000, cache_read_tokens: 400 } },
      '1.4',
    ],
    [
      'a part without a rate is billed as its whole: 1000 × 2',
      { input_tokens: ['2', '1000'] },
      { usage: { input_tokens: 1000, cache_read_tokens: 400 } },
      '2',
    ],
    [
      'a rate of 0 for the cached part makes it free: 600 × 2',
      { input_tokens: ['2', '1000'], cache_read_tokens: ['0', '1000'] },
      { usage: { input_tokens: 1000, cache_read_tokens: 400 } },
      '1.2',
    ],
    [
      'a lone part counts for its whole: 400 cached and nothing else',
      { input_tokens: ['2', '1000'], cache_read_tokens: ['0.5', '1000'] },
      { usage: { cache_read_tokens: 400 } },
      '0.2',
    ],
    [
      'cached audio is cached first: 100 × 1 + 200 × 3 + 700 × 2',
      { input_tokens: ['2', '1000'], input_audio_tokens: ['3', '1000'], cache_read_tokens: ['1', '1000'] },
      {
        usage: {
          input_tokens: 1000,
          input_audio_tokens: 300,
          cache_read_tokens: 100,
          cache_audio_read_tokens: 100,
        },
      },
      '2.1',
    ],
    [
      'the 1-hour writes inside all cache writes: 30 × 4 + 70 × 3 + 900 × 2',
      { input_tokens: ['2', '100'], cache_write_tokens: ['3', '100'], cache_write_1h_tokens: ['4', '100'] },
      { usage: { input_tokens: 1000, cache_write_tokens: 100, cache_write_1h_tokens: 30 } },
      '21.3',
    ],
    ['a third of a credit: 1 × 1/3', { api_calls: ['1', '3'] }, { custom: { api_calls: 1 } }, '0.333333'],
    ['three thirds are one', { api_calls: ['1', '3'] }, { custom: { api_calls: 3 } }, '1'],
    [
      'own units beside canonical ones: 1000 × 2/1000 + 2.5 × 3',
      { input_tokens: ['2', '1000'], render_minutes: ['3', '1'] },
      { usage: { input_tokens: 1000 }, custom: { render_minutes: 2.5 } },
      '9.5',
    ],
    [
      'thirds and sevenths: 1/3 + 1/7',
      { a: ['1', '3'], b: ['1', '7'] },
      { custom: { a: 1, b: 1 } },
      '0.47619',
    ],
    [
      'seconds have decimals: 12.5 × 0.1',
      { video_seconds: ['0.1', '1'] },
      { usage: { video_seconds: 12.5 } },
      '1.25',
    ],
    [
      'an hour of audio: 90 s of 6 an hour',
      { audio_seconds: ['6', '3600'] },
      { usage: { audio_seconds: 90 } },
      '0.15',
    ],
    ['an event is one request', { requests: ['0.25', '1'] }, {}, '0.25'],
    ['or as many as it says', { requests: ['0.25', '1'] }, { usage: { requests: 4 } }, '1'],
    [
      'images and the tokens they are made of, where both have a rate: 2 × 5 + 1000 × 1/1000',
      { output_images: ['5', '1'], output_tokens: ['1', '1000'] },
      { usage: { output_images: 2, output_tokens: 1000 } },
      '11',
    ],
    [
      'what has no rate is free',
      { input_tokens: ['2', '1'] },
      { usage: { output_tokens: 7 }, custom: { x: 3 } },
      '0',
    ],
    ['nothing used is free', { input_tokens: ['2', '1'] }, {}, '0'],
  ])('%s', (_, written, event, result) => {
    expect(credits(table(rule(rates(written))), event)).toBe(result)
  })
})

describe('flat', () => {
  it.each<[string, BurnMethod, Partial<Chargeable>, string]>([
    ['an event', { method: 'flat', amount: '2.5' }, { usage: { input_tokens: 1e6 } }, '2.5'],
    ['an event of nothing', { method: 'flat', amount: '2.5' }, {}, '2.5'],
    [
      'each image',
      { method: 'flat', amount: '2.5', unit: 'output_images' },
      { usage: { output_images: 3 } },
      '7.5',
    ],
    ['no image', { method: 'flat', amount: '2.5', unit: 'output_images' }, {}, '0'],
    ['each request, one by default', { method: 'flat', amount: '2.5', unit: 'requests' }, {}, '2.5'],
    [
      'a part of an own unit',
      { method: 'flat', amount: '2', unit: 'seats' },
      { custom: { seats: 0.5 } },
      '1',
    ],
    [
      'a unit’s whole, though only a part was given',
      { method: 'flat', amount: '0.01', unit: 'input_tokens' },
      { usage: { cache_read_tokens: 100 } },
      '1',
    ],
    [
      '1e13 of a unit',
      { method: 'flat', amount: '0.000001', unit: 'x' },
      { custom: { x: 1e13 } },
      '10000000',
    ],
    [
      '12 decimals',
      { method: 'flat', amount: '0.000000000001', unit: 'x' },
      { custom: { x: 1e6 } },
      '0.000001',
    ],
  ])('%s', (_, method, event, result) => {
    expect(credits(table(rule(method)), event)).toBe(result)
  })
})

describe('package', () => {
  const tens: BurnMethod = { method: 'package', unit: 'pages', size: '10', amount: '3' }
  it.each([
    [0, '0'],
    [0.000001, '3'],
    [1, '3'],
    [9.999999, '3'],
    [10, '3'],
    [10.000001, '6'],
    [11, '6'],
    [100, '30'],
    [101, '33'],
  ])('%s pages in packages of ten at 3 are %s', (pages, result) => {
    expect(credits(table(rule(tens)), { custom: { pages } })).toBe(result)
  })

  it('of half a second', () => {
    const halves = table(rule({ method: 'package', unit: 'audio_seconds', size: '0.5', amount: '1' }))
    expect(credits(halves, { usage: { audio_seconds: 1.6 } })).toBe('4')
  })
})

const tier = (up_to: string | null, unit_amount: string, flat_amount?: string): Tier => ({
  up_to,
  unit_amount,
  ...(flat_amount !== undefined && { flat_amount }),
})

const tiered = (mode: 'graduated' | 'volume', tiers: Tier[], free?: string) =>
  table(rule({ method: 'tiered', mode, unit: 'calls', period: 'MONTHLY', free, tiers }))

/**
 * Returns the charge of each event in credits. The events are in one month, and `events` has their numbers of calls in
 * the order of arrival.
 */
function month(mode: 'graduated' | 'volume', tiers: Tier[], free: string | undefined, events: number[]) {
  const meter = new Meter()
  const made = tiered(mode, tiers, free)
  return events.map((calls) => meter.credits(made, { custom: { calls } }))
}

describe('tiered, graduated', () => {
  const tiers = [tier('100', '3'), tier('200', '2'), tier(null, '1')]
  it.each<[string, Tier[], string | undefined, number[], string[]]>([
    ['within the first tier: 10 × 3', tiers, undefined, [10], ['30']],
    ['to its very end: 100 × 3', tiers, undefined, [100], ['300']],
    ['one over: 100 × 3 + 1 × 2', tiers, undefined, [101], ['302']],
    ['over two tiers: 100 × 3 + 100 × 2 + 50 × 1', tiers, undefined, [250], ['550']],
    [
      'in the same positions for any events: 60 × 3, 40 × 3 + 20 × 2, 80 × 2 + 1',
      tiers,
      undefined,
      [60, 60, 81],
      ['180', '160', '161'],
    ],
    [
      'a fraction across the border: 99.5 × 3, 0.5 × 3 + 0.5 × 2',
      tiers,
      undefined,
      [99.5, 1],
      ['298.5', '2.5'],
    ],
    ['after 50 free ones: 0, 10 × 3', tiers, '50', [50, 10], ['0', '30']],
    ['partly free: 30 free + 30 × 3', tiers, '30', [60], ['90']],
    [
      'tiers begin after the free ones: 40 free, 100 × 3, 10 × 2',
      tiers,
      '40',
      [40, 100, 10],
      ['0', '300', '20'],
    ],
    ['all free and nothing after', [tier(null, '5')], '1000', [1, 999, 1], ['0', '0', '5']],
    ['a free first tier', [tier('10', '0'), tier(null, '2')], undefined, [8, 4], ['0', '4']],
    ['one tier without end: 3 × 0.000001', [tier(null, '0.000001')], undefined, [3], ['0.000003']],
    [
      'a fee with the first unit of a tier, once: 10 × 1 + 5, 10 × 1',
      [tier(null, '1', '5')],
      undefined,
      [10, 10],
      ['15', '10'],
    ],
    ['no fee while all is free, then once', [tier(null, '1', '5')], '10', [10, 1, 1], ['0', '6', '1']],
    [
      'fees of all tiers that an event runs through: 10 + 5 + 10 × 1 + 7',
      [tier('10', '1', '5'), tier('20', '1', '7'), tier(null, '0', '9')],
      undefined,
      [20, 1, 1],
      ['32', '9', '0'],
    ],
    [
      'the second fee with the unit after the end of the first tier',
      [tier('10', '1'), tier(null, '1', '7')],
      undefined,
      [10, 1],
      ['10', '8'],
    ],
  ])('%s', (_, written, free, events, charges) => {
    expect(month('graduated', written, free, events)).toEqual(charges)
  })
})

describe('tiered, volume', () => {
  const tiers = [tier('100', '3'), tier('200', '2'), tier(null, '1')]
  it.each<[string, Tier[], string | undefined, number[], string[]]>([
    ['within the first tier: 10 × 3', tiers, undefined, [10], ['30']],
    ['to its very end: 100 × 3', tiers, undefined, [100], ['300']],
    ['one over, all at the second: 101 × 2', tiers, undefined, [101], ['202']],
    ['over two tiers, all at the third: 250 × 1', tiers, undefined, [250], ['250']],
    [
      'by the total with the event: 60 × 3, 60 × 2 (at 120), 81 × 1 (at 201)',
      tiers,
      undefined,
      [60, 60, 81],
      ['180', '120', '81'],
    ],
    ['what was charged before stays: 100 × 3, 1 × 2', tiers, undefined, [100, 1], ['300', '2']],
    ['after 50 free ones: 0, 10 × 3', tiers, '50', [50, 10], ['0', '30']],
    ['partly free, and the total without the free ones: (130 - 30) × 3', tiers, '30', [130], ['300']],
    ['(131 - 30) × 2', tiers, '30', [131], ['202']],
    [
      'a fee once with the tier: 10 × 3 + 5, 10 × 3',
      [tier('100', '3', '5'), tier(null, '1', '7')],
      undefined,
      [10, 10],
      ['35', '30'],
    ],
    [
      'a tier that was jumped over has no fee: 150 × 1 + 9',
      [tier('10', '3', '5'), tier('100', '2', '7'), tier(null, '1', '9')],
      undefined,
      [150, 1],
      ['159', '1'],
    ],
    [
      'the fee of the next tier when it is entered: 10 × 3 + 5, 1 × 2 + 7',
      [tier('10', '3', '5'), tier(null, '2', '7')],
      undefined,
      [10, 1, 1],
      ['35', '9', '2'],
    ],
  ])('%s', (_, written, free, events, charges) => {
    expect(month('volume', written, free, events)).toEqual(charges)
  })
})

describe('the period of tiers and allowances', () => {
  const inPeriod = (period: 'DAILY' | 'WEEKLY' | 'MONTHLY') =>
    table(
      rule({
        method: 'tiered',
        mode: 'graduated',
        unit: 'calls',
        period,
        free: '1',
        tiers: [tier(null, '1')],
      }),
    )

  it.each([
    ['DAILY', '2026-11-22T00:00:00.000Z', '2026-11-22T23:59:59.999Z', '2026-11-23T00:00:00.000Z'],
    ['DAILY', '2024-02-29T00:00:00.000Z', '2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00.000Z'],
    // A week lasts from Monday to Sunday.
    ['WEEKLY', '2026-11-16T00:00:00.000Z', '2026-11-22T23:59:59.999Z', '2026-11-23T00:00:00.000Z'],
    ['WEEKLY', '2026-12-28T00:00:00.000Z', '2027-01-03T23:59:59.999Z', '2027-01-04T00:00:00.000Z'],
    ['MONTHLY', '2026-11-01T00:00:00.000Z', '2026-11-30T23:59:59.999Z', '2026-12-01T00:00:00.000Z'],
    ['MONTHLY', '2026-12-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z', '2027-01-01T00:00:00.000Z'],
    ['MONTHLY', '2024-02-01T00:00:00.000Z', '2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00.000Z'],
  ] as const)('%s: from %s to %s, and again at %s', (period, first, last, next) => {
    const meter = new Meter()
    const made = inPeriod(period)
    const one = { custom: { calls: 1 } }
    expect([first, last, next, next].map((at) => meter.credits(made, one, at))).toEqual(['0', '1', '0', '1'])
  })

  it('continues under an edited price, and restarts under another unit, period, match or table', () => {
    const meter = new Meter()
    const counting = (change: Partial<BurnTableDefinition>, method: object = {}, match = {}) =>
      table(
        [
          {
            match,
            method: 'tiered',
            mode: 'graduated',
            unit: 'calls',
            period: 'MONTHLY',
            free: '1',
            tiers: [tier(null, '1')],
            ...method,
          },
        ],
        change,
      )
    const event = { custom: { calls: 1, other: 1 } }
    expect(meter.credits(counting({}), event)).toBe('0')
    expect(meter.credits(counting({ name: 'Renamed' }, { tiers: [tier(null, '2')] }), event)).toBe('2')
    expect(meter.credits(counting({}, { mode: 'volume', free: '2' }), event)).toBe('1')
    expect(meter.credits(counting({}, { unit: 'other' }), event)).toBe('0')
    expect(meter.credits(counting({}, { period: 'DAILY' }), event)).toBe('0')
    expect(meter.credits(counting({}, {}, { model: 'gpt-*' }), event)).toBe('0')
    expect(meter.credits(counting({}, {}, { model: 'GPT-*' }), event)).toBe('1')
  })

  it('does not count an event without use', () => {
    expect(charge(inPeriod('DAILY'), {}).advance).toBeUndefined()
    expect(charge(inPeriod('DAILY'), { custom: { calls: 2 } }).advance).toMatchObject({
      quantity: 2_000_000_000n,
    })
  })
})

describe('rounding, once, to the step', () => {
  const third: BurnMethod = { method: 'flat', amount: '1', unit: 'x' }
  const rounded = (mode: 'half_even' | 'ceil' | 'floor', step: string, amount: number, min_charge = '0') =>
    credits(table(rule(third), { rounding: { mode, step }, min_charge }), { custom: { x: amount } })

  it.each([
    ['half_even', '1', 2.5, '2'],
    ['half_even', '1', 3.5, '4'],
    ['half_even', '1', 2.500001, '3'],
    ['half_even', '0.25', 0.125, '0'],
    ['half_even', '0.25', 0.375, '0.5'],
    ['half_even', '5', 7.5, '10'],
    ['ceil', '1', 2.000001, '3'],
    ['ceil', '1', 2, '2'],
    ['ceil', '0.1', 0.01, '0.1'],
    ['ceil', '10', 0.000001, '10'],
    ['floor', '1', 2.999999, '2'],
    ['floor', '0.5', 0.9, '0.5'],
    ['floor', '10', 9.999999, '0'],
  ] as const)('%s to %s: %s becomes %s', (mode, step, amount, result) => {
    expect(rounded(mode, step, amount)).toBe(result)
  })

  it.each([
    ['raises what costs anything', '0.5', 0.2, '0.5'],
    ['even what rounds to nothing', '0.5', 0.0000001, '0.5'],
    ['leaves what costs more', '0.5', 0.7, '0.7'],
    ['leaves what costs nothing', '0.5', 0, '0'],
  ])('a minimum charge %s', (_, min_charge, amount, result) => {
    const made = table(rule({ method: 'flat', amount: '1', unit: 'video_seconds' }), { min_charge })
    expect(credits(made, { usage: { video_seconds: amount } })).toBe(result)
  })

  it('customer_price_usd is the rounded charge at the table’s credits per USD', () => {
    const made = table(rule({ method: 'flat', amount: '1' }), { credits_per_usd: '3' })
    expect(formatUsd(charge(made, {}).price)).toBe('0.333333333333')
    const fine = table(rule({ method: 'flat', amount: '1' }), { credits_per_usd: '0.000000000001' })
    expect(formatUsd(charge(fine, {}).price)).toBe('1000000000000')
  })
})

describe('an event with an unknown provider cost', () => {
  const unknown = { cost: undefined, usage: { input_tokens: 1000 } }
  const costPlus: BurnMethod = { method: 'cost_plus', markup_percent: '0', fixed: '1' }
  const perToken: BurnMethod = { method: 'flat', unit: 'input_tokens', amount: '0.01' }

  it('flag: is recorded unrated at 0, without the fixed fee', () => {
    const made = table(rule(costPlus), { on_unpriced: 'flag' })
    expect(charge(made, unknown)).toMatchObject({ credits_micro: 0n, cost: 0n, price: 0n, unrated: true })
  })

  it('reject: is refused', () => {
    const made = table(rule(costPlus), { on_unpriced: 'reject' })
    expect(() => charge(made, unknown)).toThrow('no price')
  })

  it('ceiling: is charged like the most expensive model, and is rated when a price is known', () => {
    const made = table(rule(costPlus), { on_unpriced: 'ceiling' })
    expect(charge(made, { ...unknown, ceiling_cost: picoUsd(5_000_000_000n) })).toMatchObject({
      credits_micro: 6_000_000n,
      cost: 5_000_000_000n,
      unrated: true,
      warnings: [expect.stringContaining('with a provider cost of 0.005 USD')],
    })
  })

  it('ceiling without a ceiling: is treated as flag', () => {
    const made = table(rule(costPlus), { on_unpriced: 'ceiling' })
    expect(charge(made, unknown)).toMatchObject({ credits_micro: 0n, unrated: true })
  })

  it.each(['flag', 'reject', 'ceiling'] as const)(
    '%s: is charged by usage if the rule prices usage',
    (on_unpriced) => {
      expect(charge(table(rule(perToken), { on_unpriced }), unknown)).toMatchObject({
        credits_micro: 10_000_000n,
        cost: 0n,
        unrated: false,
        warnings: [expect.stringContaining('with a provider cost of 0')],
      })
    },
  )
})
