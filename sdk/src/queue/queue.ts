import { ConfigurationError, OpenMonetizeError, TimeoutError } from '../errors.ts'
import { backoffMs, type Http, randomKey, sleep } from '../http.ts'
import type { OnUnavailable, QueueOptions } from '../options.ts'
import type { Event, Schemas } from '../types.ts'
import { type Batch, batchOf, outcomesOf } from './batch.ts'
import { forgetQueue, watchQueue } from './hooks.ts'
import type { QueueStore } from './store.ts'
import { leaveOutTime, type Waiting, WaitingList, waitingEvent } from './waiting.ts'

/** The number of tracked events in each state. */
export interface QueueStats {
  /** The number of events that are still in the queue. */
  queued: number
  /** The number of events that the server has accepted, including duplicates. */
  sent: number
  /**
   * The number of events that the queue did not accept, because it was full or closed or the event was too large. With
   * `onUnavailable: 'allow'`, the number includes events whose delivery failed.
   */
  dropped: number
  /** The number of events that the server refused permanently or that cannot be written as a JSON object. */
  rejected: number
}

export interface FlushOptions {
  /** The time after which `flush` throws if events are still queued, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number
}

/** The `ctx` of a Worker's request. Its `waitUntil` keeps the Worker running. */
export interface TrackContext {
  waitUntil(work: Promise<unknown>): void
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024
const DEFAULT_INTERVAL_MS = 1_000
const DEFAULT_BATCH_EVENTS = 500
const BATCH_BYTES = 1_000_000
/** The maximum size of a page's last batch of several events, in bytes. Browsers allow a closing page to send 64 KB. */
const KEEPALIVE_BYTES = 60_000
/** The maximum size of an event, in bytes. The API accepts bodies of up to 4 MB. */
const MAX_EVENT_BYTES = 3_900_000
const LONGEST_BACKOFF_MS = 10_000
const FLUSH_MS = 30_000
const DEBOUNCE_MS = 50
const DEBOUNCE_CAP_MS = 500
/**
 * The delay, in milliseconds, after which a timer is considered lost. A Worker cancels the timers of an ended
 * request.
 */
const TIMER_GRACE_MS = 1_000
const REPORT_EVERY = 1_000

/**
 * A queue of tracked events. It sends the oldest events first, one request at a time. When a page becomes hidden, the
 * queue sends one additional request. An event stays in the queue until it is accepted, refused permanently or dropped.
 * Its idempotency key makes retries safe.
 */
export class Queue {
  readonly #http: Http
  readonly #options: QueueOptions
  readonly #store: QueueStore | undefined
  readonly #onUnavailable: OnUnavailable
  readonly #report: (error: OpenMonetizeError, event?: Event) => void
  readonly #waiting = new WaitingList()
  #stats = { sent: 0, dropped: 0, rejected: 0 }
  /** The number of events that `track` dropped. */
  #untracked = 0
  #loading: Promise<void> | undefined
  #batch: Batch | undefined
  #batchLimit: number
  /**
   * The time until which the running delivery has exclusive use of the queue. This lease expires, because a cancelled
   * Worker request never releases it.
   */
  #leaseUntil = 0
  #failures = 0
  #failure: OpenMonetizeError | undefined
  #nextAttemptAt = 0
  #timerAt = 0
  #lastTrackedAt = 0
  #prefix = ''
  #counter = 0
  #closed = false
  readonly #keepers = new WeakSet<object>()

