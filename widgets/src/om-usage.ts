import { h, svg } from './dom.ts'
import { define, OmElement } from './element.ts'
import { isZero, type Json, listOf, objectOf, textOf } from './exact.ts'

const DEFAULT_DAYS = 30
/** The maximum number of days. The API's limit is lower for usage by hour, and far higher for usage by day. */
const MAX_DAYS = 92
const MINUTES_AN_HOUR = 60
const CHART = { width: 600, height: 96, gap: 0.2 }

interface Day {
  readonly start: Date
  readonly credits: string
  readonly events: string
}

/** `<om-usage>`: the credits that the token's user or team used, by day, as a chart with a table. */
class OmUsage extends OmElement {
  static override readonly observedAttributes = [...OmElement.observedAttributes, 'days']

  protected readonly default_label = 'usage'
  protected readonly default_seconds = 60

  /** The table stays open when the numbers change. */
  private readonly table = h('details', { part: 'table' })

  protected resource() {
    const { days } = this
    return { name: `usage ${days}`, path: () => pathOf(days) }
  }

  protected override labelValues() {
    return { days: this.number(`${this.days}`) }
  }

  protected show(body: Json): void {
    const { totals, data } = objectOf(body)
    const total = this.number(textOf(objectOf(totals).credits))
    const days = daysOf(listOf(data), this.days)
    const is_empty = days.every(({ events, credits }) => isZero(events) && isZero(credits))
    this.fill(
      h('p', { class: 'amount', part: 'amount' }, total),
      ...(is_empty ? [h('p', { class: 'note' }, this.text('no_usage'))] : this.chart(days, total)),
    )
    this.announce(is_empty ? this.text('no_usage') : this.text('announced', { amount: total }))
  }

  private get days(): number {
    const wanted = Math.trunc(Number(this.getAttribute('days') ?? DEFAULT_DAYS))
    return Math.min(MAX_DAYS, Math.max(1, wanted || DEFAULT_DAYS))
  }

  private chart(days: readonly Day[], total: string): Element[] {
    const label = `${this.text('usage', this.labelValues())}: ${total}`
    // Heights are in pixels, so these numbers need not be exact.
    const most = Math.max(...days.map(({ credits }) => Number(credits)))
    const width = CHART.width / days.length
    const bars = days.map(({ start, credits }, index) => {
      const value = most > 0 ? Number(credits) / most : 0
      const height = isZero(credits) ? 0 : Math.max(1, value * CHART.height)
      const box = {
        x: `${index * width}`,
        y: `${CHART.height - height}`,
        width: `${width * (1 - CHART.gap)}`,
        height: `${height}`,
      }
      const tip = `${this.day(start)}: ${this.text('announced', { amount: this.number(credits) })}`
      return svg('rect', { class: 'bar', ...box }, svg('title', {}, tip))
    })
    const base = {
      class: 'base',
      x1: '0',
      x2: `${CHART.width}`,
      y1: `${CHART.height}`,
      y2: `${CHART.height}`,
    }
    const box = { viewBox: `0 0 ${CHART.width} ${CHART.height}`, preserveAspectRatio: 'none' }
    const image = svg(
      'svg',
      { ...box, role: 'img', 'aria-label': label, part: 'chart' },
      ...bars,
      svg('line', base),
    )
    const ends = [days[0], days.at(-1)].map((day) => h('span', {}, day ? this.day(day.start) : ''))
    this.table.replaceChildren(h('summary', {}, this.text('as_table')), this.rows(days, label))
    return [image, h('div', { class: 'ends', 'aria-hidden': 'true' }, ...ends), this.table]
  }

  private rows(days: readonly Day[], caption: string): HTMLElement {
    const heads = (['day', 'events', 'credits'] as const).map((name) =>
      h('th', { scope: 'col' }, this.text(name)),
    )
    const rows = days.map(({ start, events, credits }) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, this.day(start)),
        ...[events, credits].map((number) => h('td', {}, this.number(number))),
      ),
    )
    return h(
      'table',
      {},
      h('caption', {}, caption),
      h('thead', {}, h('tr', {}, ...heads)),
      h('tbody', {}, ...rows),
    )
  }

  private day(start: Date): string {
    const options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' }
    return this.date(start, isUtc() ? { ...options, timeZone: 'UTC' } : options)
  }
}

/**
 * Uses the days of the browser's time zone. Uses the days of UTC in a zone whose offset is not whole hours, because the
 * API cannot group by such a zone.
 */
function isUtc(): boolean {
  const now = new Date()
  const half_a_year_ago = new Date(now.getFullYear(), now.getMonth() - 6, 1)
  return [now, half_a_year_ago].some((time) => time.getTimezoneOffset() % MINUTES_AN_HOUR !== 0)
}

/** The beginnings of the last days, today's last. */
function startsOf(days: number): Date[] {
  const now = new Date()
  return Array.from({ length: days }, (_, index) => {
    const ago = days - 1 - index
    return isUtc()
      ? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - ago))
      : new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago)
  })
}

function pathOf(days: number): string {
  const [from] = startsOf(days)
  const time_zone = isUtc() ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone
  const query = new URLSearchParams({ group_by: 'day', time_zone, from: (from ?? new Date()).toISOString() })
  return `/v1/analytics/usage?${query}`
}

/** Returns every day of the range, including days without usage, which the API omits. */
function daysOf(rows: readonly Json[], days: number): Day[] {
  const known = new Map(
    rows.map(objectOf).map((row) => [Date.parse(textOf(objectOf(row.group).day)), row] as const),
  )
  return startsOf(days).map((start) => {
    const row = known.get(start.getTime())
    return { start, credits: textOf(row?.credits) || '0', events: textOf(row?.events) || '0' }
  })
}

define('om-usage', OmUsage)
