import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { type AnswerOf, call, type RowOf } from '../api/call.ts'
import { csv, save } from '../api/csv.ts'
import { compare, sum } from '../api/decimal.ts'
import { useApi } from '../api/use-api.ts'
import { Amount } from '../components/amount.tsx'
import { Chart, type Series } from '../components/chart.tsx'
import { Code, firstEvent } from '../components/code.tsx'
import { Input, Select } from '../components/form.tsx'
import { Card, Empty, Page, Show } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { route, setQuery } from '../router.ts'
import { shownKey } from '../session.ts'

type Usage = AnswerOf<'/v1/analytics/usage'>
type Row = RowOf<'/v1/analytics/usage'>

const WINDOWS = ['hour', 'day', 'week', 'month'] as const
const DIMENSIONS = ['feature', 'provider', 'model', 'user', 'team', 'key', 'event_type'] as const
type Window = (typeof WINDOWS)[number]
type Dimension = (typeof DIMENSIONS)[number]
type Group = Window | Dimension
const GROUPS: readonly Group[] = [...WINDOWS, ...DIMENSIONS]
const PLACES = ['Rows by', 'and by', 'and then by'] as const

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 30

export default function UsagePage(): VNode {
  const { query } = route.value
  const from = query.get('from') ?? dayOf(Date.now() - (DEFAULT_DAYS - 1) * DAY_MS)
  const to = query.get('to') ?? dayOf(Date.now())
  const groups = groupsOf(query.get('group_by') ?? 'day')
  const filters = Object.fromEntries(DIMENSIONS.map((name) => [name, query.get(name) ?? undefined]))
  // Stores the groups with the response, so that the old response keeps its headings while the next one loads.
  const loaded = useApi(
    async (signal) => {
      const range = { from: `${from}T00:00:00Z`, to: endOf(to) }
      const asked = { ...range, group_by: groups.join(','), ...listsOf(filters) }
      return { usage: await call('get', '/v1/analytics/usage', { query: asked, signal }), groups }
    },
    [query.toString()],
  )
  const choose = (place: number, group: string) => {
    const chosen = PLACES.map((_, index) => (index === place ? group : (groups[index] ?? '')))
    setQuery({ group_by: [...new Set(chosen)].filter((name) => name !== '').join(',') || 'none' })
  }
  return (
    <Page
      title="Usage"
      lead="Credits, events and provider cost by time, model, feature, user and key."
      actions={
        <button
          type="button"
          class="secondary"
          disabled={!loaded.data || loaded.is_loading}
          onClick={() => loaded.data && save(`usage-${from}-${to}.csv`, csvOf(loaded.data))}
        >
          Download CSV
        </button>
      }
    >
      <Card title="Question">
        <div class="fields">
          <Input
            label="First day (UTC)"
            name="from"
            type="date"
            value={from}
            onValue={(value) => setQuery({ from: value })}
          />
          <Input
            label="Last day (UTC)"
            name="to"
            type="date"
            value={to}
            onValue={(value) => setQuery({ to: value })}
          />
          {PLACES.map((label, place) => (
            <Select
              key={label}
              label={label}
              name={`group-${place}`}
              value={groups[place] ?? ''}
              options={[['', 'nothing'], ...GROUPS.map((group) => [group, nameOf(group)] as const)]}
              onValue={(value) => choose(place, value)}
            />
          ))}
        </div>
        <details open={Object.values(filters).some((value) => value !== undefined)}>
          <summary>Filters</summary>
          <div class="fields filters">
            {DIMENSIONS.map((name) => (
              <Input
                key={name}
                label={nameOf(name)}
                name={name}
                value={filters[name] ?? ''}
                onValue={(value) => setQuery({ [name]: value })}
              />
            ))}
          </div>
        </details>
      </Card>
      <Show from={loaded}>{(answer) => <Answer {...answer} />}</Show>
    </Page>
  )
}

interface Answered {
  readonly usage: Usage
  readonly groups: readonly Group[]
}

function Answer({ usage, groups }: Answered): VNode {
  const [is_all, setAll] = useState(false)
  if (usage.data.length === 0 || usage.totals.events === '0') {
    return (
      <Empty title="No usage in this period">
        <p>Choose other days or fewer filters, or send an event:</p>
        <Code label="The command that sends an event" text={firstEvent(shownKey())} />
      </Empty>
    )
  }
  const { labels, series } = chartOf(usage, groups)
  const rows = is_all ? usage.data : usage.data.slice(0, MOST_ROWS)
  return (
    <>
      <Card title="Credits burned">
        <Chart
          title="Credits burned"
          axis={groups.map(nameOf).join(', ')}
          unit="credits"
          labels={labels}
          series={series}
        />
      </Card>
      <Card title={`${usage.data.length} rows`}>
        <Table
          caption="Usage"
          rows={[...rows, 'total' as const]}
          rowKey={(_, index) => String(index)}
          columns={[
            ...groups.map((group, index) => ({
              title: nameOf(group),
              cell: (row: Row | 'total') =>
                row === 'total' ? index === 0 && <strong>Total</strong> : textOf(row, group),
            })),
            { title: 'Events', numeric: true, cell: (row) => <Amount value={of(row, usage).events} /> },
            { title: 'Credits', numeric: true, cell: (row) => <Amount value={of(row, usage).credits} /> },
            {
              title: 'Provider cost (USD)',
              numeric: true,
              cell: (row) => <Amount value={of(row, usage).provider_cost_usd} />,
            },
            {
              title: 'Units',
              cell: (row) =>
                Object.entries(of(row, usage).units).map(([unit, quantity]) => (
                  <div key={unit}>
                    <Amount value={quantity} /> <span class="quiet">{unit}</span>
                  </div>
                )),
            },
          ]}
        />
        {rows.length < usage.data.length && (
          <button type="button" class="secondary" onClick={() => setAll(true)}>
            Show all {usage.data.length} rows
          </button>
        )}
        <p class="quiet">
          All events acknowledged before <time dateTime={usage.as_of}>{usage.as_of}</time> are counted.
        </p>
      </Card>
    </>
  )
}

