import { withoutNulls } from '../http/input/nulls.ts'
import { fieldErrors } from '../http/input/validation.ts'
import type { Quote, QuoteItem } from '../ledger/model/messages/burn-tables.ts'
import { invalid, type Refusal } from '../ledger/model/refusal.ts'
import { MAX_EVENT_AHEAD_MS } from '../ledger/model/vocabulary.ts'
import { providerName } from '../pricing/catalogue/provider-name.ts'
import { type SuggestionResult, suggestSaving } from '../pricing/catalogue/suggestion.ts'
import type { CostRequest, CostResult } from '../pricing/cost/cost.ts'
import { costFrom, type PriceBook, pricesInForce } from '../pricing/cost/price-book.ts'
import { MAX_USD, usdToParts } from '../pricing/money.ts'
import { checkUsage, type Usage, type UsageUnit } from '../pricing/usage.ts'
import { readConsumption, readFrom } from './consumption.ts'
import { type CalculationInput, calculateSchema } from './schema.ts'

/** The data that the explanation of a calculation needs in addition to its result. */
export interface CalculationToExplain {
  readonly book: PriceBook
  readonly request: CostRequest
  readonly read_from: (unit: UsageUnit) => string
}

/** The provider cost of a calculation, and the item for which the ledger returns a quote in credits. */
export interface Costed {
  readonly kind: 'costed'
  readonly usage: Usage
  readonly cost: CostResult & { readonly kind: 'priced' }
  readonly warnings: readonly string[]
  readonly suggestion: SuggestionResult
  readonly item: QuoteItem
  /** The data for an explanation; absent if the request does not ask for an explanation. */
  readonly explain?: CalculationToExplain
}

export type Calculation = Costed & {
  readonly quote: Quote & { readonly kind: 'charged' }
  readonly explanation?: object
}

type CostOutcome = Costed | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * Returns the provider cost of a calculation, or a refusal. Validates more strictly than ingest: a refused calculation
 * loses nothing, but the usage of a refused event can be lost.
 */
export function costOf(input: CalculationInput, now_ms: number, book: PriceBook): CostOutcome {
  const at_ms = input.at ?? now_ms
  if (at_ms > now_ms + MAX_EVENT_AHEAD_MS) {
    return refused(invalid([{ path: '/at', message: 'must be at most 5 minutes in the future' }]))
  }
  const read = readConsumption(input, { at_ms, book })
  if (read.kind === 'refused') return read
  const { provider, model, usage, custom, modifiers, parts, reported, warnings } = read.consumption
  const missing = [
    ...(provider ? [] : [{ path: '/provider', message: 'required' }]),
    ...(model === undefined ? [{ path: '/model', message: 'required' }] : []),
  ]
  if (!provider || model === undefined) return refused(invalid(missing))
  if (Object.keys(usage).length === 0 && !reported) {
    return refused(
      invalid([{ path: '/usage', message: 'required: send usage, input_tokens or provider_response' }]),
    )
  }
  const checked = checkUsage(usage)
  if (checked.problems.length > 0) {
    return refused(
      invalid(checked.problems.map(({ unit, message }) => ({ path: `/usage/${unit}`, message }))),
    )
  }
  const request: CostRequest = { provider, model, usage: checked.usage, parts, at_ms, ...modifiers }
  const cost = costFrom(book, request)
  if (cost.kind === 'unpriced') {
    return refused({ code: 'unpriced_model', provider: provider.name, model, nearest: cost.nearest })
  }
  if (cost.cost > MAX_USD) {
    return refused(invalid([{ path: '/usage', message: 'must not cost more than 8000000000 USD' }]))
  }
  return {
    kind: 'costed',
    usage: checked.usage,
    cost,
    warnings: [...warnings, ...(cost.warnings ?? [])],
    suggestion: suggestionFor(request, book),
    ...(input.explain === true && {
      explain: { book, request, read_from: readFrom(input, read.consumption) },
    }),
    item: {
      feature_id: input.feature_id,
      provider: providerName(provider),
      model,
      usage: checked.usage,
      custom,
      charge: { kind: 'priced', cost: usdToParts(cost.cost), price_version: cost.price_version },
      at_ms,
    },
  }
}

/**
 * Returns a suggestion for a cheaper request. Suggestions compare list prices, so there is none if another price is in
 * force for the model. There is also none for a response that lists its calls.
 */
function suggestionFor(request: CostRequest, book: PriceBook): SuggestionResult {
  if (request.parts !== undefined)
    return { kind: 'none', reason: 'there are no suggestions for a response that reports several calls' }
  const source = pricesInForce(book, request)?.source
  return source === undefined || source === 'catalogue'
    ? suggestSaving(request)
    : { kind: 'none', reason: 'suggestions use list prices, but another price is in force' }
}

/**
 * Combines a cost with its quote. Throws if there is no quote, which only a bug can cause: the cost is known, so no
 * burn table rejects the calculation as unpriced.
 */
export function calculation(costed: Costed, quote: Quote | undefined): Calculation {
  if (quote?.kind !== 'charged') throw new Error('a calculation whose cost is known was not charged')
  return { ...costed, quote }
}

export type BulkItem = ReturnType<typeof costOf>

/** Returns the cost of each calculation. An invalid calculation does not affect the others. */
export function costEach(inputs: readonly unknown[], now_ms: number, book: PriceBook): BulkItem[] {
  return inputs.map((input) => {
    const parsed = calculateSchema.safeParse(withoutNulls(calculateSchema, input))
    if (parsed.success) return costOf(parsed.data, now_ms, book)
    return { kind: 'refused', refusal: invalid(fieldErrors(parsed.error.issues)) }
  })
}

export type BulkResult = Calculation | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * Combines the costs with their quotes. `quotes` has one quote for each item that was not refused, in the same order.
 */
export function withQuotes(items: readonly BulkItem[], quotes: readonly Quote[]): BulkResult[] {
  let next = 0
  return items.map((item) => (item.kind === 'costed' ? calculation(item, quotes[next++]) : item))
}

function refused(refusal: Refusal): CostOutcome {
  return { kind: 'refused', refusal }
}
