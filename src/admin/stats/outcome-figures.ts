import { PROBLEMS } from '../../http/output/problem-codes.ts'

/** A row of the D1 table `outcome_counts`: the count of one outcome in one hour. */
export interface OutcomeRow {
  readonly hour_ms: number
  readonly outcome: string
  readonly count: number
}

export interface Outcomes {
  readonly requests: number
  /**
   * The number of requests by status class (`2xx`, `4xx`, `5xx`), and by the individual statuses 402, 409 and 429. The
   * class `4xx` includes the individual statuses. Each success counts as `2xx`.
   */
  readonly statuses: Readonly<Record<StatusFigure, number>>
  /** The number of refused or failed requests, by problem code. */
  readonly codes: Readonly<Record<string, number>>
  /** The number of requests that got a stored response. */
  readonly replayed: number
  /** The number of events that were rejected although their batch got a 200 response, by problem code. */
  readonly rejected_events: Readonly<Record<string, number>>
  /** The number of successful write requests, without replays. */
  readonly changes: number
  /** The number of ingested events, without replays. */
  readonly events: number
}

export interface HourOfOutcomes extends Outcomes {
  readonly hour_ms: number
}

export const STATUS_FIGURES = ['2xx', '4xx', '402', '409', '429', '5xx'] as const
type StatusFigure = (typeof STATUS_FIGURES)[number]

const BY_ITSELF: readonly StatusFigure[] = ['402', '409', '429']
const EVENT = 'event:'
const CHANGES = 'work:changes'
const EVENTS = 'work:events'

/** Returns the sums of each hour. The hours have the order of the rows. */
export function outcomesByHour(rows: readonly OutcomeRow[]): HourOfOutcomes[] {
  const hours = Map.groupBy(rows, ({ hour_ms }) => hour_ms)
  return [...hours].map(([hour_ms, of_hour]) => ({ hour_ms, ...sumOutcomes(of_hour) }))
}

/** Returns the sums over all hours. */
export function allHours(hours: readonly HourOfOutcomes[]): Outcomes {
  const statuses = { ...NO_STATUSES }
  const codes: Record<string, number> = {}
  const rejected_events: Record<string, number> = {}
  for (const hour of hours) {
    for (const figure of STATUS_FIGURES) statuses[figure] += hour.statuses[figure]
    addTo(codes, hour.codes)
    addTo(rejected_events, hour.rejected_events)
  }
  const sum = (of: (hour: HourOfOutcomes) => number) => hours.reduce((total, hour) => total + of(hour), 0)
  return {
    requests: sum(({ requests }) => requests),
    statuses,
    codes,
    replayed: sum(({ replayed }) => replayed),
    rejected_events,
    changes: sum(({ changes }) => changes),
    events: sum(({ events }) => events),
  }
}

const NO_STATUSES: Readonly<Record<StatusFigure, number>> = Object.freeze({
  '2xx': 0,
  '4xx': 0,
  '402': 0,
  '409': 0,
  '429': 0,
  '5xx': 0,
})

function sumOutcomes(rows: readonly OutcomeRow[]): Outcomes {
  const statuses = { ...NO_STATUSES }
  const codes: Record<string, number> = {}
  const rejected_events: Record<string, number> = {}
  let requests = 0
  let replayed = 0
  let changes = 0
  let events = 0
  for (const { outcome, count } of rows) {
    if (outcome === CHANGES || outcome === EVENTS) {
      if (outcome === CHANGES) changes += count
      else events += count
      continue
    }
    if (outcome.startsWith(EVENT)) {
      addTo(rejected_events, { [outcome.slice(EVENT.length)]: count })
      continue
    }
    requests += count
    if (outcome === 'replayed') replayed += count
    const status = statusOf(outcome)
    if (status === undefined) statuses['2xx'] += count
    else {
      addTo(codes, { [outcome]: count })
      statuses[status >= 500 ? '5xx' : '4xx'] += count
      for (const figure of BY_ITSELF) if (String(status) === figure) statuses[figure] += count
    }
  }
  return { requests, statuses, codes, replayed, rejected_events, changes, events }
}

/**
 * Returns the HTTP status of an outcome that is a problem; undefined for a success. An unknown code, which another
 * version of the Worker defines, counts as 400.
 */
function statusOf(outcome: string): number | undefined {
  if (outcome === 'ok' || outcome === 'replayed') return undefined
  const problems: Readonly<Record<string, { readonly status: number } | undefined>> = PROBLEMS
  return problems[outcome]?.status ?? 400
}

function addTo(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count
}
