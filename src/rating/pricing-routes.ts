import { scoped } from '../api-keys/authentication/authenticate.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { timeJson, timeOrNull } from '../http/input/times.ts'
import { exactNumber, jsonResponse } from '../http/output/json.ts'
import { refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, route } from '../http/route.ts'
import {
  allModels,
  allProviders,
  findProvider,
  type ModelRef,
  nearestModels,
  nearestProviders,
  type ProviderRef,
} from '../pricing/catalogue/catalogue.ts'
import { describePrices, type UnitPriceDescription } from '../pricing/catalogue/description.ts'
import { providerName } from '../pricing/catalogue/provider-name.ts'
import { type PriceBook, type PricesInForce, pricesInForce } from '../pricing/cost/price-book.ts'
import { currentPrices } from './current-prices.ts'
import { pricingQuery, pricingSchema } from './pricing-schema.ts'

const pricingRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the provider prices of a model at a time',
  description:
    'With `provider` and `model`, the response is the price that applies at `at`, in the standard service tier and without a region. ' +
    "Without `model`, the response is a page of the provider's models; without `provider`, a page of the providers. " +
    'A unit without its own price is billed at the price of the unit that contains it. For example, cached tokens without a price cost as much as input tokens.',
  ...scoped('pricing:read', currentPrices),
  request: { query: pricingQuery },
  answers: { 200: json('One price, or a page of models or providers.', pricingSchema) },
  problems: ['unknown_provider', 'unpriced_model'],
})

export const pricingRoutes = createRouter()

pricingRoutes.openapi(pricingRoute, (c) => {
  const query = c.req.valid('query')
  if (query.provider === undefined) {
    const page = pageOf(allProviders(), query.cursor, query.limit)
    const data = page.items.map((ref) => ({ provider: providerName(ref), name: ref.name }))
    return jsonResponse(c, { data, next_cursor: page.next_cursor })
  }
  const provider = findProvider(query.provider)
  if (provider === undefined) {
    const nearest = nearestProviders(query.provider)
    return refusalResponse(c, { code: 'unknown_provider', provider: query.provider, nearest })
  }
  const book = c.get('prices')
  const at_ms = query.at ?? Date.now()
  if (query.model === undefined) {
    const page = pageOf(modelsOf(book, provider, at_ms), query.cursor, query.limit)
    const data = page.items.flatMap((model) => modelPrice(book, provider, model, at_ms) ?? [])
    return jsonResponse(c, { data, next_cursor: page.next_cursor })
  }
  const price = modelPrice(book, provider, query.model, at_ms)
  if (price !== undefined) return jsonResponse(c, price)
  const { model } = query
  return refusalResponse(c, {
    code: 'unpriced_model',
    provider: provider.name,
    model,
    nearest: nearestModels(provider, model),
  })
})

/**
 * Returns the names of a provider's models: the models of the catalogue in its order, followed by models that only have
 * an overlay.
 */
function modelsOf(book: PriceBook, provider: ProviderRef, at_ms: number): string[] {
  const names = allModels(provider).map(({ id }) => id)
  const known = new Set(names.map((name) => name.toLowerCase()))
  const overlaid = [
    ...book.operator.modelsOf(provider.id, at_ms),
    ...book.overrides.modelsOf(provider.id, at_ms),
  ]
  return [...names, ...new Set(overlaid.filter((model) => !known.has(model)))]
}

/**
 * Returns a page of a list that is in memory. The cursor is the index of the first item of the page. `next_cursor` is
 * null if there is no next page.
 */
function pageOf<T>(
  all: readonly T[],
  cursor: number | undefined,
  limit: number,
): { readonly items: T[]; readonly next_cursor: string | null } {
  const start = cursor ?? 0
  const end = start + limit
  return { items: all.slice(start, end), next_cursor: nextCursor(end < all.length ? end : null) }
}

function modelPrice(
  book: PriceBook,
  provider: ProviderRef,
  model: string,
  at_ms: number,
): object | undefined {
  const found = pricesInForce(book, { provider, model, at_ms })
  if (found === undefined) return undefined
  return {
    provider: providerName(provider),
    model: model.trim(),
    catalogue_model: found.model?.id ?? null,
    source: found.source,
    price_version: found.price_version,
    ...effectivePeriod(found, found.model, at_ms),
    context_window: found.model?.context_window ?? null,
    deprecated: found.model?.deprecated ?? false,
    prices: describePrices(found.prices).map(unitPriceJson),
  }
}

/**
 * Returns the start and the end of the price that applies. For a price of the catalogue, the start is null if the
 * catalogue states none, and the end is always null.
 */
function effectivePeriod({ overlay }: PricesInForce, model: ModelRef | undefined, at_ms: number): object {
  if (overlay !== undefined) {
    const { effective_from_ms, effective_to_ms } = overlay
    return {
      effective_from: timeJson(effective_from_ms),
      effective_to: timeOrNull(effective_to_ms),
    }
  }
  const [, start] = /^@(\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?)/.exec(model?.pricesAt(at_ms).label ?? '') ?? []
  const effective_from =
    start === undefined ? null : timeJson(Date.parse(start.includes('T') ? `${start}Z` : `${start}T00:00Z`))
  return { effective_from, effective_to: null }
}

function unitPriceJson({ unit, price_usd, tiers, sizes }: UnitPriceDescription): object {
  return {
    unit,
    price_usd: exactNumber(price_usd),
    ...(tiers && { tiers: tiers.map((tier) => ({ ...tier, price_usd: exactNumber(tier.price_usd) })) }),
    ...(sizes && { sizes: sizes.map((size) => ({ ...size, price_usd: exactNumber(size.price_usd) })) }),
  }
}
