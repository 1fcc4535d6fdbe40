import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CREDIT_DECIMALS,
  divideHalfEven,
  formatCredits,
  formatDecimal,
  formatUsd,
  formatUsdParts,
  MAX_MICRO_CREDITS,
  MAX_USD,
  microCredits,
  picoUsd,
  usdFromParts,
  usdToParts,
} from '../../src/pricing/money.ts'

/**
 * Tests functions that calculate with JavaScript numbers where these are exact. The results must equal the results with
 * BigInt.
 */

const EDGES = [0, 1, -1, 999_999, 1_000_000, -1_000_001, 10, -500_000, MAX_MICRO_CREDITS, -MAX_MICRO_CREDITS]
const amounts = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.integer({ min: -MAX_MICRO_CREDITS, max: MAX_MICRO_CREDITS }),
  fc.integer({ min: -2_000_000, max: 2_000_000 }),
)
const usd = fc.oneof(
  fc.constantFrom(0n, 1n, 999_999n, 1_000_000n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, BigInt(MAX_USD)),
  fc.bigInt({ min: 0n, max: BigInt(MAX_USD) }),
  fc.bigInt({ min: 0n, max: 2n ** 54n }),
)

describe('credits as text', () => {
  it('are the decimal of their micro-credits', () => {
    fc.assert(
      fc.property(amounts, (amount) => {
        expect(formatCredits(microCredits(amount))).toBe(formatDecimal(BigInt(amount), CREDIT_DECIMALS))
      }),
    )
  })
})

describe('USD at rest', () => {
  it('are whole micro-USD and a remainder, and the same amount again', () => {
    fc.assert(
      fc.property(usd, (pico) => {
        const parts = usdToParts(picoUsd(pico))
        expect(parts).toEqual({ micro: Number(pico / 1_000_000n), pico: Number(pico % 1_000_000n) })
        expect(usdFromParts(parts)).toBe(pico)
      }),
    )
  })

  it('are written like the amount itself', () => {
    fc.assert(
      fc.property(usd, (pico) => {
        expect(formatUsdParts(usdToParts(picoUsd(pico)))).toBe(formatUsd(picoUsd(pico)))
      }),
    )
  })
})

describe('a division', () => {
  it('rounds to the nearest integer, a tie to the even one, on both sides of zero', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -1000n, max: 1000n }), fc.bigInt({ min: 1n, max: 50n }), (top, bottom) => {
        const rounded = divideHalfEven(top, bottom)
        const twice = 2n * (top - rounded * bottom)
        const distance = twice < 0n ? -twice : twice
        expect(distance <= bottom).toBe(true)
        if (distance === bottom) expect(rounded % 2n).toBe(0n)
      }),
    )
  })
})
