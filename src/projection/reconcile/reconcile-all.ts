import type { Bindings } from '../../bindings.ts'
import { ledgerDb, ledgerName } from '../../db/ledger-db.ts'
import { logError, logInfo } from '../../logging/log.ts'
import { DAY_MS } from '../../time/durations.ts'
import { type ReconcileResult, reconcileLedger } from './reconcile.ts'
import { postponeReconciliation } from './store.ts'

/** Ledgers that one call looks at, and how many of them at once. */
export const LEDGERS_A_CALL = 40
const AT_ONCE = 4

/** Every page of a ledger is looked at again after this long; in between, those that are new. */
const FULL_EVERY_MS = 28 * DAY_MS
const CHECK_EVERY_MS = DAY_MS

// Longest ago first. A row or two read for each ledger.
const DUE = `
  SELECT l.ledger_id, coalesce(r.full_at_ms, 0) AS full_at_ms FROM ledgers AS l
  LEFT JOIN reconciliations AS r ON r.ledger_id = l.ledger_id
  WHERE coalesce(r.checked_at_ms, 0) < ?1 OR (r.status = 'CHECKING' AND r.checked_at_ms < ?2)
  ORDER BY coalesce(r.checked_at_ms, 0), l.ledger_id LIMIT ?3`

interface DueLedger {
  readonly ledger_id: string
  readonly full_at_ms: number
}

export interface ReconciledLedgers {
  readonly results: readonly ReconcileResult[]
  /** There are more ledgers that were not looked at since `since_ms`. */
  readonly more: boolean
}

/**
 * Reconciles the ledgers that were not looked at since `since_ms`, longest ago first; those whose last check did not come
 * to the end go on.
 */
export async function reconcileDue(
  env: Bindings,
  { since_ms, full, now_ms }: { readonly since_ms: number; readonly full: boolean; readonly now_ms: number },
): Promise<ReconciledLedgers> {
  const { results: due } = await env.DB.prepare(DUE)
    .bind(since_ms, now_ms, LEDGERS_A_CALL + 1)
    .all<DueLedger>()
  const ledgers = due.slice(0, LEDGERS_A_CALL)
  const results: ReconcileResult[] = []
  for (let i = 0; i < ledgers.length; i += AT_ONCE) {
    const some = ledgers.slice(i, i + AT_ONCE)
    results.push(
      ...(await Promise.all(
        some.map(({ ledger_id, full_at_ms }) => {
          // Of a ledger with more pages than one call looks at, the next call goes on instead of beginning anew.
          const all = (full && full_at_ms < since_ms) || now_ms - full_at_ms >= FULL_EVERY_MS
          return reconcileOne(env, ledger_id, all, now_ms)
        }),
      )),
    )
  }
  return { results, more: due.length > LEDGERS_A_CALL }
}

/** A ledger that does not answer keeps no other from being looked at: not now, and not at the next call. */
async function reconcileOne(
  env: Bindings,
  ledger_id: string,
  full: boolean,
  now_ms: number,
): Promise<ReconcileResult> {
  const ledger = ledgerName(ledger_id)
  try {
    const result = await reconcileLedger(env, ledger, { full, now_ms })
    if (result.kind === 'done') return result
  } catch (error) {
    logError('ledger_not_reconciled', error, { ledger: ledger_id })
  }
  try {
    await postponeReconciliation(ledgerDb(env, ledger.customer_id), ledger_id, now_ms)
  } catch (error) {
    logError('ledger_not_reconciled', error, { ledger: ledger_id })
  }
  return { kind: 'unavailable', ledger_id }
}

/** The cron's share: each ledger once a day. */
export async function reconcileDaily(env: Bindings, now_ms: number): Promise<void> {
  const { results } = await reconcileDue(env, { since_ms: now_ms - CHECK_EVERY_MS, full: false, now_ms })
  const count = (status: string) =>
    results.filter((result) => (result.kind === 'done' ? result.status : 'UNAVAILABLE') === status).length
  if (results.length === 0) return
  logInfo('ledgers_reconciled', {
    ledgers: results.length,
    repaired: count('REPAIRED'),
    different: count('DIFFERENT'),
    unavailable: count('UNAVAILABLE'),
  })
}
