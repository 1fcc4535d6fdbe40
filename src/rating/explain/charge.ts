import { renderRule } from '../../burn-tables/render.ts'
import { type ExactNumber, exactNumber } from '../../http/output/json.ts'
import type { BurnTableAnswer } from '../../ledger/model/messages/burn-tables.ts'
import { type Chargeable, chargeFor } from '../../pricing/burn-table/charge.ts'
import { type BurnDefaults, compileBurnTable, ruleFor } from '../../pricing/burn-table/table.ts'
import { quantityOf, usedBy } from '../../pricing/burn-table/units.ts'
import { exactText } from '../../pricing/money.ts'

/** The explanation of a charge. The charge is computed again with the burn table. */
export interface ExplainedCharge {
  readonly burn_table: object
  readonly rounding: object
  /**
   * The charge in micro-credits, rounded; undefined if the charge depends on a cost or on earlier usage that is not
   * known.
   */
  readonly credits_micro: bigint | undefined
}

const USD_STEP: ExactNumber = exactNumber('0.000000000001')

/**
 * Returns how each amount is rounded. `credits` is the rounding of the burn table, or null if the burn table is
 * unknown.
 */
export function roundingJson(credits: object | null): object {
  return {
    provider_cost_usd: { mode: 'half_even', step: USD_STEP },
    credits,
    customer_price_usd: { mode: 'half_even', step: USD_STEP },
  }
}

/**
 * Explains how a burn table converts a cost or usage to credits. With `from_empty`, assumes that the wallet has no
 * earlier usage in the period, as calculations do.
 */
export function explainCharge(
  table: BurnTableAnswer,
  defaults: BurnDefaults,
  event: Chargeable,
  from_empty: boolean,
): ExplainedCharge {
  const { definition, id, version } = table
  const compiled = compileBurnTable(definition, { id: id ?? 'default', version }, defaults)
  const rule = ruleFor(definition, defaults, event)
  const exact = exactCredits(compiled.methodFor(event), event, from_empty)
  const charge = exact && chargeFor(compiled, event, { at_ms: 0, used: () => 0n })
  return {
    burn_table: {
      version,
      id,
      rule: renderRule(rule),
      method: rule.method,
      credits_per_usd: exactNumber(definition.credits_per_usd),
      min_charge: exactNumber(definition.min_charge),
      exact_credits: exact === undefined ? null : exactText(exact.numerator, exact.denominator),
    },
    rounding: roundingJson({ mode: definition.rounding.mode, step: exactNumber(definition.rounding.step) }),
    credits_micro: charge?.kind === 'charged' ? charge.credits_micro : undefined,
  }
}

function exactCredits(
  method: ReturnType<ReturnType<typeof compileBurnTable>['methodFor']>,
  event: Chargeable,
  from_empty: boolean,
): { readonly numerator: bigint; readonly denominator: bigint } | undefined {
  switch (method.needs) {
    case 'cost':
      return event.cost === undefined ? undefined : method.charge(event.cost)
    case 'usage':
      return method.charge(usedBy(event))
    case 'usage_of_period':
      return from_empty ? method.charge(0n, quantityOf(method.unit, usedBy(event))) : undefined
  }
}
