import { describe, expect, it } from 'vitest'
import { findModel } from '../../src/pricing/catalogue/catalogue.ts'
import {
  pricesPerUnit,
  readPrices,
  readRational,
  readUnitPrice,
} from '../../src/pricing/catalogue/notation.ts'
import { readPeriods } from '../../src/pricing/catalogue/period.ts'
import { priceUsage } from '../../src/pricing/cost/cost.ts'
import { priceList } from '../../src/pricing/cost/price-list.ts'
import { formatUsd } from '../../src/pricing/money.ts'
import type { Usage } from '../../src/pricing/usage.ts'
import { provider, SOME_DAY_MS } from './support.ts'

function cost(text: string, usage: Usage): string {
  const result = priceUsage(priceList(readPrices(text), { version: 'test' }), usage)
  return result.kind === 'priced' ? formatUsd(result.cost) : result.reason
}

describe('the notation of prices', () => {
  it('reads decimals, fractions, tiers and sizes', () => {
    expect(readRational('5/3')).toEqual({ numerator: 5n * 10n ** 24n, denominator: 3n * 10n ** 24n })
    const price = readUnitPrice('3,>200000:6,>=500000:7.5')
    expect(price.tiers.map(({ threshold, inclusive }) => [threshold, inclusive])).toEqual([
      [200_000, false],
      [500_000, true],
    ])
    expect([...readUnitPrice('0.04,HD-1024x1024:0.08').sizes.keys()]).toEqual(['hd-1024x1024'])
  })

  it.each(['', '-1', '1,000', 'NaN', 'free', '1/0', '1/2/3'])('refuses %j as a price', (text) => {
    expect(() => readRational(text)).toThrow(/invalid price/)
  })

  it('refuses a unit that does not exist', () => {
    expect(() => readPrices('input_tokenz=1')).toThrow(/unknown unit/)
  })
})

describe('periods', () => {
  it('hold over midnight when they end before they start', () => {
    const pricesAt = readPeriods('input_tokens=2 ; @22:00:00-06:30:00 input_tokens=1')
    const label = (time: string) => pricesAt(Date.parse(`2026-05-01T${time}Z`)).label
    expect(['21:59:59', '22:00:00', '23:59:59', '00:00:00', '06:29:59', '06:30:00'].map(label)).toEqual([
      '',
      '@22:00:00-06:30:00',
      '@22:00:00-06:30:00',
      '@22:00:00-06:30:00',
      '@22:00:00-06:30:00',
      '',
    ])
  })

  it('that are listed later precede earlier ones', () => {
    const pricesAt = readPeriods('input_tokens=1 ; @2026-01-01 input_tokens=2 ; @2027-01-01 input_tokens=3')
    expect(pricesAt(Date.parse('2026-12-31T23:59:59.999Z')).label).toBe('@2026-01-01')
    expect(pricesAt(Date.parse('2027-01-01T00:00:00Z')).label).toBe('@2027-01-01')
  })
})

describe('a price list put together by hand', () => {
  it('rounds once, half-even, at a millionth of a micro-USD', () => {
    expect(cost('input_tokens=0.0000005', { input_tokens: 1 })).toBe('0')
    expect(cost('input_tokens=0.0000015', { input_tokens: 1 })).toBe('0.000000000002')
    expect(cost('input_tokens=0.0000025', { input_tokens: 1 })).toBe('0.000000000002')
    expect(
      cost('input_tokens=0.0000004 output_tokens=0.0000004', { input_tokens: 1, output_tokens: 1 }),
    ).toBe('0.000000000001')
  })

  it('bills cached audio as cached when it prices audio and cache but not both', () => {
    const text = 'input_tokens=1 input_audio_tokens=10 cache_read_tokens=0.1'
    const usage = {
      input_tokens: 100,
      input_audio_tokens: 100,
      cache_read_tokens: 100,
      cache_audio_read_tokens: 100,
    }
    expect(cost(text, usage)).toBe('0.00001')
  })

  it('takes the highest tier that is passed', () => {
    const text = 'input_tokens=1,>10:2,>=20:3'
    expect([10, 11, 19, 20].map((input_tokens) => cost(text, { input_tokens }))).toEqual([
      '0.00001',
      '0.000022',
      '0.000038',
      '0.00006',
    ])
  })

  it('puts negotiated prices over a model of the catalogue', () => {
    const model = findModel(provider('openai'), 'gpt-4o')
    if (model === undefined) throw new Error('no gpt-4o')
    const { prices } = model.pricesAt(SOME_DAY_MS)
    const negotiated = priceList(new Map([...prices, ...pricesPerUnit({ input_tokens: '0.000002' })]), {
      version: 'mine',
    })
    expect(priceUsage(negotiated, { input_tokens: 1000, output_tokens: 500 })).toMatchObject({
      cost: 7_000_000_000n,
      price_version: 'mine',
    })
  })
})
