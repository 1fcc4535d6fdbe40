import { DAY_MS, HOUR_MS } from './durations.ts'
import { type BoundedWindow, type CalendarPeriod, windowOf } from './windows.ts'

/** The time zone of windows if no other zone is set. */
export const UTC = 'UTC'

// The pattern for the names of time zones. It excludes offsets such as `+05:30`, which `Intl` also accepts, because
// offsets have no daylight saving time, and some contain minutes.
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/
const MAX_NAME = 64

/**
 * The maximum number of zones in the cache. Zones are cached, because creating one takes about as long as rating an
 * event.
 */
const MAX_KNOWN = 64
const known = new Map<string, TimeZone>()

/** Returns the IANA time zone with a name; undefined if no zone has the name. */
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

/** The maximum number of windows in the cache of a zone. The cache has the last result for each period and anchor. */
const MAX_WINDOWS = 256

/**
 * A time zone with its daylight saving time. Computes the windows of hours, days, weeks and months in the zone. Weeks
 * begin on Monday.
 */
export class TimeZone {
  readonly name: string
  private readonly format: Intl.DateTimeFormat
  private readonly windows = new Map<string, BoundedWindow>()

  /** Creates a time zone by its IANA name. Throws a `RangeError` if the name is unknown. */
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

  /**
   * Returns the offset of local time from UTC at a time, in milliseconds; positive east of Greenwich. `at_ms` must be a
   * whole second.
   */
  offsetAt(at_ms: number): number {
    const fields = new Map(this.format.formatToParts(at_ms).map(({ type, value }) => [type, Number(value)]))
    const field = (type: Intl.DateTimeFormatPartTypes) => fields.get(type) ?? 0
    const day_ms = Date.UTC(field('year'), field('month') - 1, field('day'))
    return day_ms + field('hour') * HOUR_MS + field('minute') * 60_000 + field('second') * 1_000 - at_ms
  }

  /**
   * Returns the first offset in a time range that is not a whole number of hours, in milliseconds; undefined if there
   * is none. Checks the start of the range, one time per day after it, and the end of the range.
   */
  partialHourOffset(from_ms: number, to_ms: number): number | undefined {
    for (let at_ms = from_ms; at_ms < to_ms + DAY_MS; at_ms += DAY_MS) {
      const offset_ms = this.offsetAt(Math.min(at_ms, to_ms))
      if (offset_ms % HOUR_MS !== 0) return offset_ms
    }
    return undefined
  }

  /** Returns the start of the local day, week or month that contains a time. */
  startOf(period: keyof typeof PERIODS, hour_ms: number): number {
    return this.windowOf(PERIODS[period], null, hour_ms).start_ms
  }

  /**
   * Returns the window of a period that contains a time, in local time. Windows begin on the local full hour, at local
   * midnight, or at the local time of the anchor. If clocks change during a window, the window is longer or shorter: a
   * day then has, for example, 23 or 25 hours, and a local hour that occurs twice is one window. Consecutive windows
   * have no gap and no overlap.
   */
  windowOf(period: CalendarPeriod, anchor_ms: number | null, at_ms: number): BoundedWindow {
    const key = `${period} ${anchor_ms}`
    const last = this.windows.get(key)
    if (last && last.start_ms <= at_ms && at_ms < last.end_ms) return last
    const local_anchor_ms = anchor_ms === null ? null : this.localTimeAt(anchor_ms)
    let local = windowOf(period, local_anchor_ms, this.localTimeAt(at_ms))
    let window = this.between(local)
    // If clocks are set back over the start of a window, local time is in the previous window again, although that
    // window has ended.
    while (window.end_ms <= at_ms) {
      local = windowOf(period, local_anchor_ms, local.end_ms)
      window = this.between(local)
    }
    // If clocks skip the start of a window, local time can be in a window that has not started yet.
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

  /** Returns the local time at `at_ms`, encoded as if it were a UTC time. */
  private localTimeAt(at_ms: number): number {
    return at_ms + this.offsetAt(Math.floor(at_ms / 1_000) * 1_000)
  }

  /**
   * Returns the first time at which local clocks show the given local time. If clocks skip this local time, returns the
   * time at which they would show it if they had not been set forward.
   */
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
