import type { Context } from 'hono'
import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { timeOrNull } from '../http/input/times.ts'
import type { Refusal } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { logError } from '../logging/log.ts'
import { PendingCounts } from '../logging/pending-counts.ts'
import type { Endpoint } from './endpoints.ts'

/**
 * The interval at which an isolate writes its counts to D1. The isolate counts the outcomes of the drop-in endpoints in
 * memory, so that not every request writes a row. The first count of a ledger in an interval is written immediately.
 * Later counts are written by the isolate's next write. The counts help operators and customers to set up an endpoint.
 * They are not used for billing.
 */
const WRITE_EVERY_MS = 10_000

/**
 * The reasons why an item of a drop-in request is not billed. The list is closed, because `GET /v1/drop-in` counts
 * items by reason. A rejected item should have been billed. An ignored item costs nothing.
 */
export type RejectedReason =
  | Refusal['code']
  /** The request or the item is malformed. */
  | 'unreadable'
  /** The usage is missing, or the usage reader does not support it. */
  | 'no_usage'
  | 'no_model'
  | 'no_provider'
  /** A CloudEvent, or a meter event of Stripe, whose type has no mapping. */
  | 'no_mapping'
  /** A value that the mapping requires is missing or has the wrong type. */
  | 'wrong_data'

export type IgnoredReason =
  /** A span that is not a model call: HTTP, tools, the application itself. */
  | 'not_a_model_call'
  /** A span of an agent or a workflow. Its usage repeats the usage of its calls. */
  | 'total_of_others'
  /** A model call that contains another model call, such as a framework's call around the call of its client. */
  | 'not_a_leaf'
  | 'failed_call'
  | 'cache_hit'

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

// This statement writes 1 row for each ledger, endpoint and outcome.
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
/** The time when the current interval began, which is the time of the last write that was due. */
let written_at_ms = 0
/** The ledgers whose counts this isolate has written since `written_at_ms`. */
let written = new Set<string>()

/** Counts a request and its outcomes in memory. If a write to D1 is due, starts the write in the background. */
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
  // The difference is absolute, so that writes continue if the clock is set back.
  const is_due = Math.abs(now_ms - written_at_ms) >= WRITE_EVERY_MS
  if (!is_due && written.has(ledger_id)) return
  if (is_due) written = new Set()
  written.add(ledger_id)
  written_at_ms = is_due ? now_ms : written_at_ms
  c.executionCtx.waitUntil(writeCounts(c.env))
}

/** Adds this isolate's counts to D1. Never throws. If the write fails, the counts stay in memory for the next write. */
export function writeCounts(env: Pick<Bindings, 'DB'>): Promise<void> {
  return counts.write(env)
}

/**
 * The maximum number of rows that one query reads. A ledger has fewer rows, because it has at most one row for each
 * outcome of each endpoint.
 */
const MAX_ROWS = 500
const READ = `
  SELECT endpoint, outcome, count, last_at_ms FROM drop_in_counts WHERE ledger_id = ?1
  ORDER BY endpoint, outcome LIMIT ${MAX_ROWS}`

type Row = Pick<Count, 'outcome' | 'count' | 'last_at_ms'> & { readonly endpoint: string }

/**
 * Returns the state and the counts of every drop-in endpoint for one ledger. Writes the counts of this isolate to D1
 * first.
 */
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
