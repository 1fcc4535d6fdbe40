import fc from 'fast-check'
import Fraction from 'fraction.js'
import { describe, expect, it } from 'vitest'
import { CATALOGUE_VERSION } from '../../src/pricing/catalogue/catalogue.ts'
import { describePrices } from '../../src/pricing/catalogue/description.ts'
import type { UnitPrices } from '../../src/pricing/catalogue/notation.ts'
import { type OverlayPrices, OverlaySet, type PriceOverlay } from '../../src/pricing/catalogue/overlay.ts'
import { type CostResult, priceUsage, providerCost } from '../../src/pricing/cost/cost.ts'
import {
  costFrom,
  NO_OVERLAYS,
  type PriceBook,
  pricesInForce,
  pricesOfVersion,
} from '../../src/pricing/cost/price-book.ts'
import { formatUsd } from '../../src/pricing/money.ts'
import { UNIT_NAMES, USAGE_UNITS, type UsageUnit } from '../../src/pricing/units.ts'
import { exactUsd, linesOf, provider, SOME_DAY_MS } from './support.ts'

const OPENAI = provider('openai')

interface OverlayOptions extends Omit<Partial<PriceOverlay>, 'prices'> {
  readonly prices?: OverlayPrices
}

/** Returns a valid price override id that ends with a readable name. */
const id = (name: string) => `po_${name.padStart(26, '0')}`

function overlay(
  name: string,
  { prices = { multiplier: '0.5' }, ...fields }: OverlayOptions = {},
): PriceOverlay {
  return {
    overlay_id: id(name),
    provider: 'openai',
    model: 'gpt-4o',
    service_tier: null,
    prices: JSON.stringify(prices),
    effective_from_ms: 0,
    effective_to_ms: null,
    ...fields,
  }
}

/** Returns absolute prices: `amount` USD per million input tokens, and free output. */
const flat = (amount: string): OverlayPrices => ({
  units: { input_tokens: { amount, per: 1_000_000 }, output_tokens: { amount: '0', per: 1 } },
})

function bookOf(overrides: readonly PriceOverlay[], operator: readonly PriceOverlay[] = []): PriceBook {
  return { overrides: new OverlaySet(overrides), operator: new OverlaySet(operator) }
}

const THOUSAND = { input_tokens: 1000, output_tokens: 500 }

interface Asked {
  readonly provider?: string
  readonly at_ms?: number
  readonly service_tier?: string
  readonly usage?: { readonly [U in UsageUnit]?: number }
}

function cost(book: PriceBook, model: string, asked: Asked = {}): CostResult {
  const { provider: name = 'openai', at_ms = SOME_DAY_MS, usage = THOUSAND, ...others } = asked
  return costFrom(book, { provider: provider(name), model, usage, at_ms, ...others })
}

function usd(book: PriceBook, model: string, asked: Asked = {}): string {
  const result = cost(book, model, asked)
  return result.kind === 'priced' ? formatUsd(result.cost) : result.reason
}

describe('a book without overlays', () => {
  it("is the catalogue's prices, by the catalogue's own function", () => {
    const request = { provider: OPENAI, model: 'gpt-4o', usage: THOUSAND, at_ms: SOME_DAY_MS }
    const found = costFrom(NO_OVERLAYS, request)
    const catalogue = providerCost(request)
    expect({ ...found, breakdown: linesOf(found) }).toEqual({
      ...catalogue,
      breakdown: linesOf(catalogue),
    })
    expect(usd(NO_OVERLAYS, 'no-such-model')).toBe('unknown_model')
  })
})

