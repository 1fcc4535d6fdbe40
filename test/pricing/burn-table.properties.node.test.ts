import fc from 'fast-check'
import Fraction from 'fraction.js'
import { describe, expect, it } from 'vitest'
import type { Chargeable } from '../../src/pricing/burn-table/charge.ts'
import type {
  BurnMethod,
  BurnTableDefinition,
  PerUnit,
  RoundingMode,
  Tiered,
} from '../../src/pricing/burn-table/definition.ts'
import { picoUsd } from '../../src/pricing/money.ts'
import type { Usage } from '../../src/pricing/usage.ts'
import { charge, Meter, table } from './burn-table-support.ts'

/**
 * Compares charges with an oracle, which follows the documentation, uses exact fractions, and shares no code with the
 * implementation. The oracle charges tiers one range at a time, and subtracts the parts of a unit from the whole
 * explicitly.
 */

const RUNS = 10_000

/** Generates a decimal text from `least` to `maximum` with up to `decimals` decimal places. */
const decimal = (maximum: number, decimals: number, least = 0n) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: decimals }),
      fc.bigInt({ min: 0n, max: BigInt(maximum) * 10n ** BigInt(decimals) }),
    )
    .map(([kept, value]) => {
      const unit = 10n ** BigInt(decimals - kept)
      const cut = (value / unit) * unit
      const raised = cut < least ? least : cut
      const text = raised.toString().padStart(decimals + 1, '0')
      return `${text.slice(0, -decimals)}.${text.slice(-decimals)}`
    })

const amount = decimal(1000, 12)
const size = decimal(1000, 6, 1n)
const quantity = fc.oneof(fc.constantFrom(0, 1, 2), fc.integer({ min: 0, max: 3000 }))
const customQuantity = fc.oneof(
  quantity,
  fc.integer({ min: 0, max: 3_000_000 }).map((n) => n / 1000),
)

const usage = fc
  .record({ text: quantity, cached: quantity, output: quantity, reasoning: quantity, images: quantity })
  .map(
    ({ text, cached, output, reasoning, images }): Usage => ({
      input_tokens: text + cached,
      cache_read_tokens: cached,
      output_tokens: output + reasoning,
      output_reasoning_tokens: reasoning,
      output_images: images,
    }),
  )

const custom = fc.record({ calls: customQuantity, pages: customQuantity })
const anyUnit = fc.constantFrom(
  'input_tokens',
  'output_tokens',
  'output_images',
  'calls',
  'pages',
  'requests',
)

const rate = fc.record({ amount, per: size })
const perUnit = fc
  .subarray(
    [
      'input_tokens',
      'cache_read_tokens',
      'output_tokens',
      'output_reasoning_tokens',
      'output_images',
      'calls',
      'pages',
      'requests',
    ],
    { minLength: 1 },
  )
  .chain((units) =>
    fc.array(rate, { minLength: units.length, maxLength: units.length }).map((rates) => ({ units, rates })),
  )
  .map(
    ({ units, rates }): PerUnit => ({
      method: 'per_unit',
      rates: Object.fromEntries(units.flatMap((unit, index) => (rates[index] ? [[unit, rates[index]]] : []))),
    }),
  )

const tiered = fc
  .record({
    mode: fc.constantFrom('graduated' as const, 'volume' as const),
    unit: anyUnit,
    free: fc.option(decimal(500, 3), { nil: undefined }),
    steps: fc.array(decimal(800, 3, 1n), { maxLength: 4 }),
    prices: fc.array(fc.tuple(amount, fc.option(amount, { nil: undefined })), { minLength: 5, maxLength: 5 }),
  })
  .map(({ mode, unit, free, steps, prices }): Tiered => {
    let end = new Fraction(0)
    const ends = steps.map((step) => {
      end = end.add(step)
      return `${end.mul(1000).n / 1000n}.${(end.mul(1000).n % 1000n).toString().padStart(3, '0')}`
    })
    return {
      method: 'tiered',
      mode,
      unit,
      period: 'MONTHLY',
      free,
      tiers: [...ends, null].map((up_to, index) => {
        const [unit_amount = '0', flat_amount] = prices[index] ?? []
        return { up_to, unit_amount, flat_amount }
      }),
    }
  })

const method: fc.Arbitrary<BurnMethod> = fc.oneof(
  fc.record({
    method: fc.constant('cost_plus' as const),
    markup_percent: amount,
    fixed: fc.option(amount, { nil: undefined }),
  }),
  perUnit,
  fc.record({ method: fc.constant('flat' as const), amount, unit: fc.option(anyUnit, { nil: undefined }) }),
  fc.record({ method: fc.constant('package' as const), unit: anyUnit, size, amount }),
  tiered,
)

