import { divideHalfEven, type PicoUsd, picoUsd, ZERO_USD } from './money.ts'

/** The rule from provider cost to credits that was in force when an event happened. */
export interface BurnTable {
  readonly version: number
  /** Credits per USD in 1e-6, above 0. */
  readonly credits_per_usd_micro: bigint
  /** What is put on the provider's cost, in 1e-6 per cent, 0 or more. */
  readonly markup_percent_micro: bigint
}

/** The version that every entry rated by the default table carries. */
const DEFAULT_VERSION = 1

/** The table of a customer who has made none: the deployment's credits per USD and markup. */
export function defaultBurnTable(config: Omit<BurnTable, 'version'>): BurnTable {
  const { credits_per_usd_micro, markup_percent_micro } = config
  return { version: DEFAULT_VERSION, credits_per_usd_micro, markup_percent_micro }
}

/** What an event costs the customer's user. */
export interface Charge {
  /** Micro-credits. A bigint: an absurd event may cost more than any wallet can hold. */
  readonly credits_micro: bigint
  /** customer_price_usd: the credits, after rounding, at the table's credits per USD. */
  readonly price: PicoUsd
}

const PERCENT_MICRO = 100_000_000n
/** From pico-USD times 1e-6 credits per USD to micro-credits: 1e12 * 1e6 / 1e6. */
const PICO = 1_000_000_000_000n

/** Cost plus markup, rounded once, half-even, to a micro-credit. */
export function chargeFor(table: BurnTable, cost: PicoUsd): Charge {
  const credits_micro = divideHalfEven(
    cost * table.credits_per_usd_micro * (PERCENT_MICRO + table.markup_percent_micro),
    PICO * PERCENT_MICRO,
  )
  return { credits_micro, price: priceOf(table, credits_micro) }
}

/** What `credits_micro` are worth in USD, half-even to 1e-12. */
export function priceOf(table: BurnTable, credits_micro: bigint): PicoUsd {
  return credits_micro === 0n
    ? ZERO_USD
    : picoUsd(divideHalfEven(credits_micro * PICO, table.credits_per_usd_micro))
}

/** The margin in 1e-4 per cent of the price, half-even; null when there is no price to take a share of. */
export function marginOf(price: PicoUsd, cost: PicoUsd): bigint | null {
  return price === 0n ? null : divideHalfEven((price - cost) * 1_000_000n, price)
}