function of(row: Row | 'total', usage: Usage): Usage['totals'] {
  return row === 'total' ? usage.totals : row
}

/** The maximum number of rows shown at first, because more rows make the page slow. The total includes all rows. */
const MOST_ROWS = 100
/**
 * The maximum number of series that are shown separately. All other series are summed; a single other series is shown
 * instead of a sum.
 */
const MOST_SERIES = 5
const MOST_BARS = 30

/**
 * Returns the bars of the chart. Usage grouped by time has a bar for each window, and a series for each combination
 * of the other groups. Other usage has a bar for each of its largest rows.
 */
function chartOf(usage: Usage, groups: readonly Group[]): { labels: string[]; series: Series[] } {
  const window = groups.find(isWindow)
  if (window === undefined) {
    const rows = usage.data.toSorted((a, b) => compare(b.credits, a.credits)).slice(0, MOST_BARS)
    const labels = rows.map(
      (row, index) => groups.map((group) => textOf(row, group)).join(' · ') || String(index + 1),
    )
    return { labels, series: [{ name: 'Credits', values: rows.map(({ credits }) => credits) }] }
  }
  const others = groups.filter((group) => group !== window)
  const nameOfRow = (row: Row) => others.map((group) => textOf(row, group)).join(' · ')
  const by_name = [...Map.groupBy(usage.data, nameOfRow)]
    .map(([name, rows]) => ({ name, rows, total: sum(rows.map(({ credits }) => credits)) }))
    .toSorted((a, b) => compare(b.total, a.total))
  const shown = by_name.slice(0, by_name.length > MOST_SERIES + 1 ? MOST_SERIES : MOST_SERIES + 1)
  const rest = by_name.slice(shown.length).flatMap(({ rows }) => rows)
  const times = timesOf(usage, window)
  const seriesOf = (name: string, rows: readonly Row[]): Series => {
    const at = Map.groupBy(rows, ({ group }) => group[window])
    return { name, values: times.map((time) => sum((at.get(time) ?? []).map(({ credits }) => credits))) }
  }
  return {
    labels: times.map((time) => labelOf(time, window)),
    series: [
      ...shown.map(({ name, rows }) => seriesOf(name === '' ? 'Credits' : name, rows)),
      ...(rest.length > 0 ? [seriesOf('All others', rest)] : []),
    ],
  }
}

/** Returns the starts of the time windows in order. Adds hours and days without usage, but not weeks and months. */
function timesOf({ data, from, to }: Usage, window: Window): string[] {
  if (window === 'week' || window === 'month') {
    return [...new Set(data.flatMap(({ group }) => group[window] ?? []))].toSorted()
  }
  const step_ms = window === 'hour' ? 3_600_000 : DAY_MS
  const begin_ms = Math.floor(Date.parse(from) / step_ms) * step_ms
  const times: string[] = []
  for (let at_ms = begin_ms; at_ms < Date.parse(to); at_ms += step_ms)
    times.push(new Date(at_ms).toISOString())
  return times
}

function labelOf(time: string, window: Window): string {
  const options: Intl.DateTimeFormatOptions =
    window === 'month' ? { month: 'short', year: 'numeric' } : { day: 'numeric', month: 'short' }
  const hour = window === 'hour' ? ({ hour: '2-digit', minute: '2-digit' } as const) : {}
  return new Date(time).toLocaleString(undefined, { ...options, ...hour, timeZone: 'UTC' })
}

function textOf({ group }: Row, name: Group): string {
  const value = group[name]
  if (value === undefined || value === null) return `no ${nameOf(name).toLowerCase()}`
  return isWindow(name) ? labelOf(value, name) : value
}

function isWindow(group: Group): group is Window {
  return WINDOWS.some((window) => window === group)
}

function nameOf(group: Group): string {
  if (group === 'key') return 'API key'
  if (group === 'event_type') return 'Event type'
  return group.charAt(0).toUpperCase() + group.slice(1)
}

function groupsOf(text: string): Group[] {
  const asked = text.split(',')
  return GROUPS.filter((group) => asked.includes(group)).toSorted(
    (a, b) => asked.indexOf(a) - asked.indexOf(b),
  )
}

/** Returns each filter as a list with one value, because the API accepts lists. */
function listsOf(filters: Readonly<Record<string, string | undefined>>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(filters).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value]]])),
  )
}

function dayOf(at_ms: number): string {
  return new Date(at_ms).toISOString().slice(0, 10)
}

/** Returns the end of a day. Returns an invalid date unchanged, so that the API reports it. */
function endOf(day: string): string {
  const at_ms = Date.parse(`${day}T00:00:00Z`)
  return Number.isNaN(at_ms) ? day : new Date(at_ms + DAY_MS).toISOString()
}

function csvOf({ usage: { data }, groups }: Answered): Blob {
  const units = [...new Set(data.flatMap((row) => Object.keys(row.units)))].toSorted()
  return csv(
    [...groups, 'events', 'credits', 'provider_cost_usd', ...units],
    data.map((row) => [
      ...groups.map((group) => row.group[group] ?? ''),
      row.events,
      row.credits,
      row.provider_cost_usd,
      ...units.map((unit) => row.units[unit] ?? '0'),
    ]),
  )
}
