import type { NotificationView } from '../notifications/store.ts'

/**
 * The time in ms between two reads of D1. The stream delays a new notification in D1 by up to about twice this time.
 */
export const POLL_MS = 1_000
/** The time in ms without an event after which the stream sends a comment, which keeps the connection open. */
const COMMENT_MS = 15_000
/** The time in ms between two checks that the API key or the session is still valid. */
const CHECK_MS = 30_000
/** The maximum number of notifications that a stream reads at once and keeps in memory. */
export const NOTIFICATIONS_A_READ = 50

/**
 * The number of D1 calls after which a stream ends. It is below 1,000, the maximum of the platform for one invocation.
 * A stream without notifications stays below it even with the maximum of `STREAM_SECONDS`. A stream with notifications
 * in every second reaches it earlier.
 */
const MAX_CALLS = 950
/** The maximum number of D1 calls of one read, for the notifications and for the ids of their users and teams. */
const CALLS_OF_READ = 3
/**
 * The average number of D1 calls that get the newest sequence number. It includes the call that records every few
 * minutes that a stream is open.
 */
const CALLS_OF_NEWEST = 1.1

/** The functions with which a stream reads the ledger and the clock. */
export interface StreamSource {
  /** Returns the sequence number of the newest notification that `read` can return. */
  readonly newest: () => Promise<number>
  readonly read: (
    after_sequence: number,
    to_sequence: number,
    limit: number,
  ) => Promise<readonly NotificationView[]>
  /** Reports whether the API key or the session of the stream is still valid. */
  readonly isAllowed: () => Promise<boolean>
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
}

/**
 * An open stream of notifications, as server-sent events. The stream reads the next notifications only after the client
 * has read the last part, so a slow client does not fill the memory. The stream ends after `lasts_ms`, after
 * `MAX_CALLS` calls, or when the API key or the session is no longer valid. The client then reconnects with the last
 * id.
 */
export class NotificationStream {
  private readonly source: StreamSource
  private readonly ends_at_ms: number
  private after: number
  private newest: number
  private checked_at_ms: number
  private sent_at_ms: number
  private calls = 0
  private is_open = true

  constructor(
    source: StreamSource,
    { after_sequence, lasts_ms }: { after_sequence: number; lasts_ms: number },
  ) {
    const now_ms = source.now()
    this.source = source
    this.ends_at_ms = now_ms + lasts_ms
    this.after = after_sequence
    this.newest = after_sequence
    this.checked_at_ms = now_ms
    this.sent_at_ms = now_ms
  }

  /**
   * Returns the next part of the stream, or null at the end of the stream. Throws if D1 cannot be read. The stream then
   * ends, and the client reconnects.
   */
  async next(): Promise<string | null> {
    while (this.is_open) {
      const { source } = this
      const now_ms = source.now()
      if (now_ms >= this.ends_at_ms || this.calls >= MAX_CALLS) return null
      if (!(await this.isAllowed(now_ms))) return null
      const events = await this.read()
      if (events !== null || now_ms - this.sent_at_ms >= COMMENT_MS) {
        this.sent_at_ms = now_ms
        return events ?? ':\n\n'
      }
      await source.wait(POLL_MS)
      if (!this.is_open) return null
      this.calls += CALLS_OF_NEWEST
      this.newest = await source.newest()
    }
    return null
  }

  close(): void {
    this.is_open = false
  }

  private async isAllowed(now_ms: number): Promise<boolean> {
    if (now_ms - this.checked_at_ms < CHECK_MS) return true
    this.checked_at_ms = now_ms
    this.calls++
    return this.source.isAllowed()
  }

  private async read(): Promise<string | null> {
    if (this.newest <= this.after) return null
    this.calls += CALLS_OF_READ
    const read = await this.source.read(this.after, this.newest, NOTIFICATIONS_A_READ)
    const last = read.at(-1)
    // If the notifications of the range were deleted after their retention, continues after the range.
    this.after = last?.sequence ?? this.newest
    return last ? eventsOf(read) : null
  }
}

/**
 * Returns notifications as server-sent events. The JSON of a notification has one line, because `JSON.stringify`
 * escapes line breaks in texts.
 */
export function eventsOf(notifications: readonly NotificationView[]): string {
  return notifications
    .map((one) => `id: ${one.sequence}\nevent: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`)
    .join('')
}
