import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { timeJson } from '../http/input/times.ts'
import { invalid, type Refused } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { recordedProvider } from '../pricing/catalogue/provider-name.ts'
import { subjectNumbers } from '../projection/read/subjects.ts'
import { DAY_MS } from '../time/durations.ts'
import { firstKeptDay } from '../usage/rollups/upkeep.ts'
import {
  ceilHour,
  DEFAULT_RANGE_MS,
  floorHour,
  keyProblem,
  type Question,
  rangeProblem,
  zoneProblem,
} from './question.ts'
import type { AnalyticsQuery } from './schema.ts'

/**
 * Converts an API query to a question for the rollups. Rounds times to whole hours. Replaces provider names with the
 * names in the records, and user and team ids with subject numbers. Returns a refusal if the query is not valid.
 */
export async function readQuestion(
  env: Bindings,
  ledger: LedgerName,
  query: AnalyticsQuery,
  now_ms: number,
): Promise<({ readonly kind: 'question' } & Question) | Refused> {
  const to_ms = ceilHour(query.to ?? now_ms)
  const from_ms = floorHour(query.from ?? to_ms - DEFAULT_RANGE_MS)
  const { feature, provider, model, event_type } = query
  const keys = query.key || query.key_id ? [...(query.key ?? []), ...(query.key_id ?? [])] : undefined
  const question: Question = {
    from_ms,
    to_ms,
    group_by: query.group_by ?? [],
    zone: query.time_zone,
    filters: {
      ...(feature && { feature: new Set(feature) }),
      ...(provider && { provider: new Set(provider.map(recordedProvider)) }),
      ...(model && { model: new Set(model) }),
      ...(event_type && { event_type: new Set(event_type) }),
      ...(keys && { key: new Set(keys) }),
    },
  }
  // Compares the times of the query before rounding. After rounding, a reversed range within one hour would look valid.
  const reversed = query.from !== undefined && query.from >= (query.to ?? now_ms)
  const problem = reversed
    ? { field: 'from', message: 'must be before to' }
    : (rangeProblem(withSubjects(question, query)) ??
      keyProblem(withSubjects(question, query)) ??
      forgottenProblem(env, from_ms, now_ms) ??
      zoneProblem(question))
  if (problem) {
    const { field, message } = problem
    return { kind: 'refused', refusal: invalid([{ path: `/${field}`, message }], 'query') }
  }
  const user = query.user && (await numbersOf(env, ledger, 'user', query.user))
  const team = query.team && (await numbersOf(env, ledger, 'team', query.team))
  const filters = { ...question.filters, ...(user && { user }), ...(team && { team }) }
  return { kind: 'question', ...question, filters }
}

/** Returns an error if the range includes deleted days, because its sums would be too small; otherwise undefined. */
function forgottenProblem(
  env: Bindings,
  from_ms: number,
  now_ms: number,
): { readonly field: 'from'; readonly message: string } | undefined {
  const kept_from_ms = firstKeptDay(configOf(env).rollup_retention_days, now_ms) * DAY_MS
  if (from_ms >= kept_from_ms) return undefined
  return { field: 'from', message: `must not be before ${timeJson(kept_from_ms)}: older days are deleted` }
}

/**
 * Returns the question with an empty set for each user or team filter of the query. The checks need to know only which
 * filters exist, so they can run before the subject numbers are read.
 */
function withSubjects(question: Question, { user, team }: AnalyticsQuery): Question {
  const subjects = { ...(user && { user: new Set<number>() }), ...(team && { team: new Set<number>() }) }
  return { ...question, filters: { ...question.filters, ...subjects } }
}

/**
 * Returns the subject numbers of users or teams. Omits ids that are not in D1, because they have no usage in the
 * rollups.
 */
function numbersOf(
  env: Bindings,
  ledger: LedgerName,
  kind: 'user' | 'team',
  ids: readonly string[],
): Promise<ReadonlySet<number>> {
  return subjectNumbers(ledgerDb(env, ledger.customer_id), ledgerKey(ledger), kind, ids)
}
