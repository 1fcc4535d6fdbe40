import type { Bindings } from '../../bindings.ts'
import { configOf, type PriceFeedConfig } from '../../config.ts'
import { logError, logInfo } from '../../logging/log.ts'
import { FEED, OverlaySet } from '../../pricing/catalogue/overlay.ts'
import { requireEpoch } from '../current-prices.ts'
import { OPERATOR, publishEpoch } from '../price-epochs.ts'
import { loadOverlays } from '../price-overrides/store.ts'
import { compareFeed, type FeedChanges } from './compare.ts'
import { type Download, downloadFeed, type Fetch } from './download.ts'
import { type PriceFeed, readFeed, sha256 } from './feed.ts'
import {
  applyFeed,
  findFeed,
  forgetFeed,
  fresh,
  keepFeed,
  latestVersion,
  type NewFeed,
  type StoredFeed,
  seeAgain,
  sizeProblem,
} from './store.ts'

/**
 * Downloads the price feed and stores it with the decision about it. A failed download is stored as a refused feed.
 * Applies the feed if it is valid, is newer than all applied and waiting feeds, and does not need the operator's
 * approval. Decides about a stored feed again only if it was refused, because a corrected key, fewer prices of the
 * operator or a new version of the Worker can make it valid. Ratings do not wait for the feed. Returns the stored feed;
 * undefined if no feed is configured.
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
  if (known !== undefined && known.status !== 'REFUSED') return seeAgain(env.DB, known, now_ms)
  const feed = { content_hash, ...(await decide(env, price_feed, download, now_ms)) }
  if (known !== undefined) {
    const isSame = feed.status === 'REFUSED' && feed.reasons[0] === known.reasons[0]
    if (isSame) return seeAgain(env.DB, known, now_ms)
    await forgetFeed(env.DB, known)
  }
  return store(env, feed, now_ms)
}

type Decided = Omit<NewFeed, 'content_hash'>

async function decide(
  env: Bindings,
  { key, bound_percent }: PriceFeedConfig,
  download: Download,
  now_ms: number,
): Promise<Decided> {
  if (download.kind === 'failed') return refused(null, download.reason)
  const read = await readFeed(download.bytes, download.signature, key)
  if (read.kind === 'refused') return refused(null, read.reason)
  const { version } = read.feed
  const latest = await latestVersion(env.DB)
  if (version <= latest) {
    const reason = `Version ${version} is not newer than version ${latest}, which is already applied or waits for approval.`
    return refused(version, reason)
  }
  const { changes, problem } = await changesOf(env, read.feed, bound_percent, now_ms)
  if (problem !== undefined) return refused(version, problem)
  const { reasons, set, end } = changes
  return { status: reasons.length > 0 ? 'WAITING' : 'APPLIED', version, reasons, changes: { set, end } }
}

function refused(version: number | null, reason: string): Decided {
  return { status: 'REFUSED', version, reasons: [reason], changes: { set: [], end: [] } }
}

/** Stores a feed, and applies it if this was decided. */
async function store(env: Bindings, feed: NewFeed, now_ms: number): Promise<StoredFeed> {
  const { status, version, reasons } = feed
  if (status === 'APPLIED') {
    const applied = fresh(feed, now_ms)
    await applyAndPublish(env, applied, false, now_ms, [])
    return applied
  }
  if (status === 'WAITING') {
    logError('price_feed_waits', new Error(reasons[0]), { version, reasons: reasons.length })
  } else {
    logError('price_feed_refused', new Error(reasons[0]), { version })
  }
  return keepFeed(env.DB, feed, now_ms)
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
  // A new price applies to past events only if neither the catalogue nor an earlier feed had a price of the model.
  const set = compared.set.map((one) => ({
    ...one,
    is_new: one.is_new && !had.has(`${one.provider}/${one.model}`),
  }))
  const changes = { ...compared, set }
  return { changes, problem: sizeProblem(changes, overlays.length) }
}

/** Applies a feed and publishes the new epoch, so that every isolate loads the prices of the feed. */
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
