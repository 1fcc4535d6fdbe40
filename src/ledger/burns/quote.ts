import { type Chargeable, chargeFor } from '../../pricing/burn-table/charge.ts'
import { usdFromParts, ZERO_USD } from '../../pricing/money.ts'
import type { RatingTables } from '../burn-tables/compiled.ts'
import type { Quote, QuoteItem } from '../model/messages/burn-tables.ts'
import type { ProviderCharge } from '../model/vocabulary.ts'

/** The provider's cost as a burn table takes it. */
export function costOf(charge: ProviderCharge): Pick<Chargeable, 'cost' | 'ceiling_cost'> {
  switch (charge.kind) {
    case 'priced':
      return { cost: usdFromParts(charge.cost) }
    case 'none':
      return { cost: ZERO_USD }
    case 'unpriced':
      return {
        cost: undefined,
        ...(charge.ceiling_cost && { ceiling_cost: usdFromParts(charge.ceiling_cost) }),
      }
  }
}

const FROM_EMPTY =
  'Tiers and allowances are counted from the beginning of a period, before anything was used.'

/** What an item would cost now as the first of its period: whose period it would be is not known. */
export function quote(tables: RatingTables, item: QuoteItem, now_ms: number): Quote {
  const table = tables.at(item.at_ms)
  const { feature_id, provider, model, usage, custom, charge: provided } = item
  const chargeable = { feature_id, provider, model, usage, custom, ...costOf(provided) }
  const charge = chargeFor(table, chargeable, { at_ms: now_ms, used: () => 0n })
  if (charge.kind === 'unpriced') return charge
  return {
    kind: 'charged',
    credits_micro: charge.credits_micro.toString(),
    price_pico: charge.price.toString(),
    pricing_source: table.id === null ? 'default_burn_table' : 'burn_table',
    burn_table_version: table.version,
    warnings: charge.advance ? [...charge.warnings, FROM_EMPTY] : charge.warnings,
  }
}
