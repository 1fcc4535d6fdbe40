import { timeOrNull } from '../http/input/times.ts'
import { type ExactNumber, exactNumber } from '../http/output/json.ts'
import type { BurnTableAnswer } from '../ledger/model/messages/burn-tables.ts'
import type { BurnRule } from '../pricing/burn-table/definition.ts'

/**
 * Renders a burn table in format 1. A request that is repeated with its idempotency key must get an identical response,
 * so any change of the output requires a new format.
 */
export function renderBurnTable(answer: BurnTableAnswer): object {
  const { definition } = answer
  return {
    id: answer.id,
    version: answer.version,
    name: definition.name,
    credits_per_usd: exactNumber(definition.credits_per_usd),
    rounding: { mode: definition.rounding.mode, step: exactNumber(definition.rounding.step) },
    min_charge: exactNumber(definition.min_charge),
    on_unpriced: definition.on_unpriced,
    rules: definition.rules.map(renderRule),
    effective_from: timeOrNull(answer.effective_from_ms),
    effective_to: timeOrNull(answer.effective_to_ms),
    active: answer.deactivated_at_ms === null,
    created_at: timeOrNull(answer.created_at_ms),
    updated_at: timeOrNull(answer.updated_at_ms),
    deactivated_at: timeOrNull(answer.deactivated_at_ms),
  }
}

export function renderRule(rule: BurnRule): object {
  return { match: rule.match, method: rule.method, ...renderMethod(rule) }
}

function renderMethod(rule: BurnRule): object {
  switch (rule.method) {
    case 'cost_plus':
      return { markup_percent: exactNumber(rule.markup_percent), ...optional('fixed', rule.fixed) }
    case 'per_unit':
      return {
        rates: Object.fromEntries(
          Object.entries(rule.rates).map(([unit, { amount, per }]) => [
            unit,
            { amount: exactNumber(amount), per: exactNumber(per) },
          ]),
        ),
      }
    case 'flat':
      return { amount: exactNumber(rule.amount), ...(rule.unit !== undefined && { unit: rule.unit }) }
    case 'tiered':
      return {
        mode: rule.mode,
        unit: rule.unit,
        ...optional('free', rule.free),
        period: rule.period,
        tiers: rule.tiers.map(({ up_to, unit_amount, flat_amount }) => ({
          up_to: up_to === null ? null : exactNumber(up_to),
          unit_amount: exactNumber(unit_amount),
          ...optional('flat_amount', flat_amount),
        })),
      }
    case 'package':
      return { unit: rule.unit, size: exactNumber(rule.size), amount: exactNumber(rule.amount) }
  }
}

function optional(field: string, amount: string | undefined): Record<string, ExactNumber> {
  return amount === undefined ? {} : { [field]: exactNumber(amount) }
}
