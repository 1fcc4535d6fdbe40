/**
 * The timer of an attempt. It limits the time of each wait of the attempt, and extends the hold of the call while a
 * wait is long. All waits share one timer of the runtime, because a new timer for each chunk would be slow. If it fires
 * before the current wait has reached its limit, it is set again.
 */
export class CallTimer {
  private readonly every_ms: number
  private readonly extend: () => void
  private extended_at_ms = Date.now()
  private since_ms = 0
  private limit_ms = 0
  private onLimit: () => void = () => {}
  private timer: ReturnType<typeof setTimeout> | undefined
  private fires_at_ms = 0

  /**
   * Creates a timer for a call whose hold expires after `hold_ms`. `extend` must set the remaining lifetime of the hold
   * to `hold_ms`. During waits, it is called after at most half of this time.
   */
  constructor(hold_ms: number, extend: () => void) {
    this.every_ms = hold_ms / 3
    this.extend = extend
  }

  /** Ends the current wait, and starts a wait that calls `onLimit` after `limit_ms`. */
  start(limit_ms: number, onLimit: () => void): void {
    this.since_ms = Date.now()
    this.limit_ms = limit_ms
    this.onLimit = onLimit
    const wait_ms = Math.min(limit_ms, this.every_ms)
    if (this.timer === undefined || this.fires_at_ms > this.since_ms + wait_ms) this.arm(wait_ms)
  }

  /**
   * Waits for a promise and returns its result. Returns `failed` if the promise is rejected, and `silent` if it takes
   * longer than the limit.
   */
  wait<T>(limit_ms: number, work: Promise<T>): Promise<T | 'silent' | 'failed'> {
    return new Promise((resolve) => {
      this.start(limit_ms, () => resolve('silent'))
      work.then(resolve, () => resolve('failed'))
    })
  }

  /** Records that the caller itself has extended the hold. */
  extended(): void {
    this.extended_at_ms = Date.now()
  }

  /** Ends the current wait. A later wait can be started. */
  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private arm(wait_ms: number): void {
    this.stop()
    this.fires_at_ms = Date.now() + wait_ms
    this.timer = setTimeout(() => this.check(), wait_ms)
  }

  private check(): void {
    this.timer = undefined
    const now_ms = Date.now()
    const left_ms = this.since_ms + this.limit_ms - now_ms
    if (left_ms <= 0) {
      this.onLimit()
      return
    }
    this.arm(Math.min(left_ms, this.every_ms))
    // The timer also fires at the limits of short waits. The minimum time between two extensions limits their cost.
    if (now_ms - this.extended_at_ms < this.every_ms / 2) return
    this.extended()
    this.extend()
  }
}
