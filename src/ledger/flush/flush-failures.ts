import type { Bindings } from '../../bindings.ts'
import { DAY_MS } from '../../time/durations.ts'

/**
 * Stores flush failures in D1. A ledger reports its own flush failures, because only the ledger can detect them. If D1
 * is unavailable, the report fails too, and only the log contains the failure (`ledger_alarm_failed`).
 */

// Writes 1 row.
const REPORT = `
  INSERT INTO flush_failures (ledger_id, unflushed_since_ms, failures, failed_at_ms) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (ledger_id) DO UPDATE SET unflushed_since_ms = excluded.unflushed_since_ms,
    failures = excluded.failures, failed_at_ms = excluded.failed_at_ms`

export interface FlushFailure {
  readonly ledger_id: string
  /** The time of the oldest commit that D1 does not have. */
  readonly unflushed_since_ms: number
  readonly failures: number
}

export async function reportFlushFailure(
  db: D1Database,
  { ledger_id, unflushed_since_ms, failures }: FlushFailure,
  now_ms: number,
): Promise<void> {
  await db.prepare(REPORT).bind(ledger_id, unflushed_since_ms, failures, now_ms).run()
}

// Writes 1 row if the ledger has a report, otherwise none.
const WITHDRAW = 'DELETE FROM flush_failures WHERE ledger_id = ?1'

/** Removes the report of a ledger after a successful flush, even if the flush wrote nothing. */
export async function withdrawFlushFailure(db: D1Database, ledger_id: string): Promise<void> {
  await db.prepare(WITHDRAW).bind(ledger_id).run()
}

/** Selects the ledgers that have not flushed since they reported a failure. */
export const LEDGERS_BEHIND = `
  SELECT f.ledger_id, f.unflushed_since_ms, f.failures FROM flush_failures f
  LEFT JOIN ledgers l ON l.ledger_id = f.ledger_id
  WHERE coalesce(l.flushed_at_ms, 0) <= f.failed_at_ms`

// Writes 1 row for each removed report.
const FORGET = `
  DELETE FROM flush_failures WHERE ledger_id IN (
    SELECT f.ledger_id FROM flush_failures f LEFT JOIN ledgers l ON l.ledger_id = f.ledger_id
    WHERE l.flushed_at_ms > f.failed_at_ms OR f.failed_at_ms < ?1 LIMIT ?2)`

const MAX_FORGOTTEN = 1_000
/**
 * The time for which a report is valid. A lasting failure is reported again within this time: a ledger retries at least
 * every 5 minutes, and a scheduled job wakes a ledger that does not retry.
 */
const VALID_FOR_MS = DAY_MS

/**
 * Removes at most `MAX_FORGOTTEN` reports: reports of ledgers that have flushed since the report, and reports older
 * than a day. This job is needed because a restarted object does not remove its earlier report.
 */
export async function forgetFlushFailures(env: Pick<Bindings, 'DB'>, now_ms: number): Promise<void> {
  await env.DB.prepare(FORGET)
    .bind(now_ms - VALID_FOR_MS, MAX_FORGOTTEN)
    .run()
}
