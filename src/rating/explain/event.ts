import { creditsJson, quantityJson, usdJson } from '../../http/output/json.ts'
import type { Entry, EventRecord } from '../../ledger/model/journal.ts'
import type { LedgerIds } from '../../ledger/model/ledger-ids.ts'
import { OVERDRAFT } from '../../ledger/model/lots.ts'
import type { ExplainAnswer } from '../../ledger/model/messages/burn-tables.ts'
import type { BurnDefaults } from '../../pricing/burn-table/table.ts'
import { findProvider } from '../../pricing/catalogue/catalogue.ts'
import type { PriceConditions } from '../../pricing/catalogue/prices.ts'
import { type BreakdownLine, priceUsage, VERSION_AND } from '../../pricing/cost/cost.ts'
import { type Layer, type PriceBook, pricesOfVersion } from '../../pricing/cost/price-book.ts'
import { formatDecimal, microCredits, usdFromParts } from '../../pricing/money.ts'
import { explainCharge, roundingJson } from './charge.ts'
import { layersJson, modifiersJson, tierJson, unitsJson } from './price.ts'

/**
 * Explains the price and the charge of a recorded event, from its price version, its burn table version and its usage.
 */
export function explainEvent(
  ids: LedgerIds,
  entry: Entry & { readonly event: EventRecord },
  { table, given_back, voided, late_lots }: ExplainAnswer,
  book: PriceBook,
  defaults: BurnDefaults,
): object {
  const { event } = entry
  const burned = microCredits(0 - entry.amount)
  const { price, units } = explainPrice(event, book)
  const { feature_id, provider, model, usage, custom } = event
  const cost = event.unrated && burned === 0 ? undefined : usdFromParts(event.cost)
  const charge =
    table && explainCharge(table, defaults, { feature_id, provider, model, usage, custom, cost }, false)
  const note = charge && chargeNote(event, charge.credits_micro, BigInt(burned))
  return {
    event_id: ids.event(entry),
    status: voided ? 'voided' : event.unrated ? 'unrated' : given_back > 0 ? 'partly_given_back' : 'rated',
    provider_cost_usd: usdJson(event.cost),
    credits_burned: creditsJson(burned),
    credits_given_back: creditsJson(given_back),
    price,
    units,
    burn_table: charge && { ...charge.burn_table, ...(note !== undefined && { note }) },
    rounding: charge?.rounding ?? roundingJson(null),
    lots: [...entry.lots, ...late_lots].map(([number, amount]) => ({
      lot_id: number === OVERDRAFT ? null : ids.lot(number),
      amount: creditsJson(amount),
    })),
  }
}

type Explained =
  | {
      readonly kind: 'explained'
      readonly layers: readonly Layer[]
      readonly lines: readonly BreakdownLine[]
    }
  | { readonly kind: 'not'; readonly note: string }

function explainPrice(event: EventRecord, book: PriceBook): { price: object; units: object[] } {
  const conditions = conditionsOf(event)
  const { price_version } = event
  const found = conditions === undefined ? NO_PROVIDER : priceOfEvent(event, conditions, book)
  if (found.kind === 'not' || conditions === undefined) {
    const note = found.kind === 'not' ? found.note : undefined
    return {
      price: {
        ...{ rule: null, source: null, effective_from: null, tier: null },
        modifiers: modifiersOf(event),
        price_version,
        ...(note !== undefined && { note }),
      },
      units: recordedUnits(event),
    }
  }
  const [first, ...below] = layersJson(found.layers, conditions)
  return {
    price: {
      ...first,
      tier: tierJson(found.lines),
      modifiers: modifiersJson(conditions),
      ...(below.length > 0 && { below }),
      price_version,
    },
    units: [
      ...unitsJson(found.lines, event.usage ?? {}, (unit) => recordedField(event, unit)),
      ...recordedUnits(event.custom ? { custom: event.custom } : {}),
    ],
  }
}

const NO_PROVIDER: Explained = {
  kind: 'not',
  note: 'The event has no known provider or no model. Only the burn table determines the price of the event.',
}

/**
 * Finds the prices of the recorded price version and computes the cost again. Returns a note in place of the prices if
 * they are not available or do not result in the recorded cost.
 */
function priceOfEvent(event: EventRecord, conditions: PriceConditions, book: PriceBook): Explained {
  const { price_version: version, usage = {} } = event
  if (event.unrated) {
    return {
      kind: 'not',
      note: 'No price was known for the event. The event is rated when a price becomes known.',
    }
  }
  const several = version.split(VERSION_AND).length > 1
  const prices = pricesOfVersion(book, version, conditions)
  if (prices.kind === 'other_catalogue') {
    return {
      kind: 'not',
      note: `The event was priced with catalogue ${prices.catalogue}, which this deployment does not have. The recorded cost is unchanged.`,
    }
  }
  if (prices.kind === 'unknown' && !several) {
    return {
      kind: 'not',
      note: 'This deployment does not have the recorded price version. The recorded cost is unchanged.',
    }
  }
  const result = prices.kind === 'found' && !several ? priceUsage(prices.list, usage) : undefined
  if (prices.kind !== 'found' || result?.kind !== 'priced' || result.cost !== usdFromParts(event.cost)) {
    return {
      kind: 'not',
      note: 'The response reported several calls, and each was priced separately. Only the sum of their usage is recorded. To see the prices, send the response to POST /v1/rating/calculate with explain.',
    }
  }
  return { kind: 'explained', layers: prices.layers, lines: result.breakdown() }
}

function conditionsOf({
  provider,
  model,
  timestamp_ms,
  modifiers,
}: EventRecord): PriceConditions | undefined {
  const ref = provider === undefined ? undefined : findProvider(provider)
  if (ref === undefined || model === undefined) return undefined
  return { provider: ref, model, at_ms: timestamp_ms, ...modifiers }
}

function modifiersOf({ modifiers = {} }: EventRecord): object[] {
  return Object.entries(modifiers).map(([by, name]) => ({ by, name }))
}

/**
 * Returns where the quantity of a unit comes from: a field of the recorded event, one request, or the parts of the
 * unit. Paths in the provider's response are not available, because the response is not stored.
 */
function recordedField({ usage = {} }: EventRecord, unit: string): string {
  if (Object.hasOwn(usage, unit)) return `usage.${unit}`
  return unit === 'requests' ? 'one request' : 'the sum of its parts'
}

function recordedUnits({ usage = {}, custom = {} }: Pick<EventRecord, 'usage' | 'custom'>): object[] {
  const line =
    (prefix: string) =>
    ([unit, quantity]: readonly [string, number]) => ({
      unit,
      quantity: quantityJson(quantity),
      reported: quantityJson(quantity),
      read_from: `${prefix}.${unit}`,
      price_usd: null,
      cost_usd: null,
    })
  return [...Object.entries(usage).map(line('usage')), ...Object.entries(custom).map(line('usage.custom'))]
}

function chargeNote(event: EventRecord, credits: bigint | undefined, burned: bigint): string | undefined {
  if (event.unrated) return 'The event has no final price yet.'
  if (credits === undefined) {
    return 'The charge depends on the earlier usage of the wallet in the period, which the event does not record.'
  }
  if (credits === burned) return undefined
  return credits > burned
    ? `The table results in ${exactText(credits)} credits, but ${exactText(burned)} were burned. Either the event captured a hold, and the hold and the wallet did not allow more, or the deployment's defaults have changed since the event.`
    : `The table results in ${exactText(credits)} credits, but ${exactText(burned)} were burned. The deployment's defaults have changed since the event.`
}

function exactText(micro: bigint): string {
  return formatDecimal(micro, 6)
}
