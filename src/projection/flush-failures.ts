import type { Bindings } from '../config.ts'

/**
 * A ledger whose flush fails although D1 answers says so in D1: nobody else knows what it holds. While D1 itself is
 * down this fails as well; then it is the logs that say it (`ledger_alarm_failed`).
 */

// 1 row written.
const REPORT = `
  INSERT INTO flush_failures (ledger_id, unflushed_since_ms, failures, failed_at_ms) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (ledger_id) DO UPDATE SET unflushed_since_ms = excluded.unflushed_since_ms,
    failures = excluded.failures, failed_at_ms = excluded.failed_at_ms`

export interface FlushFailure {
  readonly ledger_id: string
  /** When the oldest commit was made that D1 does not have. */
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

/** Those that have not flushed since: what is cured needs no write of its own to be so. */
export const LEDGERS_BEHIND = `
  SELECT f.ledger_id, f.unflushed_since_ms, f.failures FROM flush_failures f
  LEFT JOIN ledgers l ON l.ledger_id = f.ledger_id
  WHERE coalesce(l.flushed_at_ms, 0) <= f.failed_at_ms`

// 1 row written for each that is removed.
const FORGET_CURED = `
  DELETE FROM flush_failures WHERE ledger_id IN (
    SELECT f.ledger_id FROM flush_failures f JOIN ledgers l ON l.ledger_id = f.ledger_id
    WHERE l.flushed_at_ms > f.failed_at_ms LIMIT ?1)`

const MAX_FORGOTTEN = 1_000

export async function forgetCuredFlushes(env: Pick<Bindings, 'DB'>): Promise<void> {
  await env.DB.prepare(FORGET_CURED).bind(MAX_FORGOTTEN).run()
}
