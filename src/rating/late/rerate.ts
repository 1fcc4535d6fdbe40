import type { Bindings } from '../../bindings.ts'
import { BudgetSpent } from '../../cron/budget.ts'
import { isOutage } from '../../db/errors.ts'
import { ledgerDb, ledgerKey, ledgerName } from '../../db/ledger-db.ts'
import { readUnrated, rerateEvents } from '../../ledger/client/client.ts'
import type { Caller } from '../../ledger/model/account.ts'
import type { Entry } from '../../ledger/model/journal.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import type { RerateItem, UnratedModel } from '../../ledger/model/unrated.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { logError, logWarning } from '../../logging/log.ts'
import { CATALOGUE_VERSION, findModel, findProvider } from '../../pricing/catalogue/catalogue.ts'
import { OverlaySet } from '../../pricing/catalogue/overlay.ts'
import { costFrom, type PriceBook } from '../../pricing/cost/price-book.ts'
import { MAX_USD, usdToParts } from '../../pricing/money.ts'
import { OPERATOR } from '../price-epochs.ts'
import { loadOverlays, type StoredOverlay } from '../price-overrides/store.ts'
import {
  completePass,
  keepPass,
  type LateRating,
  ledgersToRate,
  nextPass,
  pricesMark,
  progressOf,
  readMark,
} from './late-ratings.ts'

/** The outcome of one run of late rating. */
export interface RerateSummary {
  readonly ledgers: number
  readonly examined: number
  readonly rated: number
  /**
   * The number of events that now have a price but could not be rated, for example because their wallets have too few
   * credits: see `RerateOutcome`.
   */
  readonly unpaid: number
  /** The number of events that still have no price. */
  readonly unpriced: number
  /** True if events can be left for the next run. */
  readonly more: boolean
}

const NOTHING_RATED: RerateSummary = {
  ledgers: 0,
  examined: 0,
  rated: 0,
  unpaid: 0,
  unpriced: 0,
  more: false,
}

const CALLER: Caller = { key_id: OPERATOR }
const EVENTS_A_ROUND = 500
/**
 * The maximum number of rounds for one ledger in one run, so that a ledger with many events does not delay other
 * ledgers for long.
 */
const ROUNDS_A_LEDGER = 20
const MAX_LEDGERS = 200
/**
 * The maximum number of models to which a search for unrated events is limited. If a ledger has more models without a
 * price, all its unrated events are examined.
 */
const MAX_MODELS = 1_000

/**
 * Rates unrated events in the ledgers that need late rating (see `ledgersToRate`). Begins after the ledger
 * `after_ledger_id`. Calls `reach` with the id of each processed ledger, and with an empty id after the last ledger, so
 * that the caller can store where the next run begins. Runs only one statement if no ledger needs late rating. Logs a
 * failure in one ledger and continues with the next ledger. Throws if D1 is unavailable or if the budget of the job is
 * spent.
 */
export async function rerateChanged(
  env: Bindings,
  after_ledger_id: string,
  reach: (ledger_id: string) => void,
): Promise<RerateSummary> {
  let summary = NOTHING_RATED
  const found = await ledgersToRate(env.DB, after_ledger_id, MAX_LEDGERS)
  if (found.length === 0) {
    reach('')
    return summary
  }
  const operator = await loadOverlays(env, OPERATOR)
  for (const progress of found) {
    try {
      summary = add(summary, await rerateLedger(env, progress, operator, 'changed'))
    } catch (error) {
      if (error instanceof BudgetSpent || isOutage(error)) throw error
      // For example, the ledger is damaged. The events of other ledgers are still rated.
      logError('ledger_not_rerated', error, { ledger: progress.ledger_id })
    }
    // Moves on even if the pass over this ledger is incomplete: its position is stored, and a later run continues the
    // pass.
    reach(progress.ledger_id)
  }
  if (found.length < MAX_LEDGERS) reach('')
  return { ...summary, more: summary.more || found.length === MAX_LEDGERS }
}

