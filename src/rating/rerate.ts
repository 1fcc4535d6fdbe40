import type { Bindings } from '../bindings.ts'
import { ledgerKey, ledgerName } from '../db/ledger-db.ts'
import { readUnrated, rerateEvents } from '../ledger/client/client.ts'
import type { Caller } from '../ledger/model/account.ts'
import type { Entry } from '../ledger/model/journal.ts'
import type { RerateItem } from '../ledger/model/unrated.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { findProvider } from '../pricing/catalogue/catalogue.ts'
import { OverlaySet } from '../pricing/catalogue/overlay.ts'
import { costFrom, type PriceBook } from '../pricing/cost/price-book.ts'
import { MAX_USD, usdToParts } from '../pricing/money.ts'
import { OPERATOR } from './price-epochs.ts'
import { loadOverlays } from './price-overrides/store.ts'

/** The outcome of rating events that had no price. */
export interface RerateSummary {
  readonly ledgers: number
  readonly examined: number
  readonly rated: number
  /** The price is known; the wallet cannot pay until its next credit. */
  readonly unpaid: number
  /** Still no price. */
  readonly unpriced: number
  /** Whether the limit of one run was reached. */
  readonly more: boolean
}

const CALLER: Caller = { key_id: OPERATOR }
const EVENTS_A_ROUND = 500
const MAX_ROUNDS = 20
const MAX_LEDGERS = 200

const LEDGERS_WITH_UNRATED = `
  SELECT ledger_id FROM ledgers WHERE unrated > 0 AND ledger_id > ? ORDER BY ledger_id LIMIT ?`

/** Rates the unrated events of all customers that have a price now. */
export async function rerateAll(env: Bindings): Promise<RerateSummary> {
  const { results } = await env.DB.prepare(LEDGERS_WITH_UNRATED)
    .bind('', MAX_LEDGERS + 1)
    .all<{ ledger_id: string }>()
  const names = results.slice(0, MAX_LEDGERS).map(({ ledger_id }) => ledgerName(ledger_id))
  const summary = await rerateLedgers(env, names)
  return { ...summary, more: summary.more || results.length > MAX_LEDGERS }
}

const LEDGERS_OF_CUSTOMER = `
  SELECT customer_id AS ledger_id FROM customers WHERE customer_id = ?1 AND status <> 'PENDING'
  UNION SELECT ledger_id FROM ledgers WHERE ledger_id IN (?1, ?2)`

/**
 * Returns the ledgers of a customer that exist: the live one if the customer is registered, the test one if D1 has rows
 * of it. No other may be called, because a first call would create its object, in this location.
 */
export async function ledgersOfCustomer(env: Bindings, customer_id: string): Promise<LedgerName[]> {
  const { results } = await env.DB.prepare(LEDGERS_OF_CUSTOMER)
    .bind(ledgerKey({ customer_id, mode: 'live' }), ledgerKey({ customer_id, mode: 'test' }))
    .all<{ ledger_id: string }>()
  return results.map(({ ledger_id }) => ledgerName(ledger_id))
}

/** Rates the unrated events of some ledgers that have a price now. */
export async function rerateLedgers(env: Bindings, ledgers: readonly LedgerName[]): Promise<RerateSummary> {
  const operator = new OverlaySet(await loadOverlays(env, OPERATOR))
  let summary: RerateSummary = { ledgers: 0, examined: 0, rated: 0, unpaid: 0, unpriced: 0, more: false }
  for (const ledger of ledgers) {
    const overrides = new OverlaySet(await loadOverlays(env, ledger.customer_id))
    const one = await rerateLedger(env, ledger, { overrides, operator })
    summary = {
      ledgers: summary.ledgers + (one.examined > 0 ? 1 : 0),
      examined: summary.examined + one.examined,
      rated: summary.rated + one.rated,
      unpaid: summary.unpaid + one.unpaid,
      unpriced: summary.unpriced + one.unpriced,
      more: summary.more || one.more,
    }
  }
  return summary
}

type LedgerSummary = Omit<RerateSummary, 'ledgers'>

async function rerateLedger(env: Bindings, ledger: LedgerName, book: PriceBook): Promise<LedgerSummary> {
  let [examined, rated, unpaid, unpriced] = [0, 0, 0, 0]
  let before_entry: number | null = null
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const page = await readUnrated(env, ledger, {
      caller: CALLER,
      before_entry,
      limit: EVENTS_A_ROUND,
      amended: [],
    })
    if (page.kind === 'refused') break
    const { events } = page.answer
    const items = events.flatMap((entry) => priced(entry, book) ?? [])
    examined += events.length
    unpriced += events.length - items.length
    if (items.length > 0) {
      const result = await rerateEvents(env, ledger, { caller: CALLER, items })
      if (result.kind === 'refused') break
      rated += result.answer.rated
      unpaid += result.answer.unpaid
    }
    before_entry = events.at(-1)?.number ?? null
    if (events.length < EVENTS_A_ROUND) return { examined, rated, unpaid, unpriced, more: false }
  }
  return { examined, rated, unpaid, unpriced, more: true }
}

/** Returns the price at the event's own time, if there is one now. */
function priced({ number, event }: Entry, book: PriceBook): RerateItem | undefined {
  const provider = event?.provider === undefined ? undefined : findProvider(event.provider)
  if (!event || !provider || event.model === undefined) return undefined
  const { model, usage = {}, modifiers, timestamp_ms: at_ms } = event
  const result = costFrom(book, { provider, model, usage, at_ms, ...modifiers })
  if (result.kind !== 'priced' || result.cost > MAX_USD) return undefined
  const { price_version } = result
  return { entry: number, charge: { kind: 'priced', cost: usdToParts(result.cost), price_version } }
}
