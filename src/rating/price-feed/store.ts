import type { PriceFeedStatus } from '../../db/schema.ts'
import { newId } from '../../ids.ts'
import { FEED } from '../../pricing/catalogue/overlay.ts'
import { DAY_MS } from '../../time/durations.ts'
import { OPERATOR } from '../price-epochs.ts'
import { MAX_OVERLAYS } from '../price-overrides/store.ts'
import type { FeedChanges } from './compare.ts'

/**
 * This file stores price feeds in D1. The prices of a feed are overlays in the operator's scope, with the epochs of
 * this scope.
 */

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

/** The number of newest feeds that are kept. Older feeds are deleted, except for the applied feed. */
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

/** Returns the newest feeds, at most `MAX_FEEDS`, newest first. */
export async function listFeeds(db: D1Database): Promise<StoredFeed[]> {
  const { results } = await db.prepare(`${SELECT} ORDER BY feed_id DESC LIMIT ${MAX_FEEDS}`).all<FeedRow>()
  return results.map(parsed)
}

function parsed(row: FeedRow): StoredFeed {
  return { ...row, reasons: JSON.parse(row.reasons), changes: JSON.parse(row.changes) }
}

/** Returns the highest version of a feed that was ever applied; 0 if no feed was applied yet. */
export function appliedVersion(db: D1Database): Promise<number> {
  return highestVersion(db, ['APPLIED', 'REPLACED'])
}

/**
 * Returns the highest version of a feed that was applied or waits for approval; 0 if there is none. Only a higher
 * version can be applied without approval, because the changes of a waiting feed depend on the applied prices.
 */
export function latestVersion(db: D1Database): Promise<number> {
  return highestVersion(db, ['APPLIED', 'REPLACED', 'WAITING'])
}

async function highestVersion(db: D1Database, statuses: readonly PriceFeedStatus[]): Promise<number> {
  const sql = `SELECT max(version) AS version FROM price_feeds WHERE status IN (SELECT value FROM json_each(?1))`
  return (await db.prepare(sql).bind(JSON.stringify(statuses)).first<number | null>('version')) ?? 0
}

/** Stores the time at which a stored feed was read again. Returns the feed. */
export async function seeAgain(db: D1Database, feed: StoredFeed, now_ms: number): Promise<StoredFeed> {
  await db
    .prepare('UPDATE price_feeds SET last_read_at_ms = ?2 WHERE feed_id = ?1')
    .bind(feed.feed_id, now_ms)
    .run()
  return { ...feed, last_read_at_ms: now_ms }
}

export async function forgetFeed(db: D1Database, { feed_id }: StoredFeed): Promise<void> {
  await db.prepare('DELETE FROM price_feeds WHERE feed_id = ?1').bind(feed_id).run()
}

const INSERT = `
  INSERT INTO price_feeds (feed_id, content_hash, status, version, reasons, changes, first_read_at_ms, last_read_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)`

// The newest applied feed is never deleted, so its version is always available.
const FORGET = `
  DELETE FROM price_feeds WHERE status <> 'APPLIED' AND feed_id NOT IN (
    SELECT feed_id FROM price_feeds ORDER BY feed_id DESC LIMIT ${MAX_FEEDS})`

export type NewFeed = Pick<StoredFeed, 'content_hash' | 'status' | 'version' | 'reasons' | 'changes'>

/** Stores a feed without applying it. Writes 3 rows, and 1 row for each older feed that it deletes. */
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
 * Returns an error if the changes of a feed are too many or too long to store; otherwise undefined. `overlays` is the
 * number of overlays in the operator's scope.
 */
export function sizeProblem({ set, end }: StoredFeed['changes'], overlays: number): string | undefined {
  if (overlays + set.length > MAX_OVERLAYS) {
    return `The number of prices that the feed sets, ${set.length}, and the number of stored prices of the operator and of earlier feeds, ${overlays}, together exceed the maximum of ${MAX_OVERLAYS}.`
  }
  const length = JSON.stringify({ set, end }).length
  return length > MAX_CHANGES_LENGTH
    ? `The changes have ${length} characters as JSON. The maximum is ${MAX_CHANGES_LENGTH}.`
    : undefined
}

const STATUS = 'UPDATE price_feeds SET status = ?2 WHERE feed_id = ?1 AND status = ?3'

/**
 * Records that the operator rejected a feed, unless its status has changed since it was read. Runs the statements
 * `others` in the same batch.
 */
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

// Each new row increases the epoch of the scope, so that isolates read the scope again. The epochs count the rows of
// the scope. If the new rows would exceed the maximum, because the operator has set a price meanwhile, the epoch is
// null and the statement fails. Isolates cannot read a larger scope.
const SET = `
  INSERT INTO price_overlays (scope, epoch, overlay_id, provider, model, service_tier, prices, effective_from_ms,
    effective_to_ms, created_at_ms, created_by)
  SELECT '${OPERATOR}', CASE WHEN last + json_array_length(?1) <= ${MAX_OVERLAYS} THEN last + key + 1 END,
    value ->> 'id', value ->> 'provider', value ->> 'model', NULL, value ->> 'prices', value ->> 'from_ms', value ->> 'to_ms',
    ?2, '${FEED}'
  FROM json_each(?1),
    (SELECT coalesce(max(epoch), 0) AS last FROM price_overlays WHERE scope = '${OPERATOR}')`

const REPLACE = `UPDATE price_feeds SET status = 'REPLACED'
  WHERE feed_id <> ?1 AND (status = 'APPLIED' OR (status = 'WAITING' AND version <= ?2))`

/** The maximum age of an event. The price of a new model also applies to past events up to this age. */
const BACKDATED_MS = 35 * DAY_MS

/**
 * Sets the prices of a feed. The prices begin at `now_ms`; prices of new models begin `BACKDATED_MS` earlier. Writes 1
 * row for each new price or for the marker, 1 row for each price that ends, and the rows of the feed and of the feeds
 * that it replaces or deletes. `known` is true if the feed is already stored, because it waited for approval. Runs the
 * statements `others` in the same batch.
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
  // A row that only increases the epoch, for a feed that only ends prices. It ended in 1970, so no rating uses it.
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
