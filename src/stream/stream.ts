import type { NotificationView } from '../notifications/read.ts'

/** The time between two reads of D1. A new notification is delayed by up to this time. */
export const POLL_MS = 1_000
/** The idle time after which a comment keeps the connection open. */
const COMMENT_MS = 15_000
/** The time between two checks that the key is still valid. */
const CHECK_MS = 30_000
/** The maximum number of notifications that a stream reads at once and keeps in memory. */
export const NOTIFICATIONS_A_READ = 50

/**
 * The number of calls of D1 after which a stream ends. It is below the 1,000 calls that an invocation may make. An
 * idle stream makes fewer calls in the longest `STREAM_SECONDS`. A stream with notifications in each second ends
 * earlier.
 */
const MAX_CALLS = 950
/** The number of calls that read notifications and the names of their users and teams. */
const CALLS_OF_READ = 3
/** The average number of calls that read the newest sequence and, every few minutes, record that a stream is open. */
const CALLS_OF_NEWEST = 1.1

/** The stream's access to the ledger and to the clock. */
export interface StreamSource {
  /** Returns the sequence of the newest notification that can be read. */
  readonly newest: () => Promise<number>
  readonly read: (
    after_sequence: number,
    to_sequence: number,
    limit: number,
  ) => Promise<readonly NotificationView[]>
  /** Reports whether the key may still read. */
  readonly isAllowed: () => Promise<boolean>
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
}

/**
 * The events of one open stream, in the format of server-sent events. The stream reads only after its client has read
 * the last part, so a slow client needs no memory. The stream ends after `lasts_ms`, or when its calls are used up.
 * The client then resumes with its last id.
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
   * Returns the next part of the stream; null at its end. Throws if D1 cannot be read. The client then reconnects.
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
    // A range that is older than the retention has no notifications.
    this.after = last?.sequence ?? this.newest
    return last ? eventsOf(read) : null
  }
}

/**
 * Returns notifications as server-sent events. `JSON.stringify` writes no line breaks, and escapes the line breaks in
 * texts.
 */
export function eventsOf(notifications: readonly NotificationView[]): string {
  return notifications
    .map((one) => `id: ${one.sequence}\nevent: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`)
    .join('')
}
