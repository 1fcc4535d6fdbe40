import { DAY_MS, HOUR_MS } from './durations.ts'
import { type BoundedWindow, type CalendarPeriod, windowOf } from './windows.ts'

/** The default time zone of windows. */
export const UTC = 'UTC'

// The form of a zone's name. It excludes offsets, which `Intl` also accepts. Offsets have no daylight saving time,
// and some contain minutes.
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/
const MAX_NAME = 64

/** The maximum number of zones in memory. The creation of a zone takes about as long as the rating of an event. */
const MAX_KNOWN = 64
const known = new Map<string, TimeZone>()

/** Returns the IANA time zone of this name; undefined if no zone has this name. */
export function timeZoneOf(name: string): TimeZone | undefined {
  const zone = known.get(name)
  if (zone) return zone
  if (name.length > MAX_NAME || !NAME.test(name)) return undefined
  try {
    const made = new TimeZone(name)
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(name, made)
    return made
  } catch {
    return undefined
  }
}

const PERIODS = { day: 'DAILY', week: 'WEEKLY', month: 'MONTHLY' } as const

/** The maximum number of windows that a zone caches. It caches the last window of each period and anchor. */
const MAX_WINDOWS = 256

/** The hours, days, weeks (from Monday) and months of a time zone, with its daylight saving time. */
export class TimeZone {
  readonly name: string
  private readonly format: Intl.DateTimeFormat
  private readonly windows = new Map<string, BoundedWindow>()

  /** Creates a time zone. Throws a `RangeError` for an unknown name. */
  constructor(name: string) {
    this.name = name
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  /** Returns local time minus UTC in milliseconds. `at_ms` must be a whole second. */
  offsetAt(at_ms: number): number {
    const fields = new Map(this.format.formatToParts(at_ms).map(({ type, value }) => [type, Number(value)]))
    const field = (type: Intl.DateTimeFormatPartTypes) => fields.get(type) ?? 0
    const day_ms = Date.UTC(field('year'), field('month') - 1, field('day'))
    return day_ms + field('hour') * HOUR_MS + field('minute') * 60_000 + field('second') * 1_000 - at_ms
  }

  /** Returns the first offset in a range that is not a whole number of hours; undefined if there is none. */
  partialHourOffset(from_ms: number, to_ms: number): number | undefined {
    for (let at_ms = from_ms; at_ms < to_ms + DAY_MS; at_ms += DAY_MS) {
      const offset_ms = this.offsetAt(Math.min(at_ms, to_ms))
      if (offset_ms % HOUR_MS !== 0) return offset_ms
    }
    return undefined
  }

  /** Returns the start of the local day, week or month that contains a whole hour. */
  startOf(period: keyof typeof PERIODS, hour_ms: number): number {
    return this.windowOf(PERIODS[period], null, hour_ms).start_ms
  }

  /**
   * Returns the window of a period that contains a time, by local clocks. Windows begin at the local midnight or full
   * hour, or at the local time of the anchor. A window is longer or shorter if clocks change in it: a day then has 23
   * or 25 hours, and a local hour that occurs twice is one window. The windows of a zone follow each other without
   * gap or overlap.
   */
  windowOf(period: CalendarPeriod, anchor_ms: number | null, at_ms: number): BoundedWindow {
    const key = `${period} ${anchor_ms}`
    const last = this.windows.get(key)
    if (last && last.start_ms <= at_ms && at_ms < last.end_ms) return last
    const local_anchor_ms = anchor_ms === null ? null : this.localTimeAt(anchor_ms)
    let local = windowOf(period, local_anchor_ms, this.localTimeAt(at_ms))
    let window = this.between(local)
    // If clocks are set back over the start of a window, they show times of the previous window again.
    while (window.end_ms <= at_ms) {
      local = windowOf(period, local_anchor_ms, local.end_ms)
      window = this.between(local)
    }
    // If clocks skip the start of a window, they show times of that window too early.
    while (window.start_ms > at_ms) {
      local = windowOf(period, local_anchor_ms, local.start_ms - 1)
      window = this.between(local)
    }
    if (this.windows.size >= MAX_WINDOWS) this.windows.clear()
    this.windows.set(key, window)
    return window
  }

  private between({ start_ms, end_ms }: BoundedWindow): BoundedWindow {
    return { start_ms: this.momentOf(start_ms), end_ms: this.momentOf(end_ms) }
  }

  /** Returns the time that local clocks show, as if it were UTC. */
  private localTimeAt(at_ms: number): number {
    return at_ms + this.offsetAt(Math.floor(at_ms / 1_000) * 1_000)
  }

  /** Returns the first time at which local clocks show a local time, or a later time if they skip it. */
  private momentOf(local_ms: number): number {
    const second_ms = Math.floor(local_ms / 1_000) * 1_000
    const offsets = [this.offsetAt(second_ms - DAY_MS), this.offsetAt(second_ms + DAY_MS)]
    const early_ms = local_ms - Math.max(...offsets)
    return this.localTimeAt(early_ms) >= local_ms ? early_ms : local_ms - Math.min(...offsets)
  }
}

/** Returns an offset in the form `+05:30`. */
export function offsetText(offset_ms: number): string {
  const minutes = Math.abs(Math.trunc(offset_ms / 60_000))
  const two = (value: number) => String(value).padStart(2, '0')
  return `${offset_ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
