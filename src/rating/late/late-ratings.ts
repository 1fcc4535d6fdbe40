import { CATALOGUE_VERSION } from '../../pricing/catalogue/catalogue.ts'
import { OPERATOR } from '../price-epochs.ts'
import type { StoredOverlay } from '../price-overrides/store.ts'

/** The progress of late rating in D1, by ledger (`late_ratings`). */
export interface LateRating {
  readonly ledger_id: string
  /** The last entry of the last flush, and the newest entry without a price (`unrated_entry`). */
  readonly ledger_flushed_entry: number
  readonly unrated_entry: number
  /** The version of the prices (`pricesMark`) in the last complete pass. */
  readonly prices: string
  readonly entry: number
  /** The current pass; null if no pass runs. */
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
  /** The number of events so far whose wallets could not pay. */
  readonly unpaid: number
  /**
   * True if the pass examines every unrated event. Otherwise, it examines only new events and events that a price
   * change can affect.
   */
  readonly all: boolean
  /** The entry below which the pass continues; null if it begins with the newest entry. */
  readonly before_entry: number | null
}

/** The version of all prices. Each price change increases an epoch. Each new catalogue has a different version. */
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

// Uses the partial index. Reads about 4 rows for each ledger with unrated events, and no rows for other ledgers.
const TO_RATE = `
  SELECT ${FIELDS} FROM ledgers AS l LEFT JOIN late_ratings AS r ON r.ledger_id = l.ledger_id
  WHERE l.unrated > 0 AND l.ledger_id > ?1 AND (
    r.ledger_id IS NULL OR r.before_entry IS NOT NULL OR l.unrated_entry > r.entry
    OR (r.unpaid > 0 AND l.flushed_entry > r.flushed_entry)
    OR r.prices <> ?2 || coalesce((SELECT max(epoch) FROM price_overlays WHERE scope = '${OPERATOR}'), 0)
      || '/' || coalesce((SELECT max(epoch) FROM price_overlays WHERE scope = replace(l.ledger_id, ':test', '')), 0))
  ORDER BY l.ledger_id LIMIT ?3`

/**
 * Returns the ledgers after `after_ledger_id` that need late rating. Such a ledger has an incomplete pass, new
 * unrated events, changed prices, or unpaid events and later entries, which may be credits.
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

/** Returns the progress of one ledger, even if the ledger is not in D1 yet. */
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

/** Returns the current pass or a new pass. A pass over all events replaces a pass over some events. */
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

/** Stores the position of a pass. */
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
