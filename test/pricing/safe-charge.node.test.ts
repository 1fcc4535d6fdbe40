import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BurnRule, BurnTableDefinition, RoundingMode } from '../../src/pricing/burn-table/definition.ts'
import { safeCharge } from '../../src/pricing/burn-table/safe-charge.ts'
import { type BurnTable, priceOf } from '../../src/pricing/burn-table/table.ts'
import { ceilDivide, divideHalfEven, floorDivide, picoUsd } from '../../src/pricing/money.ts'
import { table } from './burn-table-support.ts'

const DIVIDE = { half_even: divideHalfEven, ceil: ceilDivide, floor: floorDivide }

function methodOf(burnTable: BurnTable) {
  const method = burnTable.methodFor({ feature_id: 'chat' })
  if (method.needs !== 'cost') throw new Error('not a method that needs the cost')
  return method
}

/** Returns the charge for a cost in pico-USD, calculated with BigInt. */
function exactCharge(burnTable: BurnTable, cost: bigint) {
  const { mode, step_micro } = burnTable.rounding
  const { numerator, denominator } = methodOf(burnTable).charge(picoUsd(cost))
  const rounded = DIVIDE[mode](numerator * 1_000_000n, denominator * step_micro) * step_micro
  const least = numerator > 0n ? burnTable.min_charge_micro : 0n
  const credits_micro = rounded < least ? least : rounded
  return { credits_micro, price: priceOf(burnTable, credits_micro) }
}

const decimal = (whole: number, decimals: number) =>
  fc
    .tuple(fc.nat({ max: whole }), fc.nat({ max: 10 ** decimals - 1 }))
    .map(([before, after]) => `${before}.${String(after).padStart(decimals, '0')}`)

const tables = fc
  .record({
    credits_per_usd: fc.oneof(
      fc.constantFrom('1000', '100', '1', '3', '0.7', '0.000000000001'),
      decimal(2000, 3),
    ),
    step: fc.constantFrom('0.000001', '0.0001', '0.01', '1', '5'),
    mode: fc.constantFrom<RoundingMode>('half_even', 'ceil', 'floor'),
    min_charge: fc.constantFrom('0', '0.000001', '1', '8000000000'),
    markup_percent: fc.oneof(fc.constantFrom('0', '100', '33.333333333333'), decimal(500, 2)),
    fixed: fc.constantFrom(undefined, '0', '0.5'),
  })
  .filter(({ credits_per_usd }) => Number(credits_per_usd) > 0)
  .map(({ credits_per_usd, step, mode, min_charge, markup_percent, fixed }) => {
    const rule: BurnRule = { match: {}, method: 'cost_plus', markup_percent, ...(fixed && { fixed }) }
    const fields: Partial<BurnTableDefinition> = { credits_per_usd, rounding: { mode, step }, min_charge }
    return table([rule], fields)
  })

const costs = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 10n }),
  fc.bigInt({ min: 0n, max: 10n ** 17n }),
  fc.bigInt({ min: 0n, max: 8n * 10n ** 21n }),
  fc.nat({ max: 1000 }).map((n) => 2n ** 53n - 500n + BigInt(n)),
)

describe('a charge in safe integers', () => {
  it('is the exact one, or is left to it', () => {
    fc.assert(
      fc.property(tables, costs, (burnTable, cost) => {
        const safe = safeCharge(burnTable, methodOf(burnTable), picoUsd(cost))
        if (safe) expect(safe).toEqual(exactCharge(burnTable, cost))
      }),
      { numRuns: 20_000 },
    )
  })

  it('is taken for costs up to thousands of USD by tables of common forms', () => {
    for (const credits_per_usd of ['1000', '100', '1']) {
      const common = table([], { credits_per_usd })
      for (const cost of [0n, 1n, 7_500_000_000n, 1_000n * 10n ** 12n]) {
        expect(safeCharge(common, methodOf(common), picoUsd(cost))).toEqual(exactCharge(common, cost))
      }
    }
  })

  it('is left to exact integers where a safe integer could be exceeded', () => {
    const common = table([])
    expect(safeCharge(common, methodOf(common), picoUsd(2n ** 53n))).toBeUndefined()
    expect(safeCharge(common, methodOf(common), picoUsd(8n * 10n ** 21n))).toBeUndefined()
  })
})
