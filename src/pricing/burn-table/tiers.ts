import { readDecimal } from './decimals.ts'
import { AMOUNT_DECIMALS, QUANTITY_DECIMALS, type Tiered } from './definition.ts'

/**
 * Tiered prices. A wallet's units of a period stand in a line, in order of arrival: the free ones first, then those
 * of the first tier, and so on. An event takes the next units of the line, and what has come before says where it
 * stands: the same event may cost differently at the beginning of a month and at its end.
 *
 * Quantities are in 1e-9 of a unit, amounts in 1e-12 credits, so charges are in 1e-21 credits.
 */
export interface CompiledTiers {
  readonly volume: boolean
  readonly free: bigint
  readonly tiers: readonly CompiledTier[]
}

interface CompiledTier {
  /** Where the tier before it ends. */
  readonly above: bigint
  /** The end of the tier, itself in it; null for no end. */
  readonly up_to: bigint | null
  readonly unit_amount: bigint
  readonly flat_amount: bigint
}

export const TIER_CHARGE_SCALE = 10n ** BigInt(AMOUNT_DECIMALS + QUANTITY_DECIMALS)

export function compileTiers({ mode, free, tiers }: Tiered): CompiledTiers {
  let above = 0n
  return {
    volume: mode === 'volume',
    free: readDecimal(free ?? '0', QUANTITY_DECIMALS),
    tiers: tiers.map((tier) => {
      const up_to = tier.up_to === null ? null : readDecimal(tier.up_to, QUANTITY_DECIMALS)
      const compiled = {
        above,
        up_to,
        unit_amount: readDecimal(tier.unit_amount, AMOUNT_DECIMALS),
        flat_amount: readDecimal(tier.flat_amount ?? '0', AMOUNT_DECIMALS) * 10n ** BigInt(QUANTITY_DECIMALS),
      }
      above = up_to ?? above
      return compiled
    }),
  }
}

/** What `quantity` units cost after `before` units of the same period, in 1e-21 credits. */
export function tierCharge(compiled: CompiledTiers, before: bigint, quantity: bigint): bigint {
  const from = positive(before - compiled.free)
  const to = positive(before + quantity - compiled.free)
  if (to === from) return 0n
  return compiled.volume ? volumeCharge(compiled, from, to) : graduatedCharge(compiled, from, to)
}

/** Each unit at the price of the tier it stands in. */
function graduatedCharge({ tiers }: CompiledTiers, from: bigint, to: bigint): bigint {
  let charge = 0n
  for (const tier of tiers) {
    if (tier.above >= to) break
    const start = from > tier.above ? from : tier.above
    const end = tier.up_to !== null && tier.up_to < to ? tier.up_to : to
    if (end <= start) continue
    charge += (end - start) * tier.unit_amount + entryFee(tier, from)
  }
  return charge
}

/** All units of the event at the price of the tier that its last unit stands in. */
function volumeCharge({ tiers }: CompiledTiers, from: bigint, to: bigint): bigint {
  const tier = tiers.find(({ up_to }) => up_to === null || to <= up_to)
  if (!tier) throw new Error('the last tier has an end')
  return (to - from) * tier.unit_amount + entryFee(tier, from)
}

/** Due with the first unit in the tier: what came before stood outside of it. */
function entryFee(tier: CompiledTier, from: bigint): bigint {
  return from <= tier.above ? tier.flat_amount : 0n
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n
}
