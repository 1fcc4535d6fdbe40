import type { Context } from 'hono'
import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { timeOrNull } from '../http/input/times.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { logError } from '../logging/log.ts'
import { PendingCounts } from '../logging/pending-counts.ts'
import type { Endpoint } from './endpoints.ts'
import type { IgnoredReason, RejectedReason } from './reasons.ts'

/**
 * The minimum time between two writes of counts to D1. The outcomes of the drop-in endpoints are counted in the
 * memory of the isolate, so that not every request writes a row. The first count of a ledger in each of these
 * intervals is written immediately. The counts help to set an endpoint up and are not used for billing. Later counts
 * are written with the isolate's first drop-in request of a new interval.
 */
const WRITE_EVERY_MS = 10_000

export type Outcome =
  | 'received'
  | 'accepted'
  | 'duplicate'
  | `rejected:${RejectedReason}`
  | `ignored:${IgnoredReason}`

interface Count {
  readonly ledger_id: string
  readonly endpoint: Endpoint
  readonly outcome: string
  readonly count: number
  readonly last_at_ms: number
}

// Writes 1 row for each outcome.
const ADD = `
  INSERT INTO drop_in_counts (ledger_id, endpoint, outcome, count, last_at_ms)
  SELECT value ->> 'ledger_id', value ->> 'endpoint', value ->> 'outcome', value ->> 'count', value ->> 'last_at_ms'
  FROM json_each(?1) WHERE true
  ON CONFLICT (ledger_id, endpoint, outcome)
  DO UPDATE SET count = count + excluded.count, last_at_ms = max(last_at_ms, excluded.last_at_ms)`

const counts = new PendingCounts<Count>(
  ({ ledger_id, endpoint, outcome }) => `${ledger_id} ${endpoint} ${outcome}`,
  ADD,
  (error) => logError('drop_in_counts_not_written', error),
)
/** The start of the current interval: the time when this isolate last began a write that was due. */
let written_at_ms = 0
/** The ledgers whose counts this isolate has written since `written_at_ms`. */
let written = new Set<string>()

/** Counts a request and its outcomes, and starts a write in the background if one is due. */
export function countOutcomes(
  c: Context<AppEnv>,
  endpoint: Endpoint,
  outcomes: Iterable<Outcome>,
  now_ms: number,
): void {
  const ledger_id = ledgerKey(ledgerOf(c))
  const times = new Map<string, number>([['received', 1]])
  for (const outcome of outcomes) times.set(outcome, (times.get(outcome) ?? 0) + 1)
  for (const [outcome, count] of times) {
    counts.add({ ledger_id, endpoint, outcome, count, last_at_ms: now_ms })
  }
  // Uses the absolute difference, so that writes continue after the clock was set back.
  const is_due = Math.abs(now_ms - written_at_ms) >= WRITE_EVERY_MS
  if (!is_due && written.has(ledger_id)) return
  if (is_due) written = new Set()
  written.add(ledger_id)
  written_at_ms = is_due ? now_ms : written_at_ms
  c.executionCtx.waitUntil(writeCounts(c.env))
}

/** Adds this isolate's counts to D1. Never throws. Counts that could not be written are kept. */
export function writeCounts(env: Pick<Bindings, 'DB'>): Promise<void> {
  return counts.write(env)
}

/** The maximum number of rows to read. A ledger has at most one row for each outcome of each endpoint. */
const MAX_ROWS = 500
const READ = `
  SELECT endpoint, outcome, count, last_at_ms FROM drop_in_counts WHERE ledger_id = ?1
  ORDER BY endpoint, outcome LIMIT ${MAX_ROWS}`

type Row = Pick<Count, 'outcome' | 'count' | 'last_at_ms'> & { readonly endpoint: string }

/** Returns the state of every endpoint for a ledger. Writes the counts of this isolate first. */
export async function readCounts(
  env: Bindings,
  ledger: LedgerName,
  enabled: readonly Endpoint[],
): Promise<Record<Endpoint, object>> {
  await writeCounts(env)
  const { results } = await ledgerDb(env, ledger.customer_id).prepare(READ).bind(ledgerKey(ledger)).all<Row>()
  const state = (endpoint: Endpoint) =>
    stateOf(
      enabled.includes(endpoint),
      results.filter((row) => row.endpoint === endpoint),
    )
  return {
    otlp: state('otlp'),
    openmeter: state('openmeter'),
    litellm: state('litellm'),
    openmonetize: state('openmonetize'),
    stripe: state('stripe'),
  }
}

function stateOf(enabled: boolean, rows: readonly Row[]): object {
  const count = (outcome: string) => rows.find((row) => row.outcome === outcome)?.count ?? 0
  const byReason = (prefix: string) =>
    Object.fromEntries(
      rows
        .filter(({ outcome }) => outcome.startsWith(prefix))
        .map(({ outcome, count: times }) => [outcome.slice(prefix.length), times]),
    )
  return {
    enabled,
    last_received_at: timeOrNull(rows.find(({ outcome }) => outcome === 'received')?.last_at_ms ?? null),
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    rejected: byReason('rejected:'),
    ignored: byReason('ignored:'),
  }
}
