import * as fc from 'fast-check'
import Fraction from 'fraction.js'
import { describe, expect, it } from 'vitest'
import { allModels, allProviders } from '../../src/pricing/catalogue/catalogue.ts'
import { readPrices } from '../../src/pricing/catalogue/notation.ts'
import { cataloguePrices } from '../../src/pricing/catalogue/prices.ts'
import { exactPrice, priceUsage } from '../../src/pricing/cost/cost.ts'
import { priceList } from '../../src/pricing/cost/price-list.ts'
import { safeCost } from '../../src/pricing/cost/safe-cost.ts'
import { divideHalfEven, picoUsd, usdToParts } from '../../src/pricing/money.ts'
import { type Facets, USAGE_UNITS, type UsageUnit } from '../../src/pricing/units.ts'
import { checkUsage, clampUsage, isUsageUnit, type Usage } from '../../src/pricing/usage.ts'
import { exactUsd, SOME_DAY_MS } from './support.ts'

/**
 * A kind of token that no other kind includes, such as cached audio input. The tests compare costs with an oracle. The
 * engine divides totals into their parts. The oracle works in the opposite direction: it applies the most specific
 * price to each cell, and adds the costs as exact fractions.
 */
type Cell = Facets & { readonly direction: 'input' | 'output' }

const MODALITIES = ['text', 'audio', 'image', 'video'] as const
const CELLS: readonly Cell[] = MODALITIES.flatMap((modality): Cell[] => [
  { direction: 'input', modality },
  { direction: 'input', modality, kind: 'tool' },
  { direction: 'input', modality, kind: 'cache_read' },
  { direction: 'input', modality, kind: 'cache_write', ttl: '5m' },
  { direction: 'input', modality, kind: 'cache_write', ttl: '1h' },
  { direction: 'output', modality },
  { direction: 'output', modality, kind: 'reasoning' },
  { direction: 'output', modality, kind: 'citation' },
])

const TOKEN_UNITS = Object.keys(USAGE_UNITS)
  .filter(isUsageUnit)
  .filter((unit) => USAGE_UNITS[unit].family === 'tokens')

const UNITS = Object.keys(USAGE_UNITS).filter(isUsageUnit)

const facetsOf = (unit: UsageUnit): Facets => USAGE_UNITS[unit].facets
const isIn = (cell: Cell, unit: UsageUnit) =>
  (['direction', 'modality', 'kind', 'ttl'] as const).every(
    (facet) => facetsOf(unit)[facet] === undefined || facetsOf(unit)[facet] === cell[facet],
  )

interface TestPrice {
  readonly unit: UsageUnit
  readonly base: string
  readonly tier: { readonly threshold: number; readonly inclusive: boolean; readonly price: string } | null
}

const decimalPrice = fc
  .tuple(fc.integer({ min: 0, max: 999_999 }), fc.integer({ min: 0, max: 9 }))
  .map(([digits, decimals]) => (digits / 10 ** decimals).toFixed(decimals))

const prices = fc.uniqueArray(
  fc.record({
    unit: fc.constantFrom(...TOKEN_UNITS),
    base: decimalPrice,
    tier: fc.option(
      fc.record({
        threshold: fc.integer({ min: 0, max: 5000 }),
        inclusive: fc.boolean(),
        price: decimalPrice,
      }),
    ),
  }),
  { selector: ({ unit }) => unit, minLength: 1, maxLength: 12 },
)

const amounts = fc.array(
  fc.tuple(
    fc.constantFrom(...CELLS),
    fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 1e11 })),
  ),
  { minLength: 1, maxLength: 8 },
)

type Amounts = readonly (readonly [Cell, number])[]

function usageOf(cells: Amounts): Usage {
  const usage: { [U in UsageUnit]?: number } = {}
  for (const unit of TOKEN_UNITS) {
    const total = cells.reduce((sum, [cell, amount]) => sum + (isIn(cell, unit) ? amount : 0), 0)
    if (total > 0) usage[unit] = total
  }
  return usage
}

function listOf(priced: readonly TestPrice[]) {
  const text = priced.map(({ unit, base, tier }) => {
    const above = tier === null ? '' : `,${tier.inclusive ? '>=' : '>'}${tier.threshold}:${tier.price}`
    return `${unit}=${base}${above}`
  })
  return priceList(readPrices(text.join(' ')), { version: 'test' })
}