describe('the overlay that decides', () => {
  it("is the customer's, then the operator's; without one, the catalogue decides", () => {
    const own = overlay('own', { prices: flat('1') })
    const operator = overlay('operator', { prices: flat('2') })
    expect(usd(bookOf([own], [operator]), 'gpt-4o')).toBe('0.001')
    expect(usd(bookOf([], [operator]), 'gpt-4o')).toBe('0.002')
    expect(usd(bookOf([], []), 'gpt-4o')).toBe('0.0075')
  })

  it('is that of the exact name, then of the longest prefix, and last of *', () => {
    const names = ['*', 'gpt-*', 'gpt-4o*', 'gpt-4o']
    const overlays = names.map((model, i) => overlay(`o${i}`, { model, prices: flat(`${i + 1}`) }))
    for (let known = 1; known <= names.length; known++) {
      expect(usd(bookOf(overlays.slice(0, known).reverse()), 'gpt-4o')).toBe(`0.00${known}`)
    }
    expect(usd(bookOf(overlays), 'gpt-4.1')).toBe('0.002')
    expect(usd(bookOf(overlays), 'o3')).toBe('0.001')
  })

  it.each([
    ['gpt-4o', 'as it is'],
    ['GPT-4o', 'in another case'],
    [' gpt-4o ', 'with spaces around it'],
    ['gpt-4o-2024-11-20', 'dated, which the catalogue resolves to it'],
    ['gpt-4o-2024-08-06', 'dated otherwise'],
  ])('finds the overlay of gpt-4o for %j: %s', (model) => {
    expect(usd(bookOf([overlay('a', { prices: flat('1') })]), model)).toBe('0.001')
  })

  it('is that of a dated name, then that of the model that the name resolves to', () => {
    const book = bookOf([
      overlay('a', { prices: flat('1') }),
      overlay('b', { prices: flat('2'), model: 'gpt-4o-2024-11-20' }),
    ])
    expect(usd(book, 'gpt-4o-2024-11-20')).toBe('0.002')
    expect(usd(book, 'gpt-4o-2024-08-06')).toBe('0.001')
  })

  it('is never that of another model or another provider, even if the provider resells the model', () => {
    const book = bookOf([overlay('a', { prices: flat('1') })])
    expect(usd(book, 'gpt-4o-mini')).toBe(usd(NO_OVERLAYS, 'gpt-4o-mini'))
    expect(usd(book, 'gpt-4o', { provider: 'azure' })).toBe(usd(NO_OVERLAYS, 'gpt-4o', { provider: 'azure' }))
    expect(usd(bookOf([overlay('a', { prices: flat('1'), provider: 'azure' })]), 'gpt-4o')).toBe('0.0075')
  })

  it('prices a model that the catalogue does not know', () => {
    const book = bookOf([], [overlay('a', { model: 'gpt-99', prices: flat('3') })])
    expect(cost(book, 'gpt-99')).toMatchObject({ kind: 'priced', price_version: id('a') })
    expect(usd(book, 'gpt-99')).toBe('0.003')
    expect(usd(book, 'gpt-98')).toBe('unknown_model')
  })
})

describe('the time in which an overlay applies', () => {
  const from = Date.parse('2026-06-01T00:00:00Z')
  const to = Date.parse('2026-07-01T00:00:00Z')
  const june = overlay('june', { prices: flat('1'), effective_from_ms: from, effective_to_ms: to })
  const july = overlay('july', { prices: flat('2'), effective_from_ms: to })

  it.each([
    [from - 1, '0.0075', 'a millisecond before it begins: the list price'],
    [from, '0.001', 'from its first millisecond'],
    [to - 1, '0.001', 'to its last'],
    [to, '0.002', 'and its successor from the next'],
  ])('at %i it costs %s: %s', (at_ms, expected) => {
    expect(usd(bookOf([july, june]), 'gpt-4o', { at_ms })).toBe(expected)
  })

  it('between two overlays in time is the next in order: a prefix, then the operator’s', () => {
    const rest = overlay('rest', { model: 'gpt-*', prices: flat('3') })
    expect(usd(bookOf([june, rest]), 'gpt-4o', { at_ms: to })).toBe('0.003')
    expect(usd(bookOf([june], [rest]), 'gpt-4o', { at_ms: to })).toBe('0.003')
  })
})

describe('a service tier', () => {
  const all = overlay('all', { prices: flat('4') })
  const batch = overlay('batch', { prices: flat('1'), service_tier: 'batch' })

  it('has its own overlay, which applies to no other tier', () => {
    const book = bookOf([all, batch])
    expect(usd(book, 'gpt-4o', { service_tier: 'BATCH' })).toBe('0.001')
    for (const service_tier of ['flex', 'standard', 'default', 'auto']) {
      expect(usd(book, 'gpt-4o', { service_tier })).toBe('0.004')
    }
    expect(usd(bookOf([batch]), 'gpt-4o')).toBe('0.0075')
    expect(usd(bookOf([batch]), 'gpt-4o', { service_tier: 'flex' })).toBe('0.0075')
  })

  it('is the same under any of its names', () => {
    const flex = overlay('flex', {
      provider: 'google',
      model: 'gemini-2.5-pro',
      prices: flat('1'),
      service_tier: 'flex',
    })
    const asked = { provider: 'google', service_tier: 'ON_DEMAND_FLEX' }
    expect(usd(bookOf([flex]), 'gemini-2.5-pro', asked)).toBe('0.001')
  })

  it('without an overlay of its own is billed unchanged by the one for all tiers, with a warning', () => {
    expect(cost(bookOf([all]), 'gpt-4o', { service_tier: 'batch' })).toMatchObject({
      kind: 'priced',
      warnings: [
        'There is no price for service tier "batch". The usage is billed at the price for all tiers.',
      ],
    })
    expect(cost(bookOf([all]), 'gpt-4o', { service_tier: 'default' })).not.toHaveProperty('warnings')
    expect(cost(bookOf([batch]), 'gpt-4o', { service_tier: 'batch' })).not.toHaveProperty('warnings')
  })

  it('has a discount that multiplies with a multiplier', () => {
    const book = bookOf([overlay('a', { prices: { multiplier: '0.8' } })])
    expect(usd(NO_OVERLAYS, 'gpt-4o', { service_tier: 'batch' })).toBe('0.00375')
    expect(usd(book, 'gpt-4o', { service_tier: 'batch' })).toBe('0.003')
  })
})

