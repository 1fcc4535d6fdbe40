import { DAY_MS, HOUR_MS } from './durations.ts'
import { windowOf } from './windows.ts'

// Names only: `Intl` also takes offsets, which have no daylight saving time and often have minutes.
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/
const MAX_NAME = 64

/** Returns the IANA time zone of this name; undefined if there is none. */
export function timeZoneOf(name: string): TimeZone | undefined {
  if (name.length > MAX_NAME || !NAME.test(name)) return undefined
  try {
    return new TimeZone(name)
  } catch {
    return undefined
  }
}

const PERIODS = { day: 'DAILY', week: 'WEEKLY', month: 'MONTHLY' } as const

/** The days, weeks (from Monday) and months of a time zone, with its daylight saving time. */
export class TimeZone {
  readonly name: string
  private readonly format: Intl.DateTimeFormat
  private readonly starts = new Map<string, number>()

  /** Throws a `RangeError` for an unknown zone. */
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

  /** How far local time is ahead of UTC. `at_ms` is a whole second. */
  offsetAt(at_ms: number): number {
    const fields = new Map(this.format.formatToParts(at_ms).map(({ type, value }) => [type, Number(value)]))
    const field = (type: Intl.DateTimeFormatPartTypes) => fields.get(type) ?? 0
    const day_ms = Date.UTC(field('year'), field('month') - 1, field('day'))
    return day_ms + field('hour') * HOUR_MS + field('minute') * 60_000 + field('second') * 1_000 - at_ms
  }

  /** The first offset of a range that is not a whole hour; undefined if all are. */
  partialHourOffset(from_ms: number, to_ms: number): number | undefined {
    for (let at_ms = from_ms; at_ms < to_ms + DAY_MS; at_ms += DAY_MS) {
      const offset_ms = this.offsetAt(Math.min(at_ms, to_ms))
      if (offset_ms % HOUR_MS !== 0) return offset_ms
    }
    return undefined
  }

  /** The first moment of the local day, week or month that contains a whole hour. */
  startOf(period: keyof typeof PERIODS, hour_ms: number): number {
    const local_ms = hour_ms + this.offsetAt(hour_ms)
    const { start_ms } = windowOf(PERIODS[period], null, local_ms)
    const key = `${period} ${start_ms}`
    const known = this.starts.get(key)
    if (known !== undefined) return known
    const start = this.momentOf(start_ms)
    this.starts.set(key, start)
    return start
  }

  /** The first moment at which local clocks show this time, or a later one if they skip it. */
  private momentOf(local_ms: number): number {
    const offsets = [this.offsetAt(local_ms - DAY_MS), this.offsetAt(local_ms + DAY_MS)]
    const early_ms = local_ms - Math.max(...offsets)
    return early_ms + this.offsetAt(early_ms) >= local_ms ? early_ms : local_ms - Math.min(...offsets)
  }
}

/** An offset as `+05:30`. */
export function offsetText(offset_ms: number): string {
  const minutes = Math.abs(Math.trunc(offset_ms / 60_000))
  const two = (value: number) => String(value).padStart(2, '0')
  return `${offset_ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