function oracle(priced: readonly TestPrice[], cells: Amounts): Fraction {
  const input = cells.reduce((sum, [cell, amount]) => sum + (cell.direction === 'input' ? amount : 0), 0)
  let total = new Fraction(0)
  for (const [cell, amount] of cells) {
    const [best] = priced.filter(({ unit }) => isIn(cell, unit)).sort((a, b) => says(b.unit) - says(a.unit))
    if (best === undefined) continue
    const { tier } = best
    const passed = tier !== null && (tier.inclusive ? input >= tier.threshold : input > tier.threshold)
    total = total.add(new Fraction(passed ? tier.price : best.base).mul(amount).div(1_000_000))
  }
  return total
}

/**
 * Returns a number that is higher for a more specific unit. A unit with more facets is more specific. Among units with
 * the same number of facets, a lifetime counts more than a kind, and a kind counts more than a modality.
 */
function says(unit: UsageUnit): number {
  const { modality, kind, ttl } = facetsOf(unit)
  const count = [modality, kind, ttl].filter((facet) => facet !== undefined).length
  return count * 8 + (ttl === undefined ? 0 : 4) + (kind === undefined ? 0 : 2)
}

/** Rounds a fraction half-even at 1e-12. */
function rounded(value: Fraction): bigint {
  const scaled = value.mul(1_000_000_000_000n)
  const below = scaled.floor()
  const rest = scaled.sub(below)
  const half = new Fraction(1, 2)
  const up = rest.compare(half) > 0 || (rest.equals(half) && below.n % 2n === 1n)
  return up ? below.n + 1n : below.n
}

describe('against an oracle that never subtracts', { timeout: 60_000 }, () => {
  it('agrees on 10,000 random usages and price lists to the last decimal', () => {
    fc.assert(
      fc.property(prices, amounts, (priced, cells) => {
        const usage = usageOf(cells)
        expect(checkUsage(usage).problems).toEqual([])
        const result = priceUsage(listOf(priced), usage)
        const expected = rounded(oracle(priced, cells))
        if (result.kind === 'unpriced') return expected === 0n
        return result.cost === expected
      }),
      { numRuns: 10_000 },
    )
  })

  it('agrees on seconds with decimals', () => {
    const seconds = fc.integer({ min: 0, max: 10 ** 13 }).map((ns) => ns / 1e9)
    fc.assert(
      fc.property(seconds, decimalPrice, (audio_seconds, per_hour) => {
        const list = priceList(readPrices(`audio_seconds=${per_hour}`), { version: 'test' })
        const result = priceUsage(list, { audio_seconds })
        const expected = new Fraction(audio_seconds.toFixed(9)).mul(per_hour).div(3600)
        return result.kind === 'priced' && result.cost === rounded(expected)
      }),
      { numRuns: 3000 },
    )
  })
})

/** Generates units with prices and quantities of all sizes. Most of the products are far above 2^53. */
const extremes = fc.array(
  fc.tuple(
    fc.constantFrom(...UNITS),
    fc.oneof(decimalPrice, fc.constantFrom('0', '0.000000000001', '999999999', '0.333333333333333333333')),
    fc.oneof(
      fc.nat(),
      fc.constantFrom(0, 1, 1e13, 9_007_199, 9_007_199.254_740_993),
      fc.double({ min: 0, max: 1e13 }),
    ),
  ),
  { minLength: 1, maxLength: 6 },
)

