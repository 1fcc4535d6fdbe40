import type { Bindings } from '../bindings.ts'
import { advanced, usedInPeriod } from '../ledger/burns/rate.ts'
import type { Entry, EventRecord } from '../ledger/model/journal.ts'
import type { PeriodCounters } from '../ledger/model/limits.ts'
import { invalid, type Refused } from '../ledger/model/refusal.ts'
import { chargeFor } from '../pricing/burn-table/charge.ts'
import type { BurnTable } from '../pricing/burn-table/table.ts'
import { usdFromParts } from '../pricing/money.ts'
import { type Scan, scanEntries } from '../projection/read/scan-entries.ts'

/**
 * A request to simulate the cost of the recorded events with times from `from_ms` (inclusive) to `to_ms` (exclusive).
 */
export interface SimulationRequest extends Scan {
  readonly table: BurnTable
  readonly from_ms: number
  readonly to_ms: number
}

/** The exact sums of some events: their recorded costs, and their simulated costs with the draft of a burn table. */
export interface SimulationSums {
  events: number
  recorded_micro: bigint
  simulated_micro: bigint
  cost: bigint
  /** The recorded customer price in pico-USD. `price` is the simulated customer price. */
  recorded_price: bigint
  price: bigint
}

/**
 * The sums of all events with the same provider and model. `provider` or `model` is undefined if the events have none.
 */
export interface SimulatedModel {
  readonly provider: string | undefined
  readonly model: string | undefined
  readonly sums: SimulationSums
}

export interface Simulation {
  readonly kind: 'simulated'
  readonly totals: SimulationSums
  /** The number of events that still have no price. No sum includes them. */
  readonly unrated_events: number
  readonly by_feature: ReadonlyMap<string, SimulationSums>
  readonly by_model: readonly SimulatedModel[]
}

export const MAX_SIMULATED_EVENTS = 100_000
/**
 * The maximum number of entries to read. It is higher than the maximum number of events, because grants and expirations
 * are read with the events.
 */
const MAX_ENTRIES = 2 * MAX_SIMULATED_EVENTS

/** The maximum time by which the timestamp of an event can be later than its arrival. */
const MAX_AHEAD_MS = 5 * 60_000

/**
 * Rates recorded events with the draft of a burn table. Provider costs keep their recorded values. The tiers and free
 * units of the draft are counted from zero for each wallet, beginning with the first of these events, in the order of
 * arrival. Returns a refusal if the events cannot be read or if there are too many of them.
 */
export async function simulate(env: Bindings, request: SimulationRequest): Promise<Simulation | Refused> {
  const found = await recordedEvents(env, request)
  if (found.kind === 'refused') return found
  const totals = noSums()
  const by_feature = new Map<string, SimulationSums>()
  const by_model = new Map<string, SimulatedModel>()
  const counters = new Map<number, PeriodCounters>()
  for (const event of found.events.reverse()) {
    const of_wallet = counters.get(event.wallet)
    const charge = chargeFor(request.table, event, {
      at_ms: event.at_ms,
      used: (counter) => usedInPeriod(of_wallet, counter),
    })
    if (charge.kind === 'unpriced') throw new Error('an event with a known cost was rated as unpriced')
    const { advance } = charge
    if (advance) counters.set(event.wallet, advanced(of_wallet, advance.counter, advance.quantity))
    const of_feature = by_feature.get(event.feature_id) ?? noSums()
    by_feature.set(event.feature_id, of_feature)
    const of_model = modelOf(by_model, event)
    const added: SimulationSums = {
      events: 1,
      recorded_micro: event.recorded_micro,
      simulated_micro: charge.credits_micro,
      cost: event.cost,
      recorded_price: event.recorded_price,
      price: charge.price,
    }
    for (const sums of [totals, of_feature, of_model.sums]) addSums(sums, added)
  }
  const models = [...by_model.values()]
  return { kind: 'simulated', totals, unrated_events: found.unrated, by_feature, by_model: models }
}

