import type { Measured } from './load-process.ts'
import { SCENARIOS, type ScenarioName } from './scenarios.ts'

/** One round of a scenario against one server. */
export interface Round extends Measured {
  readonly cpu_ms: number
}

/**
 * The name of a compared server: this work tree, the limit Worker, an earlier commit of this project, or the meter on
 * PostgreSQL.
 */
export type Side = 'ours' | 'limit' | 'before' | 'postgres'
export type Rounds = Partial<Readonly<Record<Side, readonly Round[]>>>

interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

interface SideReport {
  /** The number of completed units of work per second. */
  readonly per_second: Spread
  readonly p50_ms: number
  readonly p99_ms: number
  readonly cpu_us_per_request: number
  readonly failures: Readonly<Record<string, number>>
  readonly first_failure?: string
}

export interface ScenarioReport {
  readonly title: string
  readonly sides: Partial<Readonly<Record<Side, SideReport>>>
  /**
   * Our rate divided by the rate of the limit Worker: the median over the rounds, each of which measures one side
   * directly after the other.
   */
  readonly ratio_to_limit: number | null
  readonly ratio_to_before: number | null
  readonly ratio_to_postgres: number | null
}

export function scenarioReport(name: ScenarioName, rounds: Rounds): ScenarioReport {
  const sides: Partial<Record<Side, SideReport>> = {}
  for (const side of ['ours', 'limit', 'before', 'postgres'] as const) {
    const measured = rounds[side]
    if (measured) sides[side] = sideReport(measured)
  }
  return {
    title: SCENARIOS[name].title,
    sides,
    ratio_to_limit: ratio(rounds.ours, rounds.limit),
    ratio_to_before: ratio(rounds.ours, rounds.before),
    ratio_to_postgres: ratio(rounds.ours, rounds.postgres),
  }
}

function sideReport(rounds: readonly Round[]): SideReport {
  const failures: Record<string, number> = {}
  for (const round of rounds) {
    for (const [status, count] of Object.entries(round.failures)) {
      failures[status] = (failures[status] ?? 0) + count
    }
  }
  const first_failure = rounds.find((round) => round.first_failure !== undefined)?.first_failure
  return {
    per_second: spread(rounds.map(rateOf)),
    p50_ms: rounded(median(rounds.map(({ latency_ms }) => latency_ms.p50))),
    p99_ms: rounded(median(rounds.map(({ latency_ms }) => latency_ms.p99))),
    cpu_us_per_request: rounded(median(rounds.map(({ cpu_ms, requests }) => (cpu_ms * 1000) / requests))),
    failures,
    ...(first_failure !== undefined && { first_failure }),
  }
}

function ratio(ours: readonly Round[] = [], others: readonly Round[] = []): number | null {
  const ratios = ours.flatMap((round, i) => {
    const other = others[i]
    return other ? [rateOf(round) / rateOf(other)] : []
  })
  return ratios.length === 0 ? null : rounded(median(ratios))
}

function rateOf({ units, seconds }: Round): number {
  return units / seconds
}

function spread(values: readonly number[]): Spread {
  return {
    median: rounded(median(values)),
    min: rounded(Math.min(...values)),
    max: rounded(Math.max(...values)),
  }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const place = share * sorted.length
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(place) - 1], sorted[Math.floor(place)]]
  return (low + high) / 2
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

/**
 * Returns the report as JSON. `ratios` has our rates divided by the rates of the limit Worker. `cpu_ratios` has our CPU
 * time per request divided by that of the limit Worker.
 */
export function reportJson(settings: object, scenarios: Readonly<Record<string, ScenarioReport>>): string {
  const each = (figure: (report: ScenarioReport) => number | null) =>
    Object.fromEntries(Object.entries(scenarios).map(([name, report]) => [name, figure(report)]))
  const ratios = each(({ ratio_to_limit }) => ratio_to_limit)
  const cpu_ratios = each(({ sides: { ours, limit } }) =>
    ours && limit ? rounded(ours.cpu_us_per_request / limit.cpu_us_per_request) : null,
  )
  return `${JSON.stringify({ ...settings, ratios, cpu_ratios, scenarios }, null, 2)}\n`
}

const COLUMNS = [
  'scenario',
  'ours /s (min-max)',
  'limit /s (min-max)',
  'ours/limit',
  'before /s',
  'ours/before',
  'PG /s',
  'ours/PG',
  'p50 ms (limit, before)',
  'p99 ms',
  'CPU µs/request (limit, before)',
  'not 2xx',
] as const

export function table(reports: Readonly<Record<string, ScenarioReport>>): string {
  const rows = Object.values(reports).map(
    ({ title, sides, ratio_to_limit, ratio_to_before, ratio_to_postgres }) => {
      const { ours, limit, before, postgres } = sides
      return [
        title,
        rate(ours),
        rate(limit),
        String(ratio_to_limit ?? ''),
        before ? before.per_second.median.toLocaleString('en') : '',
        String(ratio_to_before ?? ''),
        postgres ? postgres.per_second.median.toLocaleString('en') : '',
        String(ratio_to_postgres ?? ''),
        figures(sides, 'p50_ms'),
        String(ours?.p99_ms ?? ''),
        figures(sides, 'cpu_us_per_request'),
        Object.entries(ours?.failures ?? {})
          .map(([status, count]) => `${count} × ${status}`)
          .join(', '),
      ]
    },
  )
  return aligned([[...COLUMNS], ...rows])
}

/**
 * Returns the value of this work tree, followed by the values of the limit Worker and of the earlier commit in
 * parentheses.
 */
function figures(
  { ours, limit, before }: ScenarioReport['sides'],
  name: 'p50_ms' | 'cpu_us_per_request',
): string {
  const others = [limit, before].flatMap((side) => (side ? [side[name]] : []))
  return `${ours?.[name] ?? ''} (${others.join(', ')})`
}

function rate(side: SideReport | undefined): string {
  if (!side) return ''
  const [median, min, max] = [side.per_second.median, side.per_second.min, side.per_second.max].map((value) =>
    value.toLocaleString('en'),
  )
  return `${median} (${min}-${max})`
}

/** Returns a Markdown table with aligned columns. */
function aligned([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  )
}