  constructor(
    http: Http,
    options: QueueOptions,
    onUnavailable: OnUnavailable,
    report: (error: OpenMonetizeError, event?: Event) => void,
  ) {
    this.#http = http
    this.#options = options
    this.#store = options.store
    this.#onUnavailable = onUnavailable
    this.#report = report
    this.#batchLimit = options.batchEvents ?? DEFAULT_BATCH_EVENTS
    if (this.#store) this.#load(this.#store)
  }

  /**
   * Queues an event and returns at once. Returns false if the event is not a JSON object or is too large, or if the
   * queue is full or closed. `stats()` counts the event, and `onError` receives the error. Of 1,000 dropped events,
   * only the first is reported.
   */
  track(event: Event, context?: TrackContext): boolean {
    const now = Date.now()
    this.#lastTrackedAt = now
    let waiting: Waiting
    try {
      waiting = waitingEvent(event, this.#nextId(), now)
    } catch (cause) {
      this.#stats.rejected++
      this.#report(new ConfigurationError(`The event is not a JSON object: ${String(cause)}`), event)
      return false
    }
    const problem = this.#problemOf(waiting.bytes)
    if (problem) {
      this.#stats.dropped++
      if (this.#untracked++ % REPORT_EVERY === 0) this.#report(problem, event)
      return false
    }
    this.#waiting.add(waiting)
    this.#change((store) => store.append([waiting]))
    watchQueue(this)
    this.#schedule(now, context)
    return true
  }

  /**
   * Sends the events tracked before the call. Throws if some are still queued after `timeoutMs`. Throws earlier if a
   * retry cannot succeed.
   */
  async flush({ timeoutMs = FLUSH_MS }: FlushOptions = {}): Promise<void> {
    const deadline = Date.now() + timeoutMs
    await this.#loading
    const target = this.#done() + this.#waiting.size
    while (this.#done() < target && this.#waiting.size > 0) {
      await this.#drain()
      if (this.#done() >= target || this.#waiting.size === 0) break
      if (this.#failure && !this.#failure.retryable) throw this.#failure
      const now = Date.now()
      if (now >= deadline) throw this.#failure ?? this.#timeout(timeoutMs)
      await sleep(Math.min(Math.max(this.#nextAttemptAt - now, 5), deadline - now))
    }
    await this.#change((store) => store.sync?.())
  }

  /**
   * Sends the queued events, and refuses events that are tracked later. Throws like `flush`. Unsent events stay in the
   * store, if the queue has one.
   */
  async close(options?: FlushOptions): Promise<void> {
    this.#closed = true
    try {
      await this.flush(options)
    } finally {
      forgetQueue(this)
      await this.#change((store) => store.close?.())
    }
  }

  /**
   * The error of the last failed delivery whose events the queue sends again. Undefined if no such delivery failed
   * since the last successful one.
   */
  get failure(): OpenMonetizeError | undefined {
    return this.#failure
  }

  stats(): QueueStats {
    return { queued: this.#waiting.size, ...this.#stats }
  }

  /** Sends the oldest events with a request that continues after the page is closed. */
  async sendBeforeUnload(): Promise<void> {
    const events = this.#waiting.first(this.#batchLimit, KEEPALIVE_BYTES)
    if (events.length === 0) return
    await this.#deliver(batchOf(events), true)
  }

  #load(store: QueueStore): void {
    const take = (events: Awaited<ReturnType<QueueStore['load']>>) => {
      this.#waiting.addBefore(events)
      if (this.#waiting.size === 0) return
      watchQueue(this)
      this.#schedule(Date.now())
    }
    try {
      const loaded = store.load()
      if (loaded instanceof Promise)
        this.#loading = loaded.then(take).catch((cause) => this.#storeFailed(cause))
      else take(loaded)
    } catch (cause) {
      this.#storeFailed(cause)
    }
  }

  #nextId(): string {
    // Creates the prefix with the first event, because a Worker cannot create random numbers while it loads a module.
    if (this.#prefix === '') this.#prefix = randomKey()
    return `${this.#prefix}-${(this.#counter++).toString(36)}`
  }

  #problemOf(bytes: number): OpenMonetizeError | undefined {
    const { maxBytes = DEFAULT_MAX_BYTES, maxEvents = Number.POSITIVE_INFINITY } = this.#options
    const permanent = this.#closed
      ? 'The client is closed.'
      : bytes > MAX_EVENT_BYTES && `The event has ${bytes} bytes; at most ${MAX_EVENT_BYTES} can be sent.`
    const full = this.#waiting.bytes + bytes > maxBytes || this.#waiting.size >= maxEvents
    const detail = permanent || (full && 'The queue would exceed maxBytes or maxEvents.')
    return detail ? new OpenMonetizeError({ code: 'queue_full', detail, retryable: !permanent }) : undefined
  }

  #schedule(now: number, context?: TrackContext): void {
    const waitUntil = this.#options.waitUntil
    if (context) this.#keepAlive(context, (work) => context.waitUntil(work))
    else if (waitUntil) this.#keepAlive(this, waitUntil)
    if (now < this.#timerAt + TIMER_GRACE_MS && this.#timerAt > 0) return
    const { intervalMs = DEFAULT_INTERVAL_MS } = this.#options
    const full = this.#waiting.size >= this.#batchLimit || this.#waiting.bytes >= BATCH_BYTES
    const wait_ms = Math.max(full ? 0 : intervalMs, this.#nextAttemptAt - now)
    this.#timerAt = now + wait_ms
    const timer = setTimeout(() => {
      this.#timerAt = 0
      this.#drain().catch((cause) => this.#storeFailed(cause))
    }, wait_ms)
    // The timer does not keep the process running. Before a process without further work ends, the `beforeExit`
    // listener flushes the queue.
    if (typeof timer === 'object') Object(timer).unref?.()
  }

  /**
   * Keeps the runtime running until the events are sent or `flush` fails. A context has at most one task that still
   * waits for further events.
   */
  #keepAlive(context: object, waitUntil: (work: Promise<void>) => void): void {
    if (this.#keepers.has(context)) return
    this.#keepers.add(context)
    const work = async () => {
      const cap = Date.now() + DEBOUNCE_CAP_MS
      do await sleep(DEBOUNCE_MS)
      while (Date.now() - this.#lastTrackedAt < DEBOUNCE_MS && Date.now() < cap)
      this.#keepers.delete(context)
      // Ignores errors, because `#failed` reports outages. Unsent events stay in the queue.
      await this.flush().catch(() => undefined)
    }
    waitUntil(work())
  }

  async #drain(): Promise<void> {
    await this.#loading
    // Another delivery is running. A Worker cannot await the promise of that delivery, because it can belong to another
    // request.
    if (Date.now() < this.#leaseUntil) return
    try {
      while (this.#waiting.size > 0 && Date.now() >= this.#nextAttemptAt) {
        this.#leaseUntil = Date.now() + this.#http.config.timeoutMs + TIMER_GRACE_MS
        this.#batch ??= batchOf(this.#waiting.first(this.#batchLimit, BATCH_BYTES))
        if (!(await this.#deliver(this.#batch))) break
      }
    } finally {
      this.#leaseUntil = 0
    }
    if (this.#waiting.size > 0) this.#schedule(Date.now())
  }

  /** Sends a batch once. Returns false if the queue must wait before it sends the next batch. */
  async #deliver(batch: Batch, keepalive = false): Promise<boolean> {
    try {
      const options = { maxRetries: 0, idempotencyKey: batch.key, keepalive }
      const { data } = await this.#http.send<Schemas['BatchResult']>(
        'POST',
        '/v1/events/ingest',
        batch.body,
        options,
      )
      const again = await this.#settle(batch, data)
      this.#batch = undefined
      if (again) return this.#failed(again)
      this.#failures = 0
      this.#failure = undefined
      this.#nextAttemptAt = 0
      this.#batchLimit = this.#options.batchEvents ?? DEFAULT_BATCH_EVENTS
      return true
    } catch (error) {
      if (!(error instanceof OpenMonetizeError)) throw error
      if (keepalive) return false
      // If the server refuses the whole request, the queue sends half of the events at a time until it finds the event
      // at fault.
      if ([400, 413, 422].includes(error.status)) {
        this.#batch = undefined
        if (batch.events.length === 1) await this.#reject(batch.events, error)
        else this.#batchLimit = Math.ceil(batch.events.length / 2)
        return true
      }
      if (this.#onUnavailable === 'allow' && this.#failures >= this.#http.config.maxRetries) {
        this.#batch = undefined
        this.#stats.dropped += await this.#forget(batch.events)
        for (const { text } of batch.events) this.#report(error, JSON.parse(text))
        return true
      }
      return this.#failed(error)
    }
  }

  /**
   * Processes the outcome of each event. Returns the last retryable error; undefined if there is none. If the server
   * refuses a timestamp that the queue set, the event is sent again without the timestamp. This is not reported as an
   * error.
   */
  async #settle(batch: Batch, answer: Schemas['BatchResult']): Promise<OpenMonetizeError | undefined> {
    const delivered: Waiting[] = []
    let again: OpenMonetizeError | undefined
    for (const [index, error] of outcomesOf(batch, answer).entries()) {
      const event = batch.events[index]
      if (event === undefined) continue
      if (error === undefined) delivered.push(event)
      else if (error.retryable) again = error
      else if (event.retimable && error.code === 'invalid_request' && error.detail.includes('/timestamp')) {
        leaveOutTime(event)
        this.#change((store) => store.append([event]))
      } else await this.#reject([event], error)
    }
    this.#stats.sent += await this.#forget(delivered)
    return again
  }

  async #reject(events: readonly Waiting[], error: OpenMonetizeError): Promise<void> {
    for (const event of events) {
      if (event.settled) continue
      this.#stats.rejected++
      await this.#change((store) => store.reject?.(event, error.message))
      this.#report(error, JSON.parse(event.text))
    }
    await this.#forget(events)
  }

  /** Removes events from the list and the store. Returns the number of removed events. */
  async #forget(events: readonly Waiting[]): Promise<number> {
    const left = this.#waiting.settle(events)
    if (left.length > 0) await this.#change((store) => store.remove(left.map(({ id }) => id)))
    if (this.#waiting.size === 0) forgetQueue(this)
    return left.length
  }

  #failed(error: OpenMonetizeError): false {
    // Reports each outage once.
    if (this.#failures === 0) this.#report(error)
    const wait_ms = backoffMs(this.#failures, LONGEST_BACKOFF_MS)
    this.#failures++
    this.#failure = error
    this.#nextAttemptAt = Date.now() + Math.max(wait_ms, error.retryAfterMs ?? 0)
    return false
  }

  #done(): number {
    return this.#stats.sent + this.#stats.dropped + this.#stats.rejected
  }

  /** Changes the store. If this fails, reports the error and continues with the events in memory. */
  #change(change: (store: QueueStore) => void | Promise<void>): Promise<void> | undefined {
    try {
      const work = this.#store && change(this.#store)
      return work instanceof Promise ? work.catch((cause) => this.#storeFailed(cause)) : undefined
    } catch (cause) {
      this.#storeFailed(cause)
      return undefined
    }
  }

  #storeFailed(cause: unknown): void {
    const detail = `The queue or its store failed: ${cause instanceof Error ? cause.message : String(cause)}`
    this.#report(new OpenMonetizeError({ code: 'store_failed', detail, cause }))
  }

  #timeout(timeoutMs: number): OpenMonetizeError {
    const detail = `${this.#waiting.size} events are still queued after ${timeoutMs} ms.`
    return new TimeoutError({ code: 'timeout', detail, retryable: true })
  }
}
