import {
  divideHalfEven,
  formatDecimal,
  formatUsd,
  type PicoUsd,
  parseDecimal,
  USD_DECIMALS,
} from '../money.ts'
import { isRecord, ownValue } from './rules.ts'

/**
 * The values besides usage that a response reports and that affect the price, and the cost that the provider or gateway
 * reports.
 */
export interface BillingContext {
  /** The provider's name for the service tier, for example `default`, `flex`, `priority`, `batch` or `fast`. */
  readonly service_tier?: string
  /** The region where the request was processed; absent if the response reports none or `not_available`. */
  readonly region?: string
  readonly search_context_size?: string
  readonly image_size?: string
  readonly image_quality?: string
  /**
   * The cost of the call that a provider or gateway reports, in USD, as a decimal string. It is compared with our cost
   * and never charged.
   */
  readonly reported_cost_usd?: string
}

const TIER_PATHS = [
  ['service_tier'],
  ['usage', 'service_tier'],
  ['response', 'service_tier'],
  ['response', 'usage', 'service_tier'],
  ['message', 'usage', 'service_tier'],
  ['result', 'message', 'usage', 'service_tier'],
  ['serviceTier', 'type'],
  ['serviceTier'],
  ['usageMetadata', 'serviceTier'],
  ['usageMetadata', 'trafficType'],
  ['trafficType'],
]
const SPEED_PATHS = [
  ['usage', 'speed'],
  ['speed'],
  ['message', 'usage', 'speed'],
  ['result', 'message', 'usage', 'speed'],
]
const REGION_PATHS = [
  ['inference_geo'],
  ['usage', 'inference_geo'],
  ['message', 'usage', 'inference_geo'],
  ['result', 'message', 'usage', 'inference_geo'],
]
const SEARCH_CONTEXT_PATHS = [['usage', 'search_context_size'], ['search_context_size']]
const COST_PATHS = [
  ['usage', 'cost', 'total_cost'],
  ['usage', 'cost'],
  ['cost', 'total_cost'],
  ['cost'],
  ['providerMetadata', 'gateway', 'cost'],
  ['providerMetadata', 'openrouter', 'usage', 'cost'],
]
/** The paths of xAI's cost, which is in units of 1e-10 USD. */
const TICK_PATHS = [['usage', 'cost_in_usd_ticks'], ['cost_in_usd_ticks']]

export function billingContext(body: Record<string, unknown>): BillingContext {
  const tier = serviceTier(body)
  const region = firstText(body, REGION_PATHS)
  const search = firstText(body, SEARCH_CONTEXT_PATHS)
  const cost = reportedCost(body)
  const media = hasMedia(body)
  const size = media ? firstText(body, [['size']]) : undefined
  const quality = media ? firstText(body, [['quality']]) : undefined
  return {
    ...(tier === undefined ? {} : { service_tier: tier }),
    ...(region === undefined || region === 'not_available' ? {} : { region }),
    ...(search === undefined ? {} : { search_context_size: search }),
    ...(size === undefined ? {} : { image_size: size }),
    ...(quality === undefined ? {} : { image_quality: quality }),
    ...(cost === undefined ? {} : { reported_cost_usd: cost }),
  }
}

/**
 * Returns the service tier of a request; undefined if the response reports none. A request in a batch has the tier
 * `batch`, even if its response reports another tier. Anthropic reports its fast mode as a speed and not as a tier.
 */
function serviceTier(body: Record<string, unknown>): string | undefined {
  if (ownValue(body, 'object') === 'batch') return 'batch'
  const isBatchLine = typeof ownValue(body, 'custom_id') === 'string'
  if (isBatchLine && (isRecord(ownValue(body, 'response')) || isRecord(ownValue(body, 'result'))))
    return 'batch'
  if (firstText(body, SPEED_PATHS) === 'fast') return 'fast'
  return firstText(body, TIER_PATHS)
}

/** Returns whether a response can contain images or a video, whose size and quality affect the price. */
function hasMedia(body: Record<string, unknown>): boolean {
  return Array.isArray(ownValue(body, 'data')) || ownValue(body, 'object') === 'video'
}

function at(body: unknown, path: readonly string[]): unknown {
  let value = body
  for (const key of path) value = isRecord(value) ? ownValue(value, key) : undefined
  return value
}

function firstText(body: unknown, paths: readonly (readonly string[])[]): string | undefined {
  for (const path of paths) {
    const value = at(body, path)
    if (typeof value === 'string' && value !== '') return value.slice(0, 60)
  }
  return undefined
}

function reportedCost(body: unknown): string | undefined {
  for (const path of COST_PATHS) {
    const value = at(body, path)
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return plainDecimal(value)
    if (typeof value === 'string' && /^\d{1,12}(\.\d{1,20})?$/.test(value)) return value
  }
  for (const path of TICK_PATHS) {
    const ticks = at(body, path)
    if (typeof ticks === 'number' && Number.isSafeInteger(ticks) && ticks >= 0)
      return plainDecimal(ticks / 1e10)
  }
  return undefined
}

/** Returns a cost as a decimal string, rounded to twelve decimals; undefined for a cost of 1e9 USD or more. */
function plainDecimal(value: number): string | undefined {
  if (value >= 1e9) return undefined
  return value.toFixed(12).replace(/\.?0+$/, '')
}

/** The maximum difference between the reported cost and our cost that causes no warning, in percent of our cost. */
const TOLERANCE_PERCENT = 1n

/**
 * Returns a warning if the reported cost (such as OpenRouter's `usage.cost`) differs from our cost by more than 1 %;
 * otherwise undefined. Our cost is charged, because the reported cost can be rounded, reduced by credits, or zero.
 */
export function reportedCostWarning(cost: PicoUsd, reported_cost_usd: string): string | undefined {
  const reported = parseDecimal(cut(reported_cost_usd), USD_DECIMALS)
  if (typeof reported === 'string') return undefined
  const difference = reported > cost ? reported - cost : cost - reported
  if (difference * 100n <= cost * TOLERANCE_PERCENT) return undefined
  const share =
    cost === 0n
      ? 'the whole reported cost'
      : `${formatDecimal(divideHalfEven(difference * 1000n, cost), 1)} %`
  return `the response reports a cost of ${formatDecimal(reported, USD_DECIMALS)} USD, but the cost by the price list is ${formatUsd(cost)} USD (a difference of ${share})`
}

function cut(decimal: string): string {
  const point = decimal.indexOf('.')
  return point === -1 ? decimal : decimal.slice(0, point + 1 + USD_DECIMALS)
}