describe('a multiplier', () => {
  it('multiplies the whole list price below it, with its tiers, tools and warnings', () => {
    const book = bookOf([
      overlay('a', { provider: 'google', model: 'gemini-2.5-pro', prices: { multiplier: '0.5' } }),
    ])
    const gemini = (usage: Asked['usage']) => ({ provider: 'google', usage: usage ?? {} })
    expect(usd(book, 'gemini-2.5-pro', gemini({ input_tokens: 200_000 }))).toBe('0.125')
    expect(usd(book, 'gemini-2.5-pro', gemini({ input_tokens: 200_001 }))).toBe('0.25000125')
    expect(usd(book, 'gemini-2.5-pro', gemini({ web_searches: 2 }))).toBe('0.035')
    expect(cost(book, 'gemini-2.5-pro', { provider: 'google', service_tier: 'nonsense' })).toMatchObject({
      warnings: [expect.stringContaining('nonsense')],
    })
  })

  it("of the customer precedes the operator's price and the operator's multiplier", () => {
    const own = overlay('own', { prices: { multiplier: '0.9' } })
    expect(usd(bookOf([own], [overlay('op', { prices: flat('2') })]), 'gpt-4o')).toBe('0.0018')
    const doubled = cost(bookOf([own], [overlay('op', { prices: { multiplier: '2' } })]), 'gpt-4o')
    expect(doubled).toMatchObject({
      cost: 13_500_000_000n,
      price_version: `${id('own')}*${id('op')}*${CATALOGUE_VERSION}:openai/gpt-4o`,
    })
  })

  it('of 1 gives the price below it, of 0 a price of zero, and without a price below it no price', () => {
    expect(usd(bookOf([overlay('a', { prices: { multiplier: '1' } })]), 'gpt-4o')).toBe('0.0075')
    expect(usd(bookOf([overlay('a', { prices: { multiplier: '0' } })]), 'gpt-4o')).toBe('0')
    expect(usd(bookOf([overlay('a', { model: '*' })]), 'no-such-model')).toBe('unknown_model')
  })

  it('is exact: 2,000 random factors and usages against fractions', () => {
    const decimal = fc
      .tuple(fc.bigInt(0n, 1000n), fc.bigInt(0n, 10n ** 18n - 1n), fc.integer({ min: 0, max: 18 }))
      .map(([whole, fraction, decimals]) =>
        decimals === 0 ? `${whole}` : `${whole}.${String(fraction).padStart(18, '0').slice(0, decimals)}`,
      )
    const tokens = fc.integer({ min: 0, max: 1_000_000_000 })
    fc.assert(
      fc.property(decimal, decimal, tokens, tokens, (own, operator, input_tokens, output_tokens) => {
        const book = bookOf(
          [overlay('own', { prices: { multiplier: own } })],
          [overlay('op', { prices: { multiplier: operator } })],
        )
        const list = new Fraction(input_tokens)
          .mul('2.5')
          .add(new Fraction(output_tokens).mul(10))
          .div(1_000_000)
        const exact = list.mul(new Fraction(own)).mul(new Fraction(operator))
        expectHalfEven(cost(book, 'gpt-4o', { usage: { input_tokens, output_tokens } }), exact)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('prices of its own', () => {
  it('are for any number of units, exactly: 2,000 random ones against fractions', () => {
    // Uses only units that contain no other unit, so that each quantity is charged at its own price.
    const counted = UNIT_NAMES.filter(
      (unit) => Object.keys(USAGE_UNITS[unit].facets).length === 0 && unit !== 'requests',
    )
    const price = fc.record({
      unit: fc.constantFrom(...counted),
      amount: fc.bigInt(0n, 10n ** 24n).map((atto) => decimalOf(atto)),
      per: fc.integer({ min: 1, max: 1_000_000_000_000 }),
      quantity: fc.integer({ min: 0, max: 1_000_000 }),
    })
    const several = fc.uniqueArray(price, { selector: ({ unit }) => unit, minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(several, (prices) => {
        const units = Object.fromEntries(prices.map(({ unit, amount, per }) => [unit, { amount, per }]))
        const usage = Object.fromEntries(prices.map(({ unit, quantity }) => [unit, quantity]))
        const book = bookOf([overlay('a', { model: 'own-model', prices: { units } })])
        const exact = prices.reduce(
          (sum, { amount, per, quantity }) => sum.add(exactUsd(amount).mul(quantity).div(per)),
          new Fraction(0),
        )
        expectHalfEven(cost(book, 'own-model', { usage }), exact)
      }),
      { numRuns: 2_000 },
    )
  })

  it('hide the lower prices completely: a unit without a price is billed as the unit around it, or is named in a warning', () => {
    const book = bookOf([overlay('a', { prices: flat('1') })])
    const usage = { input_tokens: 1000, cache_read_tokens: 500, web_searches: 3 }
    expect(cost(book, 'gpt-4o', { usage })).toMatchObject({
      cost: 1_000_000_000n,
      price_version: id('a'),
      warnings: ['web_searches has no price and is not in the cost'],
    })
    expect(usd(book, 'gpt-4o', { usage: { web_searches: 3 } })).toBe('no_price_for_usage')
  })

  it('have their own thresholds, each inclusive or exclusive', () => {
    const tiers = [
      { threshold: 1000, inclusive: false, amount: '2' },
      { threshold: 5000, inclusive: true, amount: '3' },
    ]
    const prices = { units: { input_tokens: { amount: '1', per: 1000, tiers } } }
    const book = bookOf([overlay('a', { prices })])
    const at = (input_tokens: number) => usd(book, 'gpt-4o', { usage: { input_tokens } })
    expect([at(1000), at(1001), at(4999), at(5000)]).toEqual(['1', '2.002', '9.998', '15'])
  })

  it("keep the provider's minimum, and the version then names the catalogue", () => {
    const prices = { units: { audio_seconds: { amount: '0.01', per: 1 } } }
    const groq = (model: string) =>
      cost(bookOf([overlay('a', { provider: 'groq', model, prices })]), model, {
        provider: 'groq',
        usage: { audio_seconds: 3 },
      })
    expect(groq('whisper-large-v3')).toMatchObject({
      cost: 100_000_000_000n,
      price_version: `${id('a')}@${CATALOGUE_VERSION}`,
    })
    expect(groq('my-whisper')).toMatchObject({ cost: 30_000_000_000n, price_version: id('a') })
  })
})

describe('a stored price version', () => {
  const conditions = { provider: OPENAI, model: 'gpt-4o', at_ms: SOME_DAY_MS }
  const older = (name: string, prices: OverlayPrices) =>
    overlay(name, { prices, effective_to_ms: SOME_DAY_MS + 1 })
  const newer = (name: string) => overlay(name, { prices: flat('99'), effective_from_ms: SOME_DAY_MS + 1 })

  it.each([
    ['prices of its own', [older('a', flat('1'))], []],
    ['a multiplier on the list', [older('a', { multiplier: '0.333' })], []],
    ["the operator's", [], [older('b', flat('7'))]],
    ['a multiplier on a multiplier', [older('a', { multiplier: '0.7' })], [older('b', { multiplier: '3' })]],
    ["a multiplier on the operator's prices", [older('a', { multiplier: '0.7' })], [older('b', flat('7'))]],
    ['the catalogue', [], []],
  ])('gives the same cost after everything was replaced: %s', (_, overrides, operator) => {
    for (const service_tier of [undefined, 'batch', 'priority']) {
      const first = cost(bookOf(overrides, operator), 'gpt-4o', { ...(service_tier && { service_tier }) })
      if (first.kind !== 'priced') throw new Error(first.reason)
      const later = bookOf([...overrides, newer('c')], [...operator, newer('d')])
      const found = pricesOfVersion(later, first.price_version, { ...conditions, service_tier })
      if (found.kind !== 'found') throw new Error(found.kind)
      expect(priceUsage(found.list, THOUSAND, found.warnings)).toMatchObject({
        cost: first.cost,
        price_version: first.price_version,
      })
      expect(usd(later, 'gpt-4o', { at_ms: SOME_DAY_MS + 1 })).toBe('0.099')
    }
  })

  it('is not guessed: an unknown overlay, another catalogue, another model', () => {
    const book = bookOf([overlay('a', { prices: { multiplier: '0.5' } })])
    const of = (version: string, model = 'gpt-4o') => pricesOfVersion(book, version, { ...conditions, model })
    expect(of(id('z')).kind).toBe('unknown')
    expect(of('nonsense')).toEqual({ kind: 'other_catalogue', catalogue: 'nonsense' })
    expect(of(`${id('a')}*0123456789:openai/gpt-4o`)).toEqual({
      kind: 'other_catalogue',
      catalogue: '0123456789',
    })
    expect(of(`${id('a')}*${CATALOGUE_VERSION}:openai/gpt-4o`, 'gpt-4o-mini').kind).toBe('unknown')
    expect(of(`${id('a')}*${CATALOGUE_VERSION}:openai/gpt-4o`).kind).toBe('found')
  })
})

describe('the prices in force, for people', () => {
  it('name their source, with thresholds and sizes multiplied too', () => {
    const at_ms = SOME_DAY_MS
    const half = bookOf([overlay('a', { provider: 'google', model: 'gemini-2.5-pro' })])
    const gemini = pricesInForce(half, { provider: provider('google'), model: 'gemini-2.5-pro', at_ms })
    expect(gemini).toMatchObject({ source: 'override', overlay: { overlay_id: id('a') } })
    expect(describePrices(gemini?.prices ?? new Map())[0]).toEqual({
      unit: 'input_tokens',
      price_usd: '0.000000625',
      tiers: [{ threshold: 200000, inclusive: false, price_usd: '0.00000125' }],
    })
    const sized = bookOf([], [overlay('b', { model: 'dall-e-3' })])
    const image = pricesInForce(sized, { provider: OPENAI, model: 'dall-e-3', at_ms })
    const list = pricesInForce(NO_OVERLAYS, { provider: OPENAI, model: 'dall-e-3', at_ms })
    expect([image?.source, list?.source]).toEqual(['operator', 'catalogue'])
    const sizes = (prices: UnitPrices = new Map()) =>
      describePrices(prices).flatMap((price) => price.sizes ?? [])
    expect(sizes(list?.prices).length).toBeGreaterThan(0)
    expect(sizes(image?.prices).map(({ price_usd }) => 2 * Number(price_usd))).toEqual(
      sizes(list?.prices).map(({ price_usd }) => Number(price_usd)),
    )
    expect(pricesInForce(half, { provider: OPENAI, model: 'gpt-99', at_ms })).toBeUndefined()
  })
})

describe('the memory of compiled prices', () => {
  it('returns the same list for the same prices, and is bounded', () => {
    const some = overlay('a', { prices: flat('1') })
    const list = (one: PriceOverlay, model = 'gpt-4o') =>
      pricesOfVersion(bookOf([one]), one.overlay_id, { provider: OPENAI, model, at_ms: SOME_DAY_MS })
    const first = list(some)
    expect(list(some)).toEqual(first)
    if (first.kind !== 'found') throw new Error(first.kind)
    const again = list(some)
    expect(again.kind === 'found' && again.list).toBe(first.list)
    for (let i = 0; i < 5_001; i++) list(overlay(`n${i}`, { prices: flat('1') }))
    const forgotten = list(some)
    expect(forgotten.kind === 'found' && forgotten.list).not.toBe(first.list)
  })
})

/** Converts a multiple of 10^-18 to a decimal text. */
function decimalOf(atto: bigint): string {
  const digits = atto.toString().padStart(19, '0')
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`
}

const PICO = 1_000_000_000_000n

/**
 * Checks that the cost is the exact fraction, rounded to the nearest pico-USD. A tie is rounded to the even pico-USD.
 */
function expectHalfEven(result: CostResult, exact: Fraction): void {
  if (result.kind !== 'priced') throw new Error(`${result.reason}, instead of ${exact.toString()}`)
  const twiceOff = new Fraction(result.cost, PICO)
    .sub(exact)
    .abs()
    .mul(2n * PICO)
  expect(twiceOff.compare(1)).toBeLessThanOrEqual(0)
  if (twiceOff.equals(1)) expect(result.cost % 2n).toBe(0n)
}
