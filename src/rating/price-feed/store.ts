import type { PriceFeedStatus } from '../../db/schema.ts'
import { newId } from '../../ids.ts'
import { FEED } from '../../pricing/catalogue/overlay.ts'
import { DAY_MS } from '../../time/durations.ts'
import { OPERATOR } from '../price-epochs.ts'
import { MAX_OVERLAYS } from '../price-overrides/store.ts'
import type { FeedChanges } from './compare.ts'

/** A price feed in D1. Its prices are stored in the operator's scope and have the scope's epochs. */

export interface StoredFeed {
  readonly feed_id: string
  readonly content_hash: string
  readonly status: PriceFeedStatus
  readonly version: number | null
  readonly reasons: readonly string[]
  readonly changes: Pick<FeedChanges, 'set' | 'end'>
  readonly first_read_at_ms: number
  readonly last_read_at_ms: number
}

type FeedRow = Omit<StoredFeed, 'reasons' | 'changes'> & {
  readonly reasons: string
  readonly changes: string
}

/** The maximum number of stored feeds. The newest feeds are kept. */
const MAX_FEEDS = 100
/** The maximum length of the changes of one feed, in characters. D1 stores texts of up to 2 MB. */
const MAX_CHANGES_LENGTH = 1_000_000

const SELECT = 'SELECT * FROM price_feeds'

export async function findFeed(
  db: D1Database,
  by: { readonly feed_id: string } | { readonly content_hash: string },
): Promise<StoredFeed | undefined> {
  const [column, value] = 'feed_id' in by ? ['feed_id', by.feed_id] : ['content_hash', by.content_hash]
  const row = await db.prepare(`${SELECT} WHERE ${column} = ?1`).bind(value).first<FeedRow>()
  return row === null ? undefined : parsed(row)
}

/** Returns the feeds, newest first. */
export async function listFeeds(db: D1Database): Promise<StoredFeed[]> {
  const { results } = await db.prepare(`${SELECT} ORDER BY feed_id DESC LIMIT ${MAX_FEEDS}`).all<FeedRow>()
  return results.map(parsed)
}

function parsed(row: FeedRow): StoredFeed {
  return { ...row, reasons: JSON.parse(row.reasons), changes: JSON.parse(row.changes) }
}

/** Returns the version of the feed whose prices are in force; 0 before the first feed is applied. */
export async function appliedVersion(db: D1Database): Promise<number> {
  const sql = `SELECT max(version) AS version FROM price_feeds WHERE status IN ('APPLIED', 'REPLACED')`
  return (await db.prepare(sql).first<number | null>('version')) ?? 0
}

export async function seeAgain(db: D1Database, { feed_id }: StoredFeed, now_ms: number): Promise<void> {
  await db
    .prepare('UPDATE price_feeds SET last_read_at_ms = ?2 WHERE feed_id = ?1')
    .bind(feed_id, now_ms)
    .run()
}

const INSERT = `
  INSERT INTO price_feeds (feed_id, content_hash, status, version, reasons, changes, first_read_at_ms, last_read_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)`

// The newest applied feed is never deleted, so its version is always available.
const FORGET = `
  DELETE FROM price_feeds WHERE status <> 'APPLIED' AND feed_id NOT IN (
    SELECT feed_id FROM price_feeds ORDER BY feed_id DESC LIMIT ${MAX_FEEDS})`

export type NewFeed = Pick<StoredFeed, 'content_hash' | 'status' | 'version' | 'reasons' | 'changes'>

/** Stores a feed without applying it. Writes 2 rows. */
export async function keepFeed(db: D1Database, feed: NewFeed, now_ms: number): Promise<StoredFeed> {
  const stored = fresh(feed, now_ms)
  await db.batch([insertion(db, stored), db.prepare(FORGET)])
  return stored
}

export function fresh(feed: NewFeed, now_ms: number): StoredFeed {
  return { ...feed, feed_id: newId('pf', now_ms), first_read_at_ms: now_ms, last_read_at_ms: now_ms }
}

function insertion(db: D1Database, feed: StoredFeed): D1PreparedStatement {
  const { feed_id, content_hash, status, version, reasons, changes, first_read_at_ms } = feed
  return db
    .prepare(INSERT)
    .bind(
      feed_id,
      content_hash,
      status,
      version,
      JSON.stringify(reasons),
      JSON.stringify(changes),
      first_read_at_ms,
    )
}

