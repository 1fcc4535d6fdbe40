import type { Bindings } from '../../bindings.ts'
import { configOf, type PriceFeedConfig } from '../../config.ts'
import { logError, logInfo } from '../../logging/log.ts'
import { FEED, OverlaySet } from '../../pricing/catalogue/overlay.ts'
import { requireEpoch } from '../current-prices.ts'
import { OPERATOR, publishEpoch } from '../price-epochs.ts'
import { loadOverlays } from '../price-overrides/store.ts'
import { compareFeed, type FeedChanges } from './compare.ts'
import { downloadFeed, type Fetch } from './download.ts'
import { type PriceFeed, readFeed, sha256 } from './feed.ts'
import {
  appliedVersion,
  applyFeed,
  findFeed,
  fresh,
  keepFeed,
  type NewFeed,
  type StoredFeed,
  seeAgain,
  sizeProblem,
} from './store.ts'

/**
 * Reads the price feed. Applies the feed, unless it is invalid, is not newer than the applied feed, or needs the
 * operator's approval. Ratings use the prices in force and are not delayed. Does nothing if no feed is configured.
 */
export async function readPriceFeed(
  env: Bindings,
  now_ms: number,
  fetcher: Fetch = (url, init) => fetch(url, init),
  timeout_ms?: number,
): Promise<StoredFeed | undefined> {
  const { price_feed } = configOf(env)
  if (price_feed === null) return undefined
  const download = await downloadFeed(price_feed.url, fetcher, timeout_ms)
  const content_hash = await sha256(
    download.kind === 'read'
      ? Buffer.concat([download.bytes, Buffer.from(download.signature)])
      : download.reason,
  )
  const known = await findFeed(env.DB, { content_hash })
  if (known !== undefined) {
    await seeAgain(env.DB, known, now_ms)
    return known
  }
  const read =
    download.kind === 'read'
      ? await readFeed(download.bytes, download.signature, price_feed.key)
      : { kind: 'refused' as const, reason: download.reason }
  if (read.kind === 'refused') return refuse(env, { content_hash, version: null }, [read.reason], now_ms)
  return decide(env, price_feed, content_hash, read.feed, now_ms)
}

async function decide(
  env: Bindings,
  { bound_percent }: PriceFeedConfig,
  content_hash: string,
  feed: PriceFeed,
  now_ms: number,
): Promise<StoredFeed> {
  const { version } = feed
  const applied = await appliedVersion(env.DB)
  if (version <= applied) {
    const reason = `Version ${version} is not newer than version ${applied}, which is already applied.`
    return refuse(env, { content_hash, version }, [reason], now_ms)
  }
  const { changes, problem } = await changesOf(env, feed, bound_percent, now_ms)
  if (problem !== undefined) return refuse(env, { content_hash, version }, [problem], now_ms)
  const { reasons, set, end } = changes
  const found: NewFeed = { content_hash, status: 'WAITING', version, reasons, changes: { set, end } }
  if (reasons.length > 0) {
    logError('price_feed_waits', new Error(reasons[0]), { version, reasons: reasons.length })
    return keepFeed(env.DB, found, now_ms)
  }
  const stored: StoredFeed = { ...fresh(found, now_ms), status: 'APPLIED' }
  await applyAndPublish(env, stored, false, now_ms, [])
  return stored
}

async function changesOf(
  env: Bindings,
  feed: PriceFeed,
  bound_percent: number,
  now_ms: number,
): Promise<{ readonly changes: FeedChanges; readonly problem: string | undefined }> {
  const overlays = await loadOverlays(env, OPERATOR)
  const fed = overlays.filter(({ created_by }) => created_by === FEED)
  const compared = compareFeed(feed, new OverlaySet(fed).allFed(now_ms), bound_percent, now_ms)
  const had = new Set(fed.map(({ provider, model }) => `${provider}/${model}`))
  // Only a model that never had a price gets a price for past events.
  const set = compared.set.map((one) => ({
    ...one,
    is_new: one.is_new && !had.has(`${one.provider}/${one.model}`),
  }))
  const changes = { ...compared, set }
  return { changes, problem: sizeProblem(changes, overlays.length) }
}

/** Applies a feed and publishes its prices to every isolate. */
export async function applyAndPublish(
  env: Bindings,
  feed: StoredFeed,
  known: boolean,
  now_ms: number,
  others: readonly D1PreparedStatement[],
): Promise<void> {
  await applyFeed(env.DB, feed, known, now_ms, others)
  const later: Promise<unknown>[] = []
  await publishEpoch(env, OPERATOR, (work) => later.push(work))
  const overlays = await loadOverlays(env, OPERATOR)
  requireEpoch(OPERATOR, overlays.at(-1)?.epoch ?? 0)
  await Promise.all(later)
  const { version, changes } = feed
  logInfo('price_feed_applied', { version, set: changes.set.length, ended: changes.end.length })
}

async function refuse(
  env: Bindings,
  about: Pick<NewFeed, 'content_hash' | 'version'>,
  reasons: readonly string[],
  now_ms: number,
): Promise<StoredFeed> {
  logError('price_feed_refused', new Error(reasons[0]), { version: about.version })
  return keepFeed(env.DB, { ...about, status: 'REFUSED', reasons, changes: { set: [], end: [] } }, now_ms)
}