/**
 * Rates unrated events like `rerateChanged`, but always begins with the first ledger. The caller must repeat the call
 * until `more` is false.
 */
export function rerateAll(env: Bindings): Promise<RerateSummary> {
  return rerateChanged(env, '', () => undefined)
}

const LEDGERS_OF_CUSTOMER = `
  SELECT customer_id AS ledger_id FROM customers WHERE customer_id = ?1 AND status <> 'PENDING'
  UNION SELECT ledger_id FROM ledgers WHERE ledger_id IN (?1, ?2)`

/**
 * Returns the existing ledgers of a customer. A ledger exists if D1 has a row for it. The live ledger also exists if
 * the customer's registration is complete. Other ledgers must not be called, because the first call would create the
 * object in the location of the caller.
 */
export async function ledgersOfCustomer(env: Bindings, customer_id: string): Promise<LedgerName[]> {
  const { results } = await env.DB.prepare(LEDGERS_OF_CUSTOMER)
    .bind(ledgerKey({ customer_id, mode: 'live' }), ledgerKey({ customer_id, mode: 'test' }))
    .all<{ ledger_id: string }>()
  return results.map(({ ledger_id }) => ledgerName(ledger_id))
}

/**
 * Examines all unrated events of the given ledgers, or a part of them if `more` is true, and rates events that now have
 * a price. Does so even if no price changed.
 */
export async function rerateLedgers(env: Bindings, ledgers: readonly LedgerName[]): Promise<RerateSummary> {
  const operator = await loadOverlays(env, OPERATOR)
  let summary = NOTHING_RATED
  for (const ledger of ledgers) {
    const progress = await progressOf(ledgerDb(env, ledger.customer_id), ledgerKey(ledger))
    summary = add(summary, await rerateLedger(env, progress, operator, 'all'))
  }
  return summary
}

function add(a: RerateSummary, b: Omit<RerateSummary, 'ledgers'>): RerateSummary {
  return {
    ledgers: a.ledgers + (b.examined > 0 ? 1 : 0),
    examined: a.examined + b.examined,
    rated: a.rated + b.rated,
    unpaid: a.unpaid + b.unpaid,
    unpriced: a.unpriced + b.unpriced,
    more: a.more || b.more,
  }
}

/**
 * Examines the unrated events of one ledger, newest first, and rates events that now have a price. Continues an
 * incomplete pass if there is one. Stores the progress after each round.
 */
async function rerateLedger(
  env: Bindings,
  progress: LateRating,
  operator: readonly StoredOverlay[],
  which: 'changed' | 'all',
): Promise<Omit<RerateSummary, 'ledgers'>> {
  const ledger = ledgerName(progress.ledger_id)
  const db = ledgerDb(env, ledger.customer_id)
  const own = await loadOverlays(env, ledger.customer_id)
  const book = { overrides: new OverlaySet(own), operator: new OverlaySet(operator) }
  const pass = nextPass(progress, pricesMark(operator, own), which === 'all')
  const models = pass.all ? undefined : await concernedModels(env, ledger, progress, operator, own)
  // Without the models, the pass would be recorded as complete although it has not examined their events.
  if (models && 'kind' in models) {
    logRefusal(progress, models)
    return { ...NOTHING_RATED, more: true }
  }
  let { before_entry } = pass
  let [examined, rated, unpaid, unpriced] = [0, 0, 0, 0]
  for (let round = 0; round < ROUNDS_A_LEDGER; round++) {
    const page = await readUnrated(env, ledger, {
      caller: CALLER,
      before_entry,
      limit: EVENTS_A_ROUND,
      amended: [],
      without_metadata: true,
      ...(models && { selection: { after_entry: progress.entry, models } }),
    })
    if (page.kind === 'refused') {
      logRefusal(progress, page)
      break
    }
    const { events, next_before_entry } = page.answer
    const items = events.flatMap((entry) => priced(entry, book) ?? [])
    if (items.length > 0) {
      const result = await rerateEvents(env, ledger, { caller: CALLER, items })
      if (result.kind === 'refused') {
        logRefusal(progress, result)
        break
      }
      rated += result.answer.rated
      unpaid += result.answer.unpaid
    }
    examined += events.length
    unpriced += events.length - items.length
    before_entry = events.at(-1)?.number ?? before_entry
    const done = next_before_entry === null
    const reached = { ...pass, before_entry, unpaid: pass.unpaid + unpaid }
    await (done ? completePass(db, progress, reached) : keepPass(db, progress, reached))
    if (done) return { examined, rated, unpaid, unpriced, more: false }
  }
  return { examined, rated, unpaid, unpriced, more: true }
}

