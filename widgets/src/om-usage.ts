import { h, name, svg } from './dom.ts'
import { define, OmElement } from './element.ts'
import { isZero, type Json, type JsonObject, listOf, objectOf, textOf } from './exact.ts'

const DEFAULT_DAYS = 30
/** The maximum number of days shown. The API allows no more days if usage is filtered by user. */
const MAX_DAYS = 92
/** The maximum number of models shown. The total includes all models. */
const MAX_MODELS = 50
const MINUTES_AN_HOUR = 60
const CHART = { width: 600, height: 96, gap: 0.2 }

interface Day {
  readonly start: Date
  readonly credits: string
  readonly events: string
}

interface Row {
  readonly head: readonly (Node | string)[]
  /** The numbers of the row, with the digits that the API returns. */
  readonly cells: readonly string[]
}

interface OfModel {
  readonly model: string
  readonly credits: string
  readonly events: string
}

/**
 * The element `<om-usage>`, which shows the credits that the token's user or team used. It shows a chart and a table by
 * day, or with `by="model"` a table with a bar for each model.
 */
class OmUsage extends OmElement {
  static override readonly observedAttributes = [...OmElement.observedAttributes, 'days', 'by']

  protected readonly default_label = 'usage'
  protected readonly default_seconds = 60

  /** The table by day. This element is kept when the numbers change, so that an open table stays open. */
  private readonly table = h('details', { part: 'table' })

  protected resource() {
    const { days, is_by_model } = this
    const group = is_by_model ? 'model' : 'day'
    return { name: `usage ${days} ${group}`, path: () => pathOf(days, group) }
  }

  protected override labelValues() {
    return { days: this.number(`${this.days}`) }
  }

  protected show(body: Json): void {
    const { totals, data } = objectOf(body)
    const total = this.number(textOf(objectOf(totals).credits))
    const rows = listOf(data)
    const is_empty = rows.every((row) => !isUsed(objectOf(row)))
    const shown = () =>
      this.is_by_model ? [this.models(rows, total)] : this.chart(daysOf(rows, this.days), total)
    this.fill(
      h('p', { class: 'amount', part: 'amount' }, total),
      ...(is_empty ? [h('p', { class: 'note' }, this.text('no_usage'))] : shown()),
    )
    this.announce(is_empty ? this.text('no_usage') : this.text('announced', { amount: total }))
  }

  private get days(): number {
    const wanted = Math.trunc(Number(this.getAttribute('days') ?? DEFAULT_DAYS))
    return Math.min(MAX_DAYS, Math.max(1, wanted || DEFAULT_DAYS))
  }

  private get is_by_model(): boolean {
    return this.getAttribute('by') === 'model'
  }

  /** Returns the table by model. Sorts and draws with rounded numbers, but shows exact amounts. */
  private models(rows: readonly Json[], total: string): HTMLElement {
    const models = rows
      .map((row) => modelOf(objectOf(row)))
      .sort((a, b) => Number(b.credits) - Number(a.credits))
      .slice(0, MAX_MODELS)
    const most = Math.max(...models.map(({ credits }) => Number(credits)))
    const bar = (credits: string) => {
      const width = most > 0 ? `${Math.max(0, Number(credits) / most) * 100}` : '0'
      const box = { viewBox: '0 0 100 1', preserveAspectRatio: 'none', class: 'share', 'aria-hidden': 'true' }
      return svg('svg', box, svg('rect', { class: 'bar', width, height: '1' }))
    }
    const of = models.map(({ model, events, credits }) => ({
      head: [name(model || this.text('no_model')), bar(credits)],
      cells: [events, credits],
    }))
    const caption = `${this.text('usage', this.labelValues())}: ${total}`
    return this.tableOf('model', of, h('caption', { class: 'unseen' }, caption))
  }

  private chart(days: readonly Day[], total: string): Element[] {
    const label = `${this.text('usage', this.labelValues())}: ${total}`
    // Rounded numbers are exact enough for the heights of the bars.
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
    const of = days.map(({ start, events, credits }) => ({
      head: [this.day(start)],
      cells: [events, credits],
    }))
    return this.tableOf('day', of, h('caption', {}, caption))
  }

  private tableOf(first: 'day' | 'model', rows: readonly Row[], caption: HTMLElement): HTMLElement {
    const heads = ([first, 'events', 'credits'] as const).map((label) =>
      h('th', { scope: 'col' }, this.text(label)),
    )
    const body = rows.map(({ head, cells }) =>
      h('tr', {}, h('th', { scope: 'row' }, ...head), ...cells.map((cell) => h('td', {}, this.number(cell)))),
    )
    return h('table', {}, caption, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...body))
  }

  private day(start: Date): string {
    const options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' }
    return this.date(start, isUtc() ? { ...options, timeZone: 'UTC' } : options)
  }
}

/**
 * Reports whether days are UTC days instead of days of the browser's time zone. This is true if the offset of the
 * browser's time zone is not a number of whole hours, because the API groups only by whole hours.
 */
function isUtc(): boolean {
  const now = new Date()
  const half_a_year_ago = new Date(now.getFullYear(), now.getMonth() - 6, 1)
  return [now, half_a_year_ago].some((time) => time.getTimezoneOffset() % MINUTES_AN_HOUR !== 0)
}

/** Returns the start times of the last `days` days in order. The last one is the start of today. */
function startsOf(days: number): Date[] {
  const now = new Date()
  return Array.from({ length: days }, (_, index) => {
    const ago = days - 1 - index
    return isUtc()
      ? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - ago))
      : new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago)
  })
}

function pathOf(days: number, group_by: 'day' | 'model'): string {
  const [from] = startsOf(days)
  const time_zone = isUtc() ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone
  const query = new URLSearchParams({ group_by, time_zone, from: (from ?? new Date()).toISOString() })
  return `/v1/analytics/usage?${query}`
}

function modelOf({ group, credits, events }: JsonObject): OfModel {
  return {
    model: textOf(objectOf(group).model),
    credits: textOf(credits) || '0',
    events: textOf(events) || '0',
  }
}

function isUsed({ credits, events }: JsonObject): boolean {
  return [credits, events].some((number) => !isZero(textOf(number) || '0'))
}

/** Returns all days of the range. The API omits days without usage; this function adds them. */
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
