import type { Bindings } from '../../bindings.ts'
import { BudgetSpent } from '../../cron/budget.ts'
import { readPlace, writePlace } from '../../cron/run-jobs.ts'
import { ledgerDb, ledgerName } from '../../db/ledger-db.ts'
import { logError, logInfo, logWarning } from '../../logging/log.ts'
import { DAY_MS } from '../../time/durations.ts'
import { type ReconcileResult, reconcileLedger } from './reconcile.ts'
import { postponeReconciliation } from './store.ts'

/** The maximum number of ledgers that one call checks. `AT_ONCE` of them are checked concurrently. */
export const LEDGERS_A_CALL = 40
const AT_ONCE = 4

/**
 * The interval at which all pages of a ledger are checked. The daily checks between these full checks read only new
 * pages, unless the last check found a difference that could not be repaired.
 */
const FULL_EVERY_MS = 28 * DAY_MS
const CHECK_EVERY_MS = DAY_MS

const LEDGERS_A_READ = 2_000
/** The maximum number of reads in one search for due ledgers. */
const MAX_READS = 20

// Reads ledgers in the order of the primary key, and returns for each whether its check is due. The statement reads 2
// rows for each ledger.
const DUE = `
  SELECT l.ledger_id, coalesce(r.full_at_ms, 0) AS full_at_ms,
    coalesce(r.checked_at_ms, 0) < ?2 OR (r.status = 'CHECKING' AND r.checked_at_ms < ?3) AS is_due
  FROM ledgers AS l LEFT JOIN reconciliations AS r ON r.ledger_id = l.ledger_id
  WHERE l.ledger_id > ?1 ORDER BY l.ledger_id LIMIT ${LEDGERS_A_READ}`

interface Ledger {
  readonly ledger_id: string
  readonly full_at_ms: number
  readonly is_due: number
}

export interface ReconciledLedgers {
  readonly results: readonly ReconcileResult[]
  /** True if a check is not complete, or if the check of more ledgers can be due. */
  readonly more: boolean
}

interface Options {
  /**
   * The start of the current round of checks. A ledger that was checked after this time is due only if its check is
   * incomplete.
   */
  readonly since_ms: number
  /** True to check every page. */
  readonly full: boolean
  readonly now_ms: number
}

/**
 * The name under which the id of the last checked ledger is stored. Every call continues after this ledger, even a call
 * by an operator.
 */
const JOB = 'reconciliation'

/**
 * Reconciles ledgers whose check is due. Begins after the ledger where the last call ended. After the last ledger,
 * continues with the first ledger, so that every ledger is checked in turn.
 */
export async function reconcileDue(env: Bindings, options: Options): Promise<ReconciledLedgers> {
  const { full, now_ms } = options
  const { due, end } = await dueLedgers(env.DB, options, await readPlace(env.DB, JOB))
  const ledgers = due.slice(0, LEDGERS_A_CALL)
  const results: ReconcileResult[] = []
  for (let i = 0; i < ledgers.length; i += AT_ONCE) {
    const some = ledgers.slice(i, i + AT_ONCE)
    results.push(
      ...(await Promise.all(
        some.map(({ ledger_id, full_at_ms }) => {
          const all = full || now_ms - full_at_ms >= FULL_EVERY_MS
          return reconcileOne(env, ledger_id, all, now_ms)
        }),
      )),
    )
    await writePlace(env.DB, JOB, some.at(-1)?.ledger_id ?? '')
  }
  if (due.length <= LEDGERS_A_CALL && end !== undefined) await writePlace(env.DB, JOB, end)
  const is_incomplete = results.some((result) => result.kind === 'done' && result.more)
  return { results, more: is_incomplete || due.length > LEDGERS_A_CALL || end !== undefined }
}

/**
 * Returns ledgers whose check is due. Stops when it has found more ledgers than one call checks, or when it has
 * searched all ledgers. Also stops after `MAX_READS` reads. In this case only, `end` is the ledger after which the next
 * call continues.
 */
async function dueLedgers(
  db: D1Database,
  { since_ms, now_ms }: Options,
  after: string,
): Promise<{ readonly due: readonly Ledger[]; readonly end: string | undefined }> {
  const due: Ledger[] = []
  let place = after
  let wrapped = after === ''
  for (let read = 0; read < MAX_READS; read++) {
    const { results } = await db.prepare(DUE).bind(place, since_ms, now_ms).all<Ledger>()
    const own = wrapped && after !== '' ? results.filter(({ ledger_id }) => ledger_id <= after) : results
    due.push(...own.filter(({ is_due }) => is_due === 1))
    if (due.length > LEDGERS_A_CALL) return { due, end: undefined }
    if (results.length < LEDGERS_A_READ || own.length < results.length) {
      if (wrapped) return { due, end: undefined }
      wrapped = true
      place = ''
    } else place = results.at(-1)?.ledger_id ?? ''
  }
  return { due, end: place }
}

/**
 * Reconciles one ledger. If the ledger is unavailable, postpones its check, so that it does not delay the checks of
 * other ledgers.
 */
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
    logWarning('ledger_not_reconciled', { ledger: ledger_id, code: result.kind })
  } catch (error) {
    if (error instanceof BudgetSpent) throw error
    logError('ledger_not_reconciled', error, { ledger: ledger_id })
  }
  try {
    await postponeReconciliation(ledgerDb(env, ledger.customer_id), ledger_id, now_ms)
  } catch (error) {
    if (error instanceof BudgetSpent) throw error
    logError('ledger_not_reconciled', error, { ledger: ledger_id })
  }
  return { kind: 'unavailable', ledger_id }
}

/**
 * Reconciles the ledgers that were not checked in the last day or whose check is incomplete, at most `LEDGERS_A_CALL`
 * of them. A scheduled job calls this function.
 */
export async function reconcileDaily(env: Bindings, now_ms: number): Promise<void> {
  const since_ms = now_ms - CHECK_EVERY_MS
  const { results } = await reconcileDue(env, { since_ms, full: false, now_ms })
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
