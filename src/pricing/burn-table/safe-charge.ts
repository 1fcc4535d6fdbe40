import { CREDIT_DECIMALS, divideSafeHalfEven, type PicoUsd, picoUsd } from '../money.ts'
import { type CompiledMethod, greatestCommonDivisor } from './methods.ts'
import { type BurnTable, PRICE_SCALE } from './table.ts'

type CostMethod = CompiledMethod & { readonly needs: 'cost' }

/** A fraction in lowest terms. Both numbers are safe integers. */
interface SafeFraction {
  readonly numerator: number
  readonly denominator: number
}

/** The factors that compute the charges of one method of one table. */
interface Factors {
  /** The charge for one pico-USD of cost, as a number of the table's rounding steps. */
  readonly steps: SafeFraction
  readonly step_micro: number
  readonly min_charge_micro: number
  /** The price of a micro-credit in pico-USD. */
  readonly price: SafeFraction
}

const prepared = new WeakMap<CostMethod, Factors | null>()

function factorsOf(table: BurnTable, method: CostMethod): Factors | null {
  const known = prepared.get(method)
  if (known !== undefined) return known
  const { rounding, min_charge_micro, credits_per_usd } = table
  const steps = fraction(method.per_pico_usd * MICRO, method.denominator * rounding.step_micro)
  const price = fraction(PRICE_SCALE, credits_per_usd)
  const numbers = [Number(rounding.step_micro), Number(min_charge_micro)] as const
  // Safe integers are used only for half-even rounding without a fixed fee. All other charges use the exact
  // computation.
  const is_common =
    rounding.mode === 'half_even' && method.fixed === 0n && numbers.every(Number.isSafeInteger)
  const [step_micro, least] = numbers
  const fresh = is_common && steps && price ? { steps, step_micro, min_charge_micro: least, price } : null
  prepared.set(method, fresh)
  return fresh
}

const MICRO = 10n ** BigInt(CREDIT_DECIMALS)

/** Returns a fraction in lowest terms; undefined if one of its numbers is not a safe integer. */
function fraction(numerator: bigint, denominator: bigint): SafeFraction | undefined {
  const divisor = greatestCommonDivisor(numerator, denominator)
  if (divisor === 0n) return undefined
  const reduced = { numerator: Number(numerator / divisor), denominator: Number(denominator / divisor) }
  return Object.values(reduced).every(Number.isSafeInteger) ? reduced : undefined
}

/**
 * Returns the credits and the customer's price for a provider's cost, computed in safe integers. The results equal the
 * exact results of `charge.ts`, but the computation takes a quarter of the time. Returns undefined if the charge has a
 * fixed fee or is not rounded half-even, or if an intermediate result could be inexact.
 */
export function safeCharge(
  table: BurnTable,
  method: CostMethod,
  cost: PicoUsd,
): { readonly credits_micro: bigint; readonly price: PicoUsd } | undefined {
  const factors = factorsOf(table, method)
  if (!factors) return undefined
  const exact = Number(cost) * factors.steps.numerator
  const rounded = divided(exact, factors.steps.denominator) * factors.step_micro
  const micro = exact > 0 && rounded < factors.min_charge_micro ? factors.min_charge_micro : rounded
  const price = divided(micro * factors.price.numerator, factors.price.denominator)
  if (!Number.isSafeInteger(micro) || !Number.isSafeInteger(price)) return undefined
  return { credits_micro: BigInt(micro), price: picoUsd(BigInt(price)) }
}

/**
 * Divides and rounds half-even. Returns NaN if the numerator is negative or not a safe integer. Any result computed
 * from NaN is also NaN, so the caller needs to check only the final results.
 */
function divided(numerator: number, denominator: number): number {
  return Number.isSafeInteger(numerator) && numerator >= 0
    ? divideSafeHalfEven(numerator, denominator)
    : Number.NaN
}
