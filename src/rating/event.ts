import { z } from '@hono/zod-openapi'
import { customerId, subjectFields } from '../http/input/identifiers.ts'
import { metadataInput } from '../http/input/metadata.ts'
import { timeInput } from '../http/input/times.ts'
import { invalid, type Refusal } from '../ledger/model/refusal.ts'
import {
  EVENT_TYPES,
  MAX_EVENT_AHEAD_MS,
  type PricedEvent,
  type ProviderCharge,
  type Writable,
} from '../ledger/model/vocabulary.ts'
import { CATALOGUE_VERSION, type ProviderRef } from '../pricing/catalogue/catalogue.ts'
import { ceilingCost } from '../pricing/catalogue/ceiling.ts'
import { providerName } from '../pricing/catalogue/provider-name.ts'
import type { CostPart } from '../pricing/cost/cost.ts'
import { costFrom, type PriceBook } from '../pricing/cost/price-book.ts'
import { reportedCostWarning } from '../pricing/extract/billing-context.ts'
import { sumOf } from '../pricing/extract/iterations.ts'
import { unreadUsage } from '../pricing/extract/unread.ts'
import { MAX_USD, type PicoUsd, usdToParts } from '../pricing/money.ts'
import { clampUsage, type Usage } from '../pricing/usage.ts'
import { DAY_MS } from '../time/durations.ts'
import { type Consumption, readConsumption } from './consumption.ts'
import { consumptionFields, customUnitInput, quantityInput } from './schema.ts'

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/

const MAX_HOLD_ID = 64

export const eventSchema = z
  .strictObject({
    event_type: z.enum(EVENT_TYPES),
    feature_id: customerId(),
    customer_id: z.string().optional(),
    ...subjectFields,
    ...consumptionFields,
    quantity: quantityInput().optional(),
    unit: customUnitInput().optional(),
    hold_id: z.string().max(MAX_HOLD_ID).optional().openapi({
      description:
        'The id of a hold. The event burns its cost from this hold and then closes it. If the hold is not open, the event burns its cost from the wallet.',
    }),
    idempotency_key: z
      .string()
      .regex(PRINTABLE_ASCII, 'must be 1 to 255 printable ASCII characters')
      .optional(),
    timestamp: timeInput().optional().openapi({
      description:
        'The time of the usage, at most 35 days in the past and 5 minutes in the future. Default: now.',
    }),
    metadata: metadataInput().optional(),
  })
  .openapi('Event')

export type EventInput = z.infer<typeof eventSchema>

/** Returns whether the schema accepts a value as `hold_id`. */
export function isHoldId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_HOLD_ID
}

/** Returns whether the schema accepts a value as `idempotency_key`. */
export function isIdempotencyKey(value: unknown): value is string {
  return typeof value === 'string' && PRINTABLE_ASCII.test(value)
}

export type PriceResult =
  | { readonly kind: 'priced'; readonly event: PricedEvent }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * The maximum age of an event. It is long because a customer's queue can delay events for weeks. Each event is rated at
 * its own time.
 */
const MAX_PAST_MS = 35 * DAY_MS

/**
 * Returns an event with its provider cost at the event's own time and at the prices of the price book, or a refusal.
 * `tool_usage` is usage of other models that the input does not contain. Has no side effects.
 */
export function priceEvent(
  input: EventInput,
  customer_id: string,
  now_ms: number,
  book: PriceBook,
  tool_usage?: readonly CostPart[],
): PriceResult {
  if (input.customer_id !== undefined && input.customer_id !== customer_id) {
    return refused({ code: 'customer_mismatch' })
  }
  const timestamp_ms = input.timestamp ?? now_ms
  if (timestamp_ms < now_ms - MAX_PAST_MS || timestamp_ms > now_ms + MAX_EVENT_AHEAD_MS) {
    const message = 'must be at most 35 days in the past and 5 minutes in the future'
    return refused(invalid([{ path: '/timestamp', message }]))
  }
  const { event_type } = input
  const read = readConsumption(input, { event_type, at_ms: timestamp_ms, book, tool_usage })
  if (read.kind === 'refused') return read
  const { consumption } = read
  const wrong = problemOf(input, consumption)
  if (wrong) return refused(wrong)
  const { usage, warnings } = clampUsage(consumption.usage)
  const priced = charge(consumption, usage, timestamp_ms, book)
  if (!priced)
    return refused(invalid([{ path: '/usage', message: 'must not cost more than 8000000000 USD' }]))
  const recorded =
    priced.charge.kind === 'unpriced' ? withoutOtherModels(consumption, usage) : { usage, left: NONE }
  const about = joined(consumption.warnings, warnings, recorded.left, priced.warnings)
  return {
    kind: 'priced',
    event: eventOf(input, consumption, recorded.usage, timestamp_ms, priced.charge, about),
  }
}

const NONE: readonly string[] = []

/** Joins lists of warnings. Allocates no list if all are empty, because most events have no warnings. */
function joined(...lists: readonly (readonly string[])[]): readonly string[] {
  return lists.every(({ length }) => length === 0) ? NONE : lists.flat()
}

/**
 * Returns the usage that an unrated event records: without the tokens of other models, because late rating uses only
 * the price of the event's own model. Counts that are reported only for all calls together, for example searches, stay
 * in the usage. `left` contains a warning about the usage of other models.
 */
