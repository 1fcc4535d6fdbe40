import { type PicoUsd, parseDecimal, picoUsd, USD_DECIMALS } from '../../pricing/money.ts'
import prices from './platform-prices.json' with { type: 'json' }

/**
 * The billed amounts, by their names in `platform-prices.json`. The platform bills 128 MB of memory while an object
 * works. A price of $12.50 for a million GB-seconds is therefore $0.0015625 for a million milliseconds.
 */
export type PlatformUsage = Readonly<Record<keyof typeof prices.usd_per_million, number>>

export const NO_PLATFORM_USAGE: PlatformUsage = Object.freeze({
  worker_requests: 0,
  worker_cpu_ms: 0,
  object_requests: 0,
  object_ms: 0,
  object_rows_written: 0,
  object_rows_read: 0,
  d1_rows_written: 0,
  d1_rows_read: 0,
  queue_operations: 0,
  kv_reads: 0,
  kv_writes: 0,
})

export const PRICES_AS_OF = prices.as_of

const MILLION = 1_000_000n

/**
 * Returns the cost of each part of the usage at list prices, rounded down to a pico-USD. Does not subtract the amounts
 * that the platform's plan includes.
 */
export function platformCosts(usage: PlatformUsage): Readonly<Record<keyof PlatformUsage, PicoUsd>> {
  const cost = (name: keyof PlatformUsage) =>
    picoUsd((BigInt(Math.ceil(usage[name])) * picoPerMillion(prices.usd_per_million[name])) / MILLION)
  return {
    worker_requests: cost('worker_requests'),
    worker_cpu_ms: cost('worker_cpu_ms'),
    object_requests: cost('object_requests'),
    object_ms: cost('object_ms'),
    object_rows_written: cost('object_rows_written'),
    object_rows_read: cost('object_rows_read'),
    d1_rows_written: cost('d1_rows_written'),
    d1_rows_read: cost('d1_rows_read'),
    queue_operations: cost('queue_operations'),
    kv_reads: cost('kv_reads'),
    kv_writes: cost('kv_writes'),
  }
}

export function platformCost(usage: PlatformUsage): PicoUsd {
  return picoUsd(Object.values(platformCosts(usage)).reduce((sum: bigint, cost) => sum + cost, 0n))
}

function picoPerMillion(usd: string): bigint {
  const pico = parseDecimal(usd, USD_DECIMALS)
  if (typeof pico === 'string') throw new Error(`platform-prices.json: ${usd} is not a price: ${pico}`)
  return pico
}
