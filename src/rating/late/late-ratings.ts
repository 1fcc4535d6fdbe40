import { CATALOGUE_VERSION } from '../../pricing/catalogue/catalogue.ts'
import { OPERATOR } from '../price-epochs.ts'
import type { StoredOverlay } from '../price-overrides/store.ts'

/** The progress of late rating for one ledger, as stored in the D1 tables `ledgers` and `late_ratings`. */
export interface LateRating {
  readonly ledger_id: string
  /** The last flushed entry of the ledger. `unrated_entry` is the newest entry of an event without a price. */
  readonly ledger_flushed_entry: number
  readonly unrated_entry: number
  /**
   * The version of the prices (`pricesMark`) when the last complete pass began. `entry` is the newest unrated entry
   * with which a complete pass began, so later entries are new.
   */
  readonly prices: string
  readonly entry: number
  /**
   * The entry below which the incomplete pass continues. `pass` is this pass. Both fields are null if there is no
   * incomplete pass.
   */
  readonly before_entry: number | null
  readonly pass: string | null
}

/** A pass over the unrated events of a ledger, newest first. */
export interface Pass {
  /** The version of the prices (`pricesMark`) when the pass began. */
  readonly prices: string
  /** The newest unrated entry when the pass began. */
  readonly entry: number
  readonly flushed_entry: number
  /**
   * The number of events with a known price that the pass could not rate, for example because their wallets have too
   * few credits: see `RerateOutcome`.
   */
  readonly unpaid: number
  /**
   * True if the pass examines every unrated event. Otherwise, it can skip an event that is neither new nor unpaid, and
   * that no price change can affect.
   */
  readonly all: boolean
  /** The entry below which the pass continues; null if it begins with the newest entry. */
  readonly before_entry: number | null
}

/**
 * The version of all prices of a customer: the version of the catalogue, and the epochs of the operator's and the
 * customer's prices. Every price change changes one of them.
 */
export interface PricesMark {
  readonly catalogue: string
  readonly operator: number
  readonly customer: number
}

export function pricesMark(operator: readonly StoredOverlay[], own: readonly StoredOverlay[]): string {
  return `${CATALOGUE_VERSION}/${operator.at(-1)?.epoch ?? 0}/${own.at(-1)?.epoch ?? 0}`
}

export function readMark(mark: string): PricesMark {
  const [catalogue = '', operator, customer] = mark.split('/')
  return { catalogue, operator: Number(operator ?? 0), customer: Number(customer ?? 0) }
}

const FIELDS = `l.ledger_id, l.flushed_entry AS ledger_flushed_entry, l.unrated_entry,
  coalesce(r.prices, '') AS prices, coalesce(r.entry, 0) AS entry, r.before_entry, r.pass`

// Uses the partial index on ledgers with unrated events. Reads about 4 rows for each of these ledgers, and no rows for
// other ledgers.
const TO_RATE = `
  SELECT ${FIELDS} FROM ledgers AS l LEFT JOIN late_ratings AS r ON r.ledger_id = l.ledger_id
  WHERE l.unrated > 0 AND l.ledger_id > ?1 AND (
    r.ledger_id IS NULL OR r.before_entry IS NOT NULL OR l.unrated_entry > r.entry
    OR (r.unpaid > 0 AND l.flushed_entry > r.flushed_entry)
    OR r.prices <> ?2 || coalesce((SELECT max(epoch) FROM price_overlays WHERE scope = '${OPERATOR}'), 0)
      || '/' || coalesce((SELECT max(epoch) FROM price_overlays WHERE scope = replace(l.ledger_id, ':test', '')), 0))
  ORDER BY l.ledger_id LIMIT ?3`

/**
 * Returns the ledgers after `after_ledger_id` that need late rating. A ledger with unrated events needs it for one of
 * these reasons: it has an incomplete pass, it has new unrated events, prices have changed, or it has both unpaid
 * events and new entries, which could be credits.
 */
export async function ledgersToRate(
  db: D1Database,
  after_ledger_id: string,
  limit: number,
): Promise<readonly LateRating[]> {
  return (await db.prepare(TO_RATE).bind(after_ledger_id, `${CATALOGUE_VERSION}/`, limit).all<LateRating>())
    .results
}

const OF_LEDGER = `
  SELECT ${FIELDS} FROM ledgers AS l LEFT JOIN late_ratings AS r ON r.ledger_id = l.ledger_id WHERE l.ledger_id = ?1`

/** Returns the progress of one ledger; a progress without any pass if the ledger is not in D1 yet. */
export async function progressOf(db: D1Database, ledger_id: string): Promise<LateRating> {
  const row = await db.prepare(OF_LEDGER).bind(ledger_id).first<LateRating>()
  const none = {
    ledger_flushed_entry: 0,
    unrated_entry: 0,
    prices: '',
    entry: 0,
    before_entry: null,
    pass: null,
  }
  return row ?? { ledger_id, ...none }
}

/**
 * Returns the incomplete pass of a ledger, or a new pass if there is none. If `all` is true, a new pass replaces an
 * incomplete pass that examines only some events.
 */
export function nextPass(progress: LateRating, prices: string, all: boolean): Pass {
  const stored: Omit<Pass, 'before_entry'> | null = progress.pass === null ? null : JSON.parse(progress.pass)
  if (stored && (stored.all || !all)) return { ...stored, before_entry: progress.before_entry }
  const { unrated_entry, ledger_flushed_entry } = progress
  return {
    prices,
    entry: unrated_entry,
    flushed_entry: ledger_flushed_entry,
    unpaid: 0,
    all,
    before_entry: null,
  }
}

// Writes 1 row.
const KEEP_PASS = `
  INSERT INTO late_ratings (ledger_id, prices, entry, unpaid, flushed_entry, before_entry, pass)
  VALUES (?1, '', 0, 0, 0, ?2, ?3)
  ON CONFLICT (ledger_id) DO UPDATE SET before_entry = excluded.before_entry, pass = excluded.pass`

/** Stores an incomplete pass and the position from which it continues. */
export async function keepPass(
  db: D1Database,
  { ledger_id }: LateRating,
  { before_entry, ...pass }: Pass,
): Promise<void> {
  await db.prepare(KEEP_PASS).bind(ledger_id, before_entry, JSON.stringify(pass)).run()
}

// Writes 1 row.
const COMPLETE_PASS = `
  INSERT INTO late_ratings (ledger_id, prices, entry, unpaid, flushed_entry) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (ledger_id) DO UPDATE SET prices = excluded.prices, entry = max(entry, excluded.entry),
    unpaid = excluded.unpaid, flushed_entry = excluded.flushed_entry, before_entry = NULL, pass = NULL`

export async function completePass(
  db: D1Database,
  { ledger_id }: LateRating,
  { prices, entry, unpaid, flushed_entry }: Pass,
): Promise<void> {
  await db.prepare(COMPLETE_PASS).bind(ledger_id, prices, entry, unpaid, flushed_entry).run()
}
