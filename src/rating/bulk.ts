import { fieldErrors } from '../http/input/validation.ts'
import type { Quote } from '../ledger/model/messages/burn-tables.ts'
import { invalid, type Refusal } from '../ledger/model/refusal.ts'
import type { PriceBook } from '../pricing/cost/price-book.ts'
import { type Calculation, calculation, costOf } from './calculate.ts'
import { calculateSchema } from './schema.ts'

export type BulkItem = ReturnType<typeof costOf>

/** Each calculation on its own: one that is wrong is refused alone. */
export function costEach(inputs: readonly unknown[], now_ms: number, book: PriceBook): BulkItem[] {
  return inputs.map((input) => {
    const parsed = calculateSchema.safeParse(input)
    if (parsed.success) return costOf(parsed.data, now_ms, book)
    return { kind: 'refused', refusal: invalid(fieldErrors(parsed.error.issues)) }
  })
}

export type BulkResult = Calculation | { readonly kind: 'refused'; readonly refusal: Refusal }

/** Puts the quotes, which are of the items that were not refused, back to their items. */
export function withQuotes(items: readonly BulkItem[], quotes: readonly Quote[]): BulkResult[] {
  let next = 0
  return items.map((item) => (item.kind === 'costed' ? calculation(item, quotes[next++]) : item))
}
