import { AMOUNT_DECIMALS, QUANTITY_DECIMALS, readDecimal, type Tiered } from './definition.ts'

/**
 * Tiered prices. The units of a wallet in a period are counted in order of arrival. The free units come first, then the
 * units of the first tier, and so on. The charge for an event depends on the usage before the event. The same event can
 * therefore have different prices at the beginning and at the end of a period.
 *
 * Quantities are in 1e-9 of a unit and unit amounts in 1e-12 credits, so charges and flat amounts are in 1e-21 credits.
 */
export interface CompiledTiers {
  readonly volume: boolean
  readonly free: bigint
  readonly tiers: readonly CompiledTier[]
}

interface CompiledTier {
  /** The start of the tier, exclusive: the end of the previous tier, or 0 for the first tier. */
  readonly above: bigint
  /** The end of the tier, inclusive; null if the tier has no end. */
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

/**
 * Returns the charge for `quantity` after `before` in the same period, both in 1e-9 of the unit. The charge is in 1e-21
 * credits.
 */
export function tierCharge(compiled: CompiledTiers, before: bigint, quantity: bigint): bigint {
  const from = positive(before - compiled.free)
  const to = positive(before + quantity - compiled.free)
  if (to === from) return 0n
  return compiled.volume ? volumeCharge(compiled, from, to) : graduatedCharge(compiled, from, to)
}

/** Returns the charge for the units from `from` to `to`. Each unit has the price of its own tier. */
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

/** Returns the charge for the units from `from` to `to`. All units have the price of the tier of the last unit. */
function volumeCharge({ tiers }: CompiledTiers, from: bigint, to: bigint): bigint {
  const tier = tiers.find(({ up_to }) => up_to === null || to <= up_to)
  if (!tier) throw new Error('invalid tiers: up_to must be null in the last tier')
  return (to - from) * tier.unit_amount + entryFee(tier, from)
}

/** Returns the flat amount of a tier if the event contains the first unit of the tier; otherwise 0. */
function entryFee(tier: CompiledTier, from: bigint): bigint {
  return from <= tier.above ? tier.flat_amount : 0n
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n
}
