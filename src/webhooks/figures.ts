import type { Bindings } from '../bindings.ts'

/** The webhook figures in the statistics for operators. They are read from D1. */
export interface WebhookFigures {
  readonly pending: number
  /**
   * The earliest due time of the pending deliveries; null if no delivery is pending. It is normal that some deliveries
   * have been due for less than a minute.
   */
  readonly oldest_due_at_ms: number | null
  /** The number of enabled endpoints whose last attempt failed. */
  readonly failing_endpoints: number
  /** The number of endpoints that the system disabled because of failures. */
  readonly disabled_endpoints: number
  /** False if there can be more pending deliveries or endpoints than were counted. */
  readonly complete: boolean
}

const MAX_COUNTED = 10_000

// This statement reads only index entries of pending deliveries.
const COUNT_PENDING = `
  SELECT count(*) AS pending, min(due_at_ms) AS oldest_due_at_ms
  FROM (SELECT due_at_ms FROM webhook_deliveries WHERE status = 'pending' LIMIT ${MAX_COUNTED})`

const COUNT_ENDPOINTS = `
  SELECT count(*) AS counted, coalesce(sum(enabled = 1 AND failing_since_ms IS NOT NULL), 0) AS failing,
    coalesce(sum(disabled_reason IS NOT NULL), 0) AS disabled
  FROM (SELECT enabled, failing_since_ms, disabled_reason FROM webhook_endpoints LIMIT ${MAX_COUNTED})`

export async function readWebhookFigures({ DB }: Pick<Bindings, 'DB'>): Promise<WebhookFigures> {
  const [deliveries, endpoints] = await Promise.all([
    DB.prepare(COUNT_PENDING).first<Pick<WebhookFigures, 'pending' | 'oldest_due_at_ms'>>(),
    DB.prepare(COUNT_ENDPOINTS).first<Record<'counted' | 'failing' | 'disabled', number>>(),
  ])
  if (!deliveries || !endpoints) throw new Error('D1 returned no counts')
  return {
    ...deliveries,
    failing_endpoints: endpoints.failing,
    disabled_endpoints: endpoints.disabled,
    complete: deliveries.pending < MAX_COUNTED && endpoints.counted < MAX_COUNTED,
  }
}