const fields: fc.Arbitrary<Partial<BurnTableDefinition>> = fc.record({
  credits_per_usd: decimal(5000, 6, 1n),
  rounding: fc.record({
    mode: fc.constantFrom('half_even' as const, 'ceil' as const, 'floor' as const),
    step: fc.constantFrom('0.000001', '0.01', '0.25', '1', '7'),
  }),
  min_charge: fc.constantFrom('0', '0', '0.000001', '2.5'),
})

const event = fc
  .record({ usage, custom, cost: fc.bigInt({ min: 0n, max: 10n ** 14n }) })
  .map((used): Partial<Chargeable> => ({ ...used, cost: picoUsd(used.cost) }))

describe('charges equal exact fractions', () => {
  it(`${RUNS} random tables and events, each twice in one period`, () => {
    fc.assert(
      fc.property(method, fields, event, event, (rule, change, first, second) => {
        const made = table([{ match: {}, ...rule }], change)
        const meter = new Meter()
        const before = quantityIn(rule, first)
        expect(meter.credits(made, first)).toBe(plain(oracle(rule, change, first, new Fraction(0))))
        expect(meter.credits(made, second)).toBe(plain(oracle(rule, change, second, before)))
      }),
      { numRuns: RUNS },
    )
  }, 120_000)
})