function modelOf(
  models: Map<string, SimulatedModel>,
  { provider, model }: Pick<SimulatedEvent, 'provider' | 'model'>,
): SimulatedModel {
  // A line break separates the names, because names cannot contain it.
  const key = `${provider ?? ''}\n${model ?? ''}`
  const found = models.get(key) ?? { provider, model, sums: noSums() }
  models.set(key, found)
  return found
}

/** Adds the values of `added` to `sums`. */
export function addSums(sums: SimulationSums, added: Readonly<SimulationSums>): void {
  sums.events += added.events
  sums.recorded_micro += added.recorded_micro
  sums.simulated_micro += added.simulated_micro
  sums.cost += added.cost
  sums.recorded_price += added.recorded_price
  sums.price += added.price
}

/**
 * The fields of a recorded event that the simulation needs. Other fields are omitted, because up to 100,000 events are
 * in memory at once.
 */
type SimulatedEvent = Pick<EventRecord, 'feature_id'> & {
  readonly at_ms: number
  readonly wallet: number
  readonly provider: string | undefined
  readonly model: string | undefined
  readonly usage: EventRecord['usage']
  readonly custom: EventRecord['custom']
  readonly cost: ReturnType<typeof usdFromParts>
  readonly recorded_micro: bigint
  readonly recorded_price: bigint
}

interface RecordedEvents {
  readonly kind: 'found'
  /** The events, newest arrival first. */
  readonly events: SimulatedEvent[]
  readonly unrated: number
}

async function recordedEvents(
  env: Bindings,
  { from_ms, to_ms, ...scan }: SimulationRequest,
): Promise<RecordedEvents | Refused> {
  const events: SimulatedEvent[] = []
  /** The entries that rated an event late, by the number of the entry that recorded the event. */
  const late = new Map<number, Entry>()
  let unrated = 0
  let arrived = 0
  let looked_at = 0
  for await (const entries of scanEntries(env, scan)) {
    if ('kind' in entries) return entries
    for (const entry of entries) {
      // Stops at this entry. Entries are ordered by arrival, so no older entry can have a timestamp in the range.
      if (entry.at_ms < from_ms - MAX_AHEAD_MS) return { kind: 'found', events, unrated }
      looked_at += 1
      if (entry.event) arrived += 1
      if (arrived > MAX_SIMULATED_EVENTS || looked_at > MAX_ENTRIES) return TOO_MANY
      const { event } = entry
      if (event?.rerates) late.set(event.rerates.entry, entry)
      if (!event || event.rerates || event.timestamp_ms < from_ms || event.timestamp_ms >= to_ms) continue
      const settled = late.get(entry.number)
      if (event.unrated && !settled) unrated += 1
      else events.push(simulated(entry, event, settled))
    }
  }
  return { kind: 'found', events, unrated }
}

const TOO_MANY: Refused = {
  kind: 'refused',
  refusal: invalid([
    {
      path: '/from',
      message: `must be later: more than ${MAX_SIMULATED_EVENTS} events or ${MAX_ENTRIES} entries were recorded since this time`,
    },
  ]),
}

function simulated(entry: Entry, event: EventRecord, settled: Entry | undefined): SimulatedEvent {
  return {
    at_ms: entry.at_ms,
    wallet: entry.wallet,
    feature_id: event.feature_id,
    provider: event.provider,
    model: event.model,
    usage: event.usage,
    custom: event.custom,
    cost: usdFromParts(settled?.event?.cost ?? event.cost),
    recorded_micro: BigInt(0 - entry.amount - (settled?.amount ?? 0)),
    recorded_price: usdFromParts(settled?.event?.price ?? event.price),
  }
}

export function noSums(): SimulationSums {
  return { events: 0, recorded_micro: 0n, simulated_micro: 0n, cost: 0n, recorded_price: 0n, price: 0n }
}
