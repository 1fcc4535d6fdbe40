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
 * A client of OpenMonetize Edge. Making one reads and sends nothing, so it may be made while a module is loaded.
 *
 * @example
 * const om = new OpenMonetize({ apiKey: process.env.OPENMONETIZE_KEY, baseUrl: 'https://meter.example.com' })
 * const { credits_burned, balance_after } = await om.events.ingest({
 *   event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000,
 * })
 * om.track({ event_type: 'API_CALL', feature_id: 'search', user_id: 'ada' })
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns every resource.
export class OpenMonetize {
  /** The policy for calls and events while the meter does not answer. */
  readonly onUnavailable: OnUnavailable
  /** The time limit of one attempt of a call. */
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
      // The global function is looked up at each call, so that a later replacement of it is used.
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
   * Queues an event and returns at once. Its idempotency key, yours or a random one, and its time are fixed here.
   * `context` is the `ctx` of a Worker's request, whose `waitUntil` keeps the delivery alive. Returns false, and
   * reports why, when the event is not kept. Throws only with `onUnavailable: 'deny'`, while the meter does not answer.
   */
  track(event: Event, context?: TrackContext): boolean {
    this.assertAvailable()
    return this.#queue.track(event, context)
  }

  /**
   * Does the same as `track` for usage that was consumed already. It never throws, for any value of `onUnavailable`.
   */
  record(event: Event, context?: TrackContext): boolean {
    return this.#queue.track(event, context)
  }

  /** The error that prevents deliveries now; undefined while the meter answers. */
  get failure(): OpenMonetizeError | undefined {
    return this.#queue.failure
  }

  /** Throws with `onUnavailable: 'deny'`, while events cannot be delivered. */
  assertAvailable(): void {
    const { failure } = this
    if (this.onUnavailable !== 'deny' || !failure) return
    const detail = 'The meter does not answer, and onUnavailable is deny.'
    throw new ServerError({ code: 'unavailable', detail, retryable: true, cause: failure })
  }

  /** Sends the events tracked so far. Throws when some are still waiting after `timeoutMs` (30,000). */
  flush(options?: FlushOptions): Promise<void> {
    return this.#queue.flush(options)
  }

  /** Flushes, then accepts no further events. */
  close(options?: FlushOptions): Promise<void> {
    return this.#queue.close(options)
  }

  stats(): QueueStats {
    return this.#queue.stats()
  }

  /** Passes a problem to `onError`. Never throws. */
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