describe('more usage never costs less', () => {
  it('by any method except volume tiers, whose price may fall with the total', () => {
    fc.assert(
      fc.property(
        method,
        fields,
        event,
        anyUnit,
        fc.integer({ min: 1, max: 500 }),
        (rule, change, used, unit, more) => {
          fc.pre(rule.method !== 'tiered' || rule.mode === 'graduated')
          // Increases only units without cheaper parts, because more of a cheap part can lower the cost of the whole.
          const made = table([{ match: {}, ...rule }], change)
          const grown: Partial<Chargeable> =
            unit === 'calls' || unit === 'pages'
              ? { ...used, custom: { ...used.custom, [unit]: (used.custom?.[unit] ?? 0) + more } }
              : { ...used, usage: { ...used.usage, [unit]: numberOf(used, unit) + more } }
          expect(charge(made, grown).credits_micro).toBeGreaterThanOrEqual(charge(made, used).credits_micro)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('by volume, within a tier', () => {
    fc.assert(
      fc.property(
        tiered,
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 1, max: 2000 }),
        (rule, one, more) => {
          const within = { ...rule, mode: 'volume' as const, unit: 'calls' }
          fc.pre(tierOf(within, one) === tierOf(within, one + more))
          const made = table([{ match: {}, ...within }])
          const costs = (calls: number) => charge(made, { custom: { calls } }).credits_micro
          expect(costs(one + more)).toBeGreaterThanOrEqual(costs(one))
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('a period’s graduated charges do not depend on how its units arrive', () => {
  it('in one event or in many', () => {
    const parts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(tiered, parts, (rule, calls) => {
        // Cuts amounts to six decimal places, so that no intermediate result is rounded.
        const tiers = rule.tiers.map((tier) => ({
          ...tier,
          unit_amount: cut(tier.unit_amount),
          flat_amount: cut(tier.flat_amount ?? '0'),
        }))
        const whole = rule.tiers.every(({ up_to }) => up_to === null || Number.isInteger(Number(up_to)))
        fc.pre(whole && Number.isInteger(Number(rule.free ?? '0')))
        const made = table([{ match: {}, ...rule, mode: 'graduated', unit: 'calls', tiers }])
        const meter = new Meter()
        const apart = calls.map((n) => meter.credits(made, { custom: { calls: n } }))
        const sum = apart.reduce((total, text) => total.add(text), new Fraction(0))
        const together = new Meter().credits(made, { custom: { calls: calls.reduce((a, b) => a + b) } })
        expect(plain(sum)).toBe(together)
      }),
      { numRuns: 500 },
    )
  })
})

const cut = (text: string) => text.slice(0, text.indexOf('.') + 7)

function numberOf({ usage: used, custom: own }: Partial<Chargeable>, unit: string): number {
  if (unit === 'requests') return used?.requests ?? 1
  const all: Readonly<Record<string, number | undefined>> = { ...used, ...own }
  return all[unit] ?? 0
}

function quantityIn(rule: BurnMethod, used: Partial<Chargeable>): Fraction {
  return new Fraction('unit' in rule && rule.unit !== undefined ? String(numberOf(used, rule.unit)) : 0)
}

/** Returns the charge in credits that the documentation defines. */
function oracle(
  rule: BurnMethod,
  change: Partial<BurnTableDefinition>,
  used: Partial<Chargeable>,
  before: Fraction,
): Fraction {
  const exact = exactCharge(rule, change.credits_per_usd ?? '1000', used, before)
  const { mode = 'half_even', step = '0.000001' } = change.rounding ?? {}
  const rounded = roundTo(mode, exact.div(step)).mul(step)
  const least = exact.compare(0) > 0 ? new Fraction(change.min_charge ?? 0) : new Fraction(0)
  return rounded.compare(least) < 0 ? least : rounded
}

function exactCharge(
  rule: BurnMethod,
  per_usd: string,
  used: Partial<Chargeable>,
  before: Fraction,
): Fraction {
  const quantityUsed = quantityIn(rule, used)
  switch (rule.method) {
    case 'cost_plus':
      return new Fraction(used.cost ?? 0n, 10n ** 12n)
        .mul(per_usd)
        .mul(new Fraction(rule.markup_percent).div(100).add(1))
        .add(rule.fixed ?? 0)
    case 'flat':
      return rule.unit === undefined ? new Fraction(rule.amount) : quantityUsed.mul(rule.amount)
    case 'package':
      return quantityUsed.div(rule.size).ceil().mul(rule.amount)
    case 'per_unit':
      return perUnitCharge(rule, used)
    case 'tiered':
      return tierCharge(rule, before, before.add(quantityUsed))
  }
}

const PARTS: Readonly<Record<string, string>> = {
  input_tokens: 'cache_read_tokens',
  output_tokens: 'output_reasoning_tokens',
}

function perUnitCharge({ rates }: PerUnit, used: Partial<Chargeable>): Fraction {
  return Object.entries(rates).reduce((sum, [unit, { amount: price, per }]) => {
    const part = PARTS[unit]
    const own = numberOf(used, unit) - (part !== undefined && part in rates ? numberOf(used, part) : 0)
    return sum.add(new Fraction(String(own)).mul(price).div(per))
  }, new Fraction(0))
}

function tierCharge({ mode, free, tiers }: Tiered, before: Fraction, after: Fraction): Fraction {
  const paidFrom = larger(new Fraction(0), before.sub(free ?? 0))
  const paidTo = larger(new Fraction(0), after.sub(free ?? 0))
  if (paidTo.equals(paidFrom)) return new Fraction(0)
  let start = new Fraction(0)
  let sum = new Fraction(0)
  for (const { up_to, unit_amount, flat_amount } of tiers) {
    const end = up_to === null ? undefined : new Fraction(up_to)
    const last = end === undefined || paidTo.compare(end) <= 0
    const here = (last ? paidTo : (end ?? paidTo)).sub(larger(start, paidFrom))
    const entered = paidTo.compare(start) > 0 && paidFrom.compare(start) <= 0
    if (mode === 'graduated' && here.compare(0) > 0) {
      sum = sum.add(here.mul(unit_amount)).add(entered ? (flat_amount ?? 0) : 0)
    }
    if (mode === 'volume' && last) {
      return paidTo
        .sub(paidFrom)
        .mul(unit_amount)
        .add(entered ? (flat_amount ?? 0) : 0)
    }
    if (last) break
    start = end ?? start
  }
  return sum
}

function tierOf({ tiers, free }: Tiered, calls: number): number {
  return tiers.findIndex(
    ({ up_to }) => up_to === null || new Fraction(calls).sub(free ?? 0).compare(up_to) <= 0,
  )
}

function larger(a: Fraction, b: Fraction): Fraction {
  return a.compare(b) > 0 ? a : b
}

function roundTo(mode: RoundingMode, value: Fraction): Fraction {
  if (mode === 'ceil') return value.ceil()
  if (mode === 'floor') return value.floor()
  const below = value.floor()
  const rest = value.sub(below).compare(new Fraction(1, 2))
  const even = below.mod(2).equals(0)
  return rest > 0 || (rest === 0 && !even) ? below.add(1) : below
}

/** Returns a fraction with at most six decimal places as a plain decimal text. */
function plain(value: Fraction): string {
  const micro = value.mul(1_000_000)
  if (micro.d !== 1n) throw new Error(`more than six decimals: ${value.toFraction()}`)
  const text = micro.n.toString().padStart(7, '0')
  return `${text.slice(0, -6)}.${text.slice(-6)}`.replace(/\.?0+$/, '')
}
