import type { Refusal } from '../ledger/refusal.ts'
import { type BurnTable, type Charge, chargeFor } from '../pricing/burn-table.ts'
import type { CostResult } from '../pricing/cost.ts'
import { costFrom, type PriceBook } from '../pricing/price-book.ts'
import { checkUsage, type Usage } from '../pricing/usage.ts'
import { invalid, readConsumption } from './consumption.ts'
import type { CalculationInput } from './schema.ts'

export type Calculation =
  | {
      readonly kind: 'calculated'
      readonly usage: Usage
      readonly cost: CostResult & { readonly kind: 'priced' }
      readonly charge: Charge
      readonly warnings: readonly string[]
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** What a usage would cost at a time; moves nothing. Stricter than ingest, because here nothing is lost by a no. */
export function calculate(
  input: CalculationInput,
  table: BurnTable,
  at_ms: number,
  book: PriceBook,
): Calculation {
  const read = readConsumption(input, { at_ms })
  if (read.kind === 'refused') return read
  const { provider, model, usage, modifiers, warnings } = read.consumption
  const missing = [
    ...(provider ? [] : [{ path: '/provider', message: 'required' }]),
    ...(model === undefined ? [{ path: '/model', message: 'required' }] : []),
  ]
  if (!provider || model === undefined) return refused(invalid(missing))
  if (Object.keys(usage).length === 0) {
    return refused(
      invalid([{ path: '/usage', message: 'say what was used: usage, input_tokens, provider_response …' }]),
    )
  }
  const checked = checkUsage(usage)
  if (checked.problems.length > 0) {
    return refused(
      invalid(checked.problems.map(({ unit, message }) => ({ path: `/usage/${unit}`, message }))),
    )
  }
  const cost = costFrom(book, { provider, model, usage: checked.usage, at_ms, ...modifiers })
  if (cost.kind === 'unpriced') {
    return refused({ code: 'unpriced_model', provider: provider.name, model, nearest: cost.nearest })
  }
  return {
    kind: 'calculated',
    usage: checked.usage,
    cost,
    charge: chargeFor(table, cost.cost),
    warnings: [...warnings, ...(cost.warnings ?? [])],
  }
}

function refused(refusal: Refusal): Calculation {
  return { kind: 'refused', refusal }
}