describe('the cost in safe integers', { timeout: 60_000 }, () => {
  it('is exact or undefined', () => {
    let found = 0
    fc.assert(
      fc.property(extremes, (units) => {
        const list = priceList(readPrices(units.map(([unit, base]) => `${unit}=${base}`).join(' ')), {
          version: 'test',
          minimums: new Map([['audio_seconds', 10]]),
        })
        const { usage } = clampUsage(Object.fromEntries(units.map(([unit, , quantity]) => [unit, quantity])))
        const cost = safeCost(list, usage)
        if (cost === undefined) return
        found++
        const { numerator, denominator } = exactPrice(list, usage)
        expect(cost).toBe(divideHalfEven(numerator, denominator))
      }),
      { numRuns: 10_000 },
    )
    expect(found).toBeGreaterThan(1_000)
  })

  it('exists for the events of nearly all models', () => {
    const all: boolean[] = []
    for (const provider of allProviders()) {
      for (const model of allModels(provider)) {
        const { list } = cataloguePrices({ provider, model: model.id, at_ms: SOME_DAY_MS }, model)
        for (const usage of [
          { input_tokens: 1_000_000, cache_read_tokens: 400_000, output_tokens: 3 },
          { audio_seconds: 12.345 },
          { output_images: 3 },
        ]) {
          const { numerator, denominator } = exactPrice(list, usage)
          const cost = safeCost(list, usage)
          all.push(cost !== undefined)
          if (cost !== undefined) expect(cost, model.id).toBe(divideHalfEven(numerator, denominator))
        }
      }
    }
    expect(all.filter(Boolean).length / all.length).toBeGreaterThan(0.95)
  })

  it('is stored in the same parts as a larger one', () => {
    const edge = BigInt(Number.MAX_SAFE_INTEGER)
    const amounts = fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.bigInt(edge - 2n, edge + 2n))
    fc.assert(
      fc.property(amounts, (pico) => {
        const parts = usdToParts(picoUsd(pico))
        expect([BigInt(parts.micro), BigInt(parts.pico)]).toEqual([pico / 1_000_000n, pico % 1_000_000n])
      }),
    )
  })
})

describe('any usage', { timeout: 60_000 }, () => {
  it('bills exactly the used tokens when all prices are equal', () => {
    const units = fc.uniqueArray(fc.constantFrom(...TOKEN_UNITS), { maxLength: 10 })
    fc.assert(
      fc.property(units, amounts, fc.func(fc.boolean()), (some, cells, isReported) => {
        const complete = usageOf(cells)
        // Removes some quantities of overlapping units, which providers often do not report. Each token must still be
        // charged exactly once.
        const names = Object.keys(complete).filter(isUsageUnit)
        const kept = names.filter(
          (unit) => !/_(text|audio|image|video)_.*_tokens/.test(unit) || isReported(unit),
        )
        const usage = Object.fromEntries(kept.map((unit) => [unit, complete[unit]]))
        const priced = [...new Set<UsageUnit>(['input_tokens', 'output_tokens', ...some])]
        const result = priceUsage(
          priceList(readPrices(priced.map((unit) => `${unit}=1`).join(' ')), { version: 'test' }),
          usage,
        )
        const tokens = cells.reduce((sum, [, amount]) => sum + BigInt(amount), 0n)
        return result.kind === 'priced' && result.cost === tokens * 1_000_000n
      }),
      { numRuns: 5000 },
    )
  })

  it('never costs less for more usage, within a tier', () => {
    const flat = prices.map((list) => list.map((one) => ({ ...one, tier: null })))
    fc.assert(
      fc.property(
        flat,
        amounts,
        fc.constantFrom(...CELLS),
        fc.integer({ min: 1, max: 1e6 }),
        (priced, cells, cell, more) => {
          const list = listOf(priced)
          const before = priceUsage(list, usageOf(cells))
          const after = priceUsage(list, usageOf([...cells, [cell, more]]))
          return (after.kind === 'priced' ? after.cost : 0n) >= (before.kind === 'priced' ? before.cost : 0n)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('adds up to its breakdown within half a pico-USD a line', () => {
    fc.assert(
      fc.property(prices, amounts, (priced, cells) => {
        const result = priceUsage(listOf(priced), usageOf(cells))
        if (result.kind === 'unpriced') return true
        const lines = result.breakdown().reduce((sum, line) => sum.add(line.cost_usd), new Fraction(0))
        const off = lines.sub(exactUsd(result.cost)).abs().mul(1_000_000_000_000n)
        return off.compare(new Fraction(result.breakdown().length + 1, 2)) <= 0
      }),
      { numRuns: 2000 },
    )
  })

  it('is priced without an exception, even if it was not checked', () => {
    const wild = fc.dictionary(
      fc.constantFrom(...TOKEN_UNITS, 'audio_seconds', 'output_images', 'requests'),
      fc.nat({ max: 1e12 }),
    )
    fc.assert(
      fc.property(prices, wild, (priced, usage) => {
        const result = priceUsage(listOf(priced), usage)
        return result.kind === 'unpriced' || result.cost >= 0n
      }),
      { numRuns: 3000 },
    )
  })
})
