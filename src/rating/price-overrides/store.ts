import type { Bindings } from '../../bindings.ts'
import { isTaken } from '../../db/errors.ts'
import { FEED, type PriceOverlay } from '../../pricing/catalogue/overlay.ts'

/**
 * This file stores overlays in D1. An isolate reads all overlays of a scope at once. Requests add one overlay at a
 * time. The price feed adds its overlays in `price-feed/store.ts`.
 */

type Env = Pick<Bindings, 'DB'>

export interface StoredOverlay extends PriceOverlay {
  /** The number of the overlay within its scope, counted from 1. The highest number is the epoch of the scope. */
  readonly epoch: number
  readonly created_at_ms: number
  readonly created_by: string
}

/**
 * The maximum number of overlays of one scope, including past overlays. An isolate loads all of them at once, which
 * takes about 2 MB.
 */
export const MAX_OVERLAYS = 5_000

const COLUMNS = `epoch, overlay_id, provider, model, service_tier, prices, effective_from_ms, effective_to_ms,
  created_at_ms, created_by`

const SELECT_ALL = `SELECT ${COLUMNS} FROM price_overlays WHERE scope = ?1 ORDER BY epoch LIMIT ?2`

/**
 * Returns all overlays of a scope, oldest first. Reads them in one statement, so the result is a consistent snapshot.
 * Throws if there are more than `MAX_OVERLAYS`.
 */
export async function loadOverlays(env: Env, scope: string): Promise<StoredOverlay[]> {
  const { results } = await env.DB.prepare(SELECT_ALL)
    .bind(scope, MAX_OVERLAYS + 1)
    .all<StoredOverlay>()
  if (results.length > MAX_OVERLAYS) throw new Error(`scope ${scope} has more than ${MAX_OVERLAYS} overlays`)
  return results
}

const INSERT = `
  INSERT INTO price_overlays (scope, ${COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
const CLOSE = 'UPDATE price_overlays SET effective_to_ms = ?3 WHERE scope = ?1 AND epoch = ?2'

/**
 * Adds an overlay. If it replaces the overlay `closes`, that overlay ends when the new overlay starts. Writes 1 or 2
 * rows. Runs the statements `others` in the same batch. Returns `outrun` and writes nothing if another request has
 * already used the epoch of the overlay. The caller must then load the scope and plan again.
 */
export async function addOverlay(
  env: Env,
  scope: string,
  overlay: StoredOverlay,
  closes: StoredOverlay | undefined,
  others: readonly D1PreparedStatement[],
): Promise<'added' | 'outrun'> {
  const insert = env.DB.prepare(INSERT).bind(
    scope,
    overlay.epoch,
    overlay.overlay_id,
    overlay.provider,
    overlay.model,
    overlay.service_tier,
    overlay.prices,
    overlay.effective_from_ms,
    overlay.effective_to_ms,
    overlay.created_at_ms,
    overlay.created_by,
  )
  const close = closes ? [env.DB.prepare(CLOSE).bind(scope, closes.epoch, overlay.effective_from_ms)] : []
  try {
    await env.DB.batch([insert, ...close, ...others])
    return 'added'
  } catch (error) {
    if (isTaken(error, 'price_overlays')) return 'outrun'
    throw error
  }
}

export interface OverlayFilter {
  readonly provider: string | undefined
  readonly model: string | undefined
  readonly before_epoch: number | undefined
  readonly limit: number
}

const SELECT_PAGE = `
  SELECT ${COLUMNS} FROM price_overlays
  WHERE scope = ?1 AND epoch < ?2 AND created_by <> '${FEED}' AND (?3 IS NULL OR provider = ?3) AND (?4 IS NULL OR model = ?4)
  ORDER BY epoch DESC LIMIT ?5`

/**
 * Returns a page of a scope's overlays, newest first, and the epoch below which the next page starts; null if there is
 * no next page. Omits overlays of the price feed.
 */
export async function listOverlays(
  env: Env,
  scope: string,
  { provider, model, before_epoch, limit }: OverlayFilter,
): Promise<{ readonly overlays: StoredOverlay[]; readonly next_before_epoch: number | null }> {
  const { results } = await env.DB.prepare(SELECT_PAGE)
    .bind(scope, before_epoch ?? MAX_OVERLAYS + 1, provider ?? null, model ?? null, limit + 1)
    .all<StoredOverlay>()
  const overlays = results.slice(0, limit)
  const more = results.length > limit
  return { overlays, next_before_epoch: more ? (overlays.at(-1)?.epoch ?? null) : null }
}
