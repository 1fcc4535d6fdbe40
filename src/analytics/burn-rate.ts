import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { readBalance } from '../ledger/client/client.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import type { WalletOwner } from '../ledger/model/vocabulary.ts'
import { subjectNumbers } from '../projection/read/subjects.ts'
import { DAY_MS } from '../time/durations.ts'
import { addSums, noSums } from '../usage/cells/cells.ts'
import { type Rollup, TooManyCells } from '../usage/rollups/read.ts'
import { type Asked, addUsage, readProgress } from './analyse.ts'
import type { Periods } from './forecast.ts'
import { ceilHour, type Filters } from './question.ts'

export interface BurnRateQuestion extends Asked {
  readonly owner: WalletOwner
}

export interface BurnRate {
  readonly kind: 'done'
  readonly periods: Periods
  readonly balance_micro: bigint
  readonly as_of_ms: number
  readonly now_ms: number
}

/**
 * Returns the recent burn and the remaining balance of a customer, user or team. The balance of a user or team is the
 * balance of its own wallet. The balance of a customer is the sum of all wallets, because a customer burns from all of
 * them. Returns a refusal if the ledger refuses the question, or if the question would read too much data.
 */
export async function readBurnRate(
  env: Bindings,
  question: BurnRateQuestion,
  now_ms: number,
): Promise<BurnRate | Refused> {
  const { ledger, caller, owner } = question
  const progress = await readProgress(env, question, owner.kind === 'customer')
  if (progress.kind === 'refused') return progress
  const { rollup, as_of_ms } = progress
  const db = ledgerDb(env, ledger.customer_id)
  let { balance_micro } = progress
  let filters: Filters = {}
  if (owner.kind !== 'customer') {
    const result = await readBalance(env, ledger, { caller, owner })
    if (result.kind === 'refused') return result
    balance_micro = BigInt(result.answer.balance)
    filters = { [owner.kind]: await subjectNumbers(db, ledgerKey(ledger), owner.kind, [owner.id]) }
  }
  try {
    const periods = await burnedInPeriods(db, rollup, filters, now_ms)
    return { kind: 'done', periods, balance_micro, as_of_ms, now_ms }
  } catch (error) {
    if (error instanceof TooManyCells) return TOO_MUCH
    throw error
  }
}

/**
 * The refusal of a question that would read too much data. Even a question about one user can be too large, because a
 * row stores the usage of many users. Such rows are very large if a customer creates a new user id for every session.
 */
const TOO_MUCH: Refused = {
  kind: 'refused',
  refusal: {
    code: 'invalid_request',
    detail:
      'The last 30 days have too much data for one response. Request fewer days with GET /v1/analytics/usage.',
    errors: [{ path: '', message: 'has too much data in the last 30 days' }],
  },
}

/** The start and the end of each period, as a number of days before the end of the current hour. */
const PERIODS: Readonly<Record<keyof Periods, readonly [from_days: number, to_days: number]>> = {
  last_day: [1, 0],
  week_before_last_day: [8, 1],
  last_7_days: [7, 0],
  the_7_days_before: [14, 7],
  last_30_days: [30, 0],
}

async function burnedInPeriods(
  db: D1Database,
  rollup: Rollup | null,
  filters: Filters,
  now_ms: number,
): Promise<Periods> {
  const end_ms = ceilHour(now_ms)
  const sumOf = async (period: keyof Periods) => {
    const [from_days, to_days] = PERIODS[period]
    const sums = noSums()
    const range = {
      from_ms: end_ms - from_days * DAY_MS,
      to_ms: end_ms - to_days * DAY_MS,
      group_by: [],
      filters,
    }
    if (rollup) await addUsage(db, rollup, range, { add: (cell) => addSums(sums, cell) })
    return sums
  }
  const [last_day, week_before_last_day, last_7_days, the_7_days_before, last_30_days] = await Promise.all([
    sumOf('last_day'),
    sumOf('week_before_last_day'),
    sumOf('last_7_days'),
    sumOf('the_7_days_before'),
    sumOf('last_30_days'),
  ])
  return { last_day, week_before_last_day, last_7_days, the_7_days_before, last_30_days }
}
