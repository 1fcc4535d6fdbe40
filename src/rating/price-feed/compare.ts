import { allModels, allProviders } from '../../pricing/catalogue/catalogue.ts'
import type { Rational, UnitPrice, UnitPrices } from '../../pricing/catalogue/notation.ts'
import { readPrices, words } from '../../pricing/catalogue/notation.ts'
import type { OverlayPrices, PriceOverlay } from '../../pricing/catalogue/overlay.ts'
import { readPeriods } from '../../pricing/catalogue/period.ts'
import type { FeedPrice, PriceFeed } from './feed.ts'

/** The prices that a feed changes, and the reasons why the feed needs the operator's approval. */
export interface FeedChanges {
  /** The prices that are new or that differ from the current prices, except prices of the catalogue: see `end`. */
  readonly set: readonly (FeedPrice & { readonly is_new: boolean })[]
  /**
   * The models for which the price of an earlier feed ends, because the new feed has the catalogue's price for them or
   * does not contain them.
   */
  readonly end: readonly { readonly provider: string; readonly model: string }[]
  /**
   * The reasons for an approval: changes above the bound, missing prices, and prices of zero. It is empty if the feed
   * needs no approval.
   */
  readonly reasons: readonly string[]
}

const MAX_REASONS = 100

/**
 * Compares a feed with the catalogue and with the prices of earlier feeds. The feed replaces the prices of earlier
 * feeds. `bound_percent` is the largest change that needs no approval.
 */
export function compareFeed(
  { prices }: PriceFeed,
  earlier: readonly PriceOverlay[],
  bound_percent: number,
  at_ms: number,
): FeedChanges {
  const listed = new Map<string, string>()
  const providers = new Set<string>()
  for (const provider of allProviders()) {
    providers.add(provider.id)
    for (const { id, periods } of allModels(provider)) {
      const key = keyOf({ provider: provider.id, model: id.toLowerCase() })
      if (!listed.has(key)) listed.set(key, periods)
    }
  }
  const fed = new Map(earlier.map((overlay) => [keyOf(overlay), listOf(overlay)]))
  const set: (FeedPrice & { is_new: boolean })[] = []
  const end: { provider: string; model: string }[] = []
  const reasons: string[] = []
  const seen = new Set<string>()
  for (const price of prices) {
    // Skips a provider that is not in the catalogue, because a new provider needs a new deployment.
    if (!providers.has(price.provider)) continue
    const key = keyOf(price)
    seen.add(key)
    const current = fed.get(key) ?? listed.get(key)
    if (current !== undefined && current === price.list) continue
    for (const move of moves(current, price.list, bound_percent, at_ms)) reasons.push(`${key}: ${move}`)
    const { provider, model } = price
    if (listed.get(key) === price.list) end.push({ provider, model })
    else set.push({ ...price, is_new: current === undefined })
  }
  for (const key of new Set([...listed.keys(), ...fed.keys()])) {
    if (!seen.has(key)) reasons.push(`${key}: is missing`)
  }
  for (const { provider, model } of earlier) {
    if (!seen.has(keyOf({ provider, model }))) end.push({ provider, model })
  }
  const more = reasons.length - MAX_REASONS
  const shown = more > 0 ? [...reasons.slice(0, MAX_REASONS - 1), `and ${more + 1} more`] : reasons
  return { set, end, reasons: shown }
}

function keyOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`
}

function listOf({ prices }: PriceOverlay): string {
  const stored: OverlayPrices = JSON.parse(prices)
  return 'list' in stored ? stored.list : ''
}

/**
 * Returns descriptions of the changes between two price lists that need the operator's approval. Compares the prices of
 * every period of the new list, and the prices that apply at `at_ms`.
 */
function moves(current: string | undefined, next: string, bound: number, at_ms: number): string[] {
  const found = new Set<string>()
  const now = current === undefined ? undefined : readPeriods(current)(at_ms).prices
  const before = current === undefined ? new Map<string, UnitPrices>() : periodsOf(current)
  const pairs = [...periodsOf(next)].map(([label, prices]) => [before.get(label) ?? now, prices] as const)
  for (const [was, is] of [...pairs, [now, readPeriods(next)(at_ms).prices] as const]) {
    for (const [unit, price] of is) {
      const old = was?.get(unit)
      for (const move of unitMoves(old, price, bound)) found.add(`${unit} ${move}`)
    }
    for (const unit of was?.keys() ?? []) if (!is.has(unit)) found.add(`${unit} is missing`)
  }
  return [...found]
}

function periodsOf(list: string): Map<string, UnitPrices> {
  return new Map(
    list.split(' ; ').map((text) => {
      const [first = '', ...others] = words(text)
      return first.startsWith('@') ? [first, readPrices(others.join(' '))] : ['', readPrices(text)]
    }),
  )
}

function* unitMoves(was: UnitPrice | undefined, is: UnitPrice, bound: number): Generator<string> {
  yield* move(was?.base, is.base, bound, '')
  for (const { threshold, price } of is.tiers) {
    const same = was?.tiers.find((tier) => tier.threshold === threshold)?.price
    yield* move(same ?? was?.base, price, bound, ` above ${threshold}`)
  }
  for (const [size, price] of is.sizes)
    yield* move(was?.sizes.get(size) ?? was?.base, price, bound, ` ${size}`)
  for (const { threshold } of was?.tiers ?? []) {
    if (!is.tiers.some((tier) => tier.threshold === threshold)) yield `above ${threshold} is missing`
  }
  for (const size of was?.sizes.keys() ?? []) if (!is.sizes.has(size)) yield `${size} is missing`
}

/**
 * Yields a description of a price change if it needs the operator's approval: a change above the bound, or a price of
 * zero that was not zero before. Other new prices need no approval.
 */
function* move(was: Rational | undefined, is: Rational, bound: number, where: string): Generator<string> {
  if (is.numerator === 0n) {
    if (was?.numerator !== 0n) yield `is zero${where}`
    return
  }
  if (was === undefined) return
  // Multiplies both prices by the product of their denominators, so that integers can be compared.
  const before = was.numerator * is.denominator
  const after = is.numerator * was.denominator
  const change = after > before ? after - before : before - after
  if (change * 100n > before * BigInt(bound)) {
    const percent = before === 0n ? 'from zero' : `by ${(change * 100n) / before} %`
    yield `${after > before ? 'rises' : 'falls'} ${percent}${where}`
  }
}