/**
 * Returns an error if there are too many changes to store; otherwise undefined. `overlays` is the number of overlays
 * in the operator's scope.
 */
export function sizeProblem({ set, end }: StoredFeed['changes'], overlays: number): string | undefined {
  if (overlays + set.length > MAX_OVERLAYS) {
    return `The feed has ${set.length} new prices and the operator has ${overlays} prices. Together they exceed the maximum of ${MAX_OVERLAYS}.`
  }
  const length = JSON.stringify({ set, end }).length
  return length > MAX_CHANGES_LENGTH
    ? `The changes have ${length} characters as JSON. The maximum is ${MAX_CHANGES_LENGTH}.`
    : undefined
}

const STATUS = 'UPDATE price_feeds SET status = ?2 WHERE feed_id = ?1 AND status = ?3'

/** Records the operator's rejection in one batch with `others`. */
export async function rejectFeed(
  db: D1Database,
  { feed_id, status }: StoredFeed,
  others: readonly D1PreparedStatement[],
): Promise<void> {
  await db.batch([db.prepare(STATUS).bind(feed_id, 'REJECTED', status), ...others])
}

const END = `
  UPDATE price_overlays SET effective_to_ms = ?2
  WHERE scope = '${OPERATOR}' AND created_by = '${FEED}' AND effective_to_ms IS NULL AND effective_from_ms < ?2
    AND (provider, model) IN (SELECT value ->> 'provider', value ->> 'model' FROM json_each(?1))`

// The epoch must increase even if prices only end, so that isolates read the scope again.
const SET = `
  INSERT INTO price_overlays (scope, epoch, overlay_id, provider, model, service_tier, prices, effective_from_ms,
    effective_to_ms, created_at_ms, created_by)
  SELECT '${OPERATOR}', (SELECT coalesce(max(epoch), 0) FROM price_overlays WHERE scope = '${OPERATOR}') + key + 1,
    value ->> 'id', value ->> 'provider', value ->> 'model', NULL, value ->> 'prices', value ->> 'from_ms', value ->> 'to_ms',
    ?2, '${FEED}'
  FROM json_each(?1)`

const REPLACE = `UPDATE price_feeds SET status = 'REPLACED'
  WHERE feed_id <> ?1 AND (status = 'APPLIED' OR (status = 'WAITING' AND version <= ?2))`

/** The maximum age of an event. The price of a new model also applies to past events up to this age. */
const BACKDATED_MS = 35 * DAY_MS

/**
 * Sets the prices of a feed, in one batch with `others`. The prices begin now; prices of new models begin
 * `BACKDATED_MS` earlier. Writes 1 row for each new price and 1 row for each price that ends. `known` is true if the
 * feed is already stored because it waited for approval.
 */
export async function applyFeed(
  db: D1Database,
  feed: StoredFeed,
  known: boolean,
  now_ms: number,
  others: readonly D1PreparedStatement[],
): Promise<void> {
  const { set, end } = feed.changes
  const ended = [...end, ...set].map(({ provider, model }) => ({ provider, model }))
  const prices = set.map(({ provider, model, list, is_new }) => ({
    id: newId('po', now_ms),
    provider,
    model,
    prices: JSON.stringify({ list }),
    from_ms: is_new ? now_ms - BACKDATED_MS : now_ms,
    to_ms: null,
  }))
  // A marker row. It ends in 1970, so no rating uses it. Its epoch announces that prices ended.
  const marker = {
    id: newId('po', now_ms),
    provider: FEED,
    model: feed.feed_id,
    prices: JSON.stringify({ multiplier: '1' }),
    from_ms: 0,
    to_ms: 1,
  }
  const rows = prices.length === 0 && ended.length > 0 ? [marker] : prices
  const row = known
    ? db.prepare(STATUS).bind(feed.feed_id, 'APPLIED', feed.status)
    : insertion(db, { ...feed, status: 'APPLIED' })
  await db.batch([
    db.prepare(END).bind(JSON.stringify(ended), now_ms),
    db.prepare(SET).bind(JSON.stringify(rows), now_ms),
    row,
    db.prepare(REPLACE).bind(feed.feed_id, feed.version),
    db.prepare(FORGET),
    ...others,
  ])
}