/** Logs that a ledger refused a call, for example because it was unavailable. The next run continues the pass. */
function logRefusal({ ledger_id }: LateRating, { refusal }: Refused): void {
  logWarning('ledger_not_rerated', { ledger: ledger_id, code: refusal.code })
}

/**
 * Returns the models without a price that price changes since the last complete pass can affect. Returns undefined if
 * every unrated event must be examined, and a refusal if the ledger refuses the call.
 */
async function concernedModels(
  env: Bindings,
  ledger: LedgerName,
  progress: LateRating,
  operator: readonly StoredOverlay[],
  own: readonly StoredOverlay[],
): Promise<readonly UnratedModel[] | Refused | undefined> {
  // The first pass examines every event as a new event. New events are examined regardless of their model, so no models
  // are needed.
  if (progress.entry === 0) return []
  const known = readMark(progress.prices)
  const sameCatalogue = known.catalogue === CATALOGUE_VERSION
  const changed = [
    ...operator.filter(({ epoch }) => epoch > known.operator),
    ...own.filter(({ epoch }) => epoch > known.customer),
  ]
  if (sameCatalogue && changed.length === 0) return []
  const message = { caller: CALLER, before_entry: 0, limit: 1, amended: [], models_limit: MAX_MODELS + 1 }
  const result = await readUnrated(env, ledger, message)
  if (result.kind === 'refused') return result
  const models = result.answer.models ?? []
  if (models.length > MAX_MODELS) return undefined
  return sameCatalogue ? modelsOf(changed, models) : models.filter(({ provider }) => findProvider(provider))
}

/** Returns the models to which at least one of the overlays applies, regardless of the time and the service tier. */
function modelsOf(overlays: readonly StoredOverlay[], models: readonly UnratedModel[]): UnratedModel[] {
  const always = { service_tier: null, effective_from_ms: 0, effective_to_ms: null }
  const set = new OverlaySet(overlays.map((overlay) => ({ ...overlay, ...always })))
  return models.filter(({ provider: name, model }) => {
    const provider = findProvider(name)
    if (!provider) return false
    const written = model.trim().toLowerCase()
    const id = findModel(provider, model)?.id.toLowerCase() ?? written
    const query = { provider: provider.id, name: written, id, tier: null, at_ms: 0 }
    const owner = findModel(provider, model)?.provider.id ?? provider.id
    return set.find(query) !== undefined || set.findFed(owner, id, 0) !== undefined
  })
}

/**
 * Returns an unrated event with its provider cost at the event's own time; undefined if there is still no price or if
 * the cost exceeds the largest amount.
 */
function priced({ number, event }: Entry, book: PriceBook): RerateItem | undefined {
  const provider = event?.provider === undefined ? undefined : findProvider(event.provider)
  if (!event || !provider || event.model === undefined) return undefined
  const { model, usage = {}, modifiers, timestamp_ms: at_ms } = event
  const result = costFrom(book, { provider, model, usage, at_ms, ...modifiers })
  if (result.kind !== 'priced' || result.cost > MAX_USD) return undefined
  const { price_version } = result
  return { entry: number, charge: { kind: 'priced', cost: usdToParts(result.cost), price_version } }
}
