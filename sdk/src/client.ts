import { OpenMonetizeError, ServerError } from './errors.ts'
import { Http } from './http.ts'
import { checkOptions, type OnUnavailable, type OpenMonetizeOptions } from './options.ts'
import { type FlushOptions, Queue, type QueueStats, type TrackContext } from './queue/queue.ts'
import { type Resources, resources } from './resources.ts'
import type { Event } from './types.ts'

const DEFAULT_URL = 'http://localhost:8787'
const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_RETRIES = 2

export interface OpenMonetize extends Resources {}

/**
 * A client of OpenMonetize Edge. The constructor sends no request, so a module can create a client while it is loaded.
 *
 * @example
 * const om = new OpenMonetize({ apiKey: process.env.OPENMONETIZE_KEY ?? '', baseUrl: 'https://meter.example.com' })
 * const { credits_burned, balance_after } = await om.events.ingest({
 *   event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000,
 * })
 * om.track({ event_type: 'API_CALL', feature_id: 'search', user_id: 'ada' })
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns every resource.
export class OpenMonetize {
  /** The policy for the calls of wrapped clients and for tracked events while the meter is unavailable. */
  readonly onUnavailable: OnUnavailable
  /** The time limit of one attempt of a call, in milliseconds. */
  readonly timeoutMs: number
  readonly #queue: Queue
  readonly #onError: ((error: OpenMonetizeError, event?: Event) => void) | undefined

  constructor(options: OpenMonetizeOptions) {
    checkOptions(options)
    const { apiKey, baseUrl = DEFAULT_URL, onUnavailable = 'queue' } = options
    const http = new Http({
      apiKey,
      baseUrl: baseUrl.replace(/\/+$/, ''),
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxRetries: options.maxRetries ?? DEFAULT_RETRIES,
      // Reads the global `fetch` on every call, because an application can replace it later.
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    })
    this.onUnavailable = onUnavailable
    this.timeoutMs = http.config.timeoutMs
    this.#onError = options.onError
    Object.assign(this, resources(http))
    this.#queue = new Queue(http, options.queue ?? {}, onUnavailable, (error, event) =>
      this.report(error, event),
    )
  }

  /**
   * Queues an event and returns at once. An event without an idempotency key gets a random key. An event without a
   * timestamp gets the current time. In a Worker, pass the request's `ctx` as `context`: its `waitUntil` keeps the
   * Worker running while the event is sent. Returns false if the event is not queued, and reports the error to
   * `onError`. Of 1,000 dropped events, only the first is reported. Throws only with `onUnavailable: 'deny'`, while
   * events cannot be delivered.
   */
  track(event: Event, context?: TrackContext): boolean {
    this.assertAvailable()
    return this.#queue.track(event, context)
  }

  /** Queues an event like `track`, but never throws. Use this method for usage that was already consumed. */
  record(event: Event, context?: TrackContext): boolean {
    return this.#queue.track(event, context)
  }

  /**
   * The error of the last failed delivery whose events the queue sends again. Undefined if no such delivery failed
   * since the last successful one.
   */
  get failure(): OpenMonetizeError | undefined {
    return this.#queue.failure
  }

  /** Throws while events cannot be delivered, if `onUnavailable` is `deny`. */
  assertAvailable(): void {
    const { failure } = this
    if (this.onUnavailable !== 'deny' || !failure) return
    const detail = 'Events cannot be sent, and onUnavailable is deny.'
    throw new ServerError({ code: 'unavailable', detail, retryable: true, cause: failure })
  }

  /**
   * Sends the events tracked so far. Throws if some are still queued after `timeoutMs` (default 30,000). Throws
   * earlier if a retry cannot succeed.
   */
  flush(options?: FlushOptions): Promise<void> {
    return this.#queue.flush(options)
  }

  /** Sends the queued events, and refuses events that are tracked later. Throws like `flush`. */
  close(options?: FlushOptions): Promise<void> {
    return this.#queue.close(options)
  }

  stats(): QueueStats {
    return this.#queue.stats()
  }

  /** Passes an error to `onError`, or writes it to the console if there is no `onError`. Never throws. */
  report(error: unknown, event?: Event): void {
    const known =
      error instanceof OpenMonetizeError
        ? error
        : new OpenMonetizeError({ code: 'unexpected', detail: String(error), cause: error })
    try {
      if (this.#onError) this.#onError(known, event)
      else console.warn(`OpenMonetize: ${known.message}`)
    } catch (cause) {
      console.warn(cause)
    }
  }
}