function withoutOtherModels(
  { parts = [] }: Consumption,
  usage: Usage,
): { readonly usage: Usage; readonly left: readonly string[] } {
  const others = [...new Set(parts.flatMap(({ model }) => (model === undefined ? [] : [model])))]
  if (others.length === 0) return { usage, left: [] }
  const own = parts.filter(({ model }) => model === undefined)
  return {
    usage: clampUsage(sumOf(own)).usage,
    left: [unreadUsage(`the usage of ${others.join(', ')} is not recorded`)],
  }
}

interface Priced {
  readonly charge: ProviderCharge
  readonly warnings: readonly string[]
}

/** Returns the provider cost of usage; undefined if the cost exceeds the largest amount. */
function charge(consumption: Consumption, usage: Usage, at_ms: number, book: PriceBook): Priced | undefined {
  const { provider, model, modifiers, parts } = consumption
  if (!provider || model === undefined) {
    const used = Object.values(usage).some((quantity) => quantity > 0)
    if (!used) return { charge: { kind: 'none', price_version: CATALOGUE_VERSION }, warnings: NONE }
    // Usage without a provider or a model has no provider price. The burn table charges the usage by unit, or
    // `on_unpriced` of the burn table applies.
    return { charge: unpriced(provider, usage, at_ms), warnings: [] }
  }
  const result = costFrom(book, { provider, model, usage, parts, at_ms, ...modifiers })
  if (result.kind === 'unpriced') return { charge: unpriced(provider, usage, at_ms), warnings: [] }
  if (result.cost > MAX_USD) return undefined
  const { price_version } = result
  return {
    charge: { kind: 'priced', cost: usdToParts(result.cost), price_version },
    warnings: joined(result.warnings ?? NONE, reportedCost(consumption, result.cost)),
  }
}

function unpriced(provider: ProviderRef | undefined, usage: Usage, at_ms: number): ProviderCharge {
  const ceiling = provider && ceilingCost(provider, usage, at_ms)
  const ceiling_cost = ceiling === undefined || ceiling > MAX_USD ? null : usdToParts(ceiling)
  return { kind: 'unpriced', price_version: CATALOGUE_VERSION, ceiling_cost }
}

/** Returns a warning if the reported cost differs from our cost by more than 1 %. Our cost is charged. */
function reportedCost({ reported_cost_usd }: Consumption, cost: PicoUsd): readonly string[] {
  const warning = reported_cost_usd === undefined ? undefined : reportedCostWarning(cost, reported_cost_usd)
  return warning === undefined ? NONE : [warning]
}

function problemOf(
  input: EventInput,
  { provider, model, usage, custom, reported }: Consumption,
): Refusal | undefined {
  const errors: { path: string; message: string }[] = []
  const tokens = input.event_type === 'TOKEN_USAGE'
  if (!provider && tokens) errors.push({ path: '/provider', message: 'required for TOKEN_USAGE' })
  if (!provider && !tokens && model !== undefined)
    errors.push({ path: '/provider', message: 'required with model' })
  if (model === undefined && tokens) errors.push({ path: '/model', message: 'required for TOKEN_USAGE' })
  if (tokens && Object.keys(usage).length === 0 && !reported) {
    errors.push({
      path: '/usage',
      message: 'required for TOKEN_USAGE: send usage, input_tokens or provider_response',
    })
  }
  if (input.quantity !== undefined && input.unit === undefined) {
    errors.push({ path: '/unit', message: 'required with quantity' })
  }
  if (input.unit !== undefined && input.quantity === undefined) {
    errors.push({ path: '/quantity', message: 'required with unit' })
  }
  const { unit = '', quantity } = input
  const known = custom && Object.hasOwn(custom, unit) ? custom[unit] : undefined
  if (known !== undefined && quantity !== undefined && known !== quantity) {
    errors.push({ path: '/quantity', message: `is ${quantity}, but usage.custom.${unit} is ${known}` })
  }
  return errors.length === 0 ? undefined : invalid(errors)
}

/** Returns a priced event. Sets optional fields one by one, because object spreads take three times as long. */
function eventOf(
  input: EventInput,
  { provider, model, custom, modifiers }: Consumption,
  usage: Usage,
  timestamp_ms: number,
  charge: ProviderCharge,
  warnings: readonly string[],
): PricedEvent {
  const { event_type, feature_id, user_id, team_id, unit, metadata } = input
  const event: Writable<PricedEvent> = {
    event_type,
    feature_id,
    timestamp_ms,
    charge,
  }
  if (user_id !== undefined) event.user_id = user_id
  if (team_id !== undefined) event.team_id = team_id
  if (provider) event.provider = providerName(provider)
  if (model !== undefined) event.model = model
  if (Object.keys(usage).length > 0) event.usage = usage
  if (modifiers) event.modifiers = modifiers
  if (unit !== undefined) event.custom = { ...custom, [unit]: input.quantity ?? 0 }
  else if (custom) event.custom = custom
  if (warnings.length > 0) event.warnings = warnings
  if (metadata !== undefined) event.metadata = metadata
  return event
}

function refused(refusal: Refusal): PriceResult {
  return { kind: 'refused', refusal }
}
