import { ConfigurationError, type OpenMonetizeError } from './errors.ts'
import type { QueueStore } from './queue/store.ts'
import type { Event } from './types.ts'

/** The policy for calls and events while the meter does not answer. */
export type OnUnavailable = 'queue' | 'allow' | 'deny'

export interface QueueOptions {
  /** The place where events wait. Default: memory. `fileStore` and `indexedDbStore` survive a crash. */
  readonly store?: QueueStore
  /** The most bytes of JSON that wait; a further event is dropped, counted and reported. Default 64 MiB. */
  readonly maxBytes?: number
  /** The most events that wait. Default: no bound beside `maxBytes`. */
  readonly maxEvents?: number
  /** The time that an event waits for others before it is sent. Default 1,000. */
  readonly intervalMs?: number
  /** The most events of one request, 1 to 1,000. Default 500. */
  readonly batchEvents?: number
  /** Keeps the runtime alive until the queue is sent: `ctx.waitUntil` of Workers, `after` of Next.js. */
  readonly waitUntil?: (work: Promise<void>) => void
}

export interface OpenMonetizeOptions {
  /** A customer's API key, or the operator token. `null` for the routes that take none. */
  readonly apiKey: string | null
  /** Default `http://localhost:8787`: a development server. */
  readonly baseUrl?: string
  /** For one attempt. Default 30,000. */
  readonly timeoutMs?: number
  /** Attempts after the first one. Default 2. */
  readonly maxRetries?: number
  readonly fetch?: typeof fetch
  readonly queue?: QueueOptions
  /**
   * While the meter does not answer: `queue` (default) lets calls pass and keeps their events; `allow` lets calls pass
   * and drops events that a few attempts cannot deliver; `deny` refuses calls.
   */
  readonly onUnavailable?: OnUnavailable
  /**
   * Receives every problem that no call throws: a dropped or rejected event with its error, a failed delivery. Default:
   * `console.warn`.
   */
  readonly onError?: (error: OpenMonetizeError, event?: Event) => void
}

const OPTIONS = ['apiKey', 'baseUrl', 'timeoutMs', 'maxRetries', 'fetch', 'queue', 'onUnavailable', 'onError']
const QUEUE_OPTIONS = ['store', 'maxBytes', 'maxEvents', 'intervalMs', 'batchEvents', 'waitUntil']
/** The longest delay that a timer supports. */
const MAX_MS = 2_147_483_647

/** Rejects a wrong option by name, before anything is sent. */
export function checkOptions(options: OpenMonetizeOptions): void {
  if (!isObject(options)) throw new ConfigurationError('new OpenMonetize({ apiKey }) takes an object.')
  knownOnly('option', options, OPTIONS)
  const { apiKey, baseUrl, timeoutMs, maxRetries, onUnavailable, queue } = options
  if (apiKey !== null && (typeof apiKey !== 'string' || !/^[\x21-\x7e]+$/.test(apiKey))) {
    throw new ConfigurationError(
      'apiKey must be a key without spaces, such as om_live_…; null for routes without one.',
    )
  }
  if (baseUrl !== undefined && !isHttpUrl(baseUrl)) {
    throw new ConfigurationError(
      `baseUrl must be an http or https address without a query: ${String(baseUrl)}.`,
    )
  }
  integer('timeoutMs', timeoutMs, 1, MAX_MS)
  integer('maxRetries', maxRetries, 0, 20)
  callable('fetch', options.fetch)
  callable('onError', options.onError)
  if (onUnavailable !== undefined && !['queue', 'allow', 'deny'].includes(onUnavailable)) {
    throw new ConfigurationError(`onUnavailable must be queue, allow or deny, not ${String(onUnavailable)}.`)
  }
  if (queue === undefined) return
  if (!isObject(queue)) throw new ConfigurationError('queue must be an object.')
  knownOnly('queue option', queue, QUEUE_OPTIONS)
  integer('queue.maxBytes', queue.maxBytes, 1, Number.MAX_SAFE_INTEGER)
  integer('queue.maxEvents', queue.maxEvents, 1, Number.MAX_SAFE_INTEGER)
  integer('queue.intervalMs', queue.intervalMs, 0, MAX_MS)
  integer('queue.batchEvents', queue.batchEvents, 1, 1000)
  callable('queue.waitUntil', queue.waitUntil)
  const store: unknown = queue.store
  if (
    store !== undefined &&
    !(isObject(store) && ['load', 'append', 'remove'].every((name) => name in store))
  ) {
    throw new ConfigurationError(
      'queue.store must be a store: memoryStore(), fileStore(path) or indexedDbStore(name).',
    )
  }
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Rejects a name that is not in a list of known ones. */
export function knownOnly(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new ConfigurationError(`Unknown ${what} ${unknown}. Known: ${known.join(', ')}.`)
  }
}

function integer(name: string, value: unknown, least: number, most: number): void {
  if (value === undefined) return
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    throw new ConfigurationError(
      `${name} must be a whole number from ${least} to ${most}, not ${String(value)}.`,
    )
  }
}

function callable(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    throw new ConfigurationError(`${name} must be a function.`)
}

function isHttpUrl(text: unknown): boolean {
  try {
    const url = new URL(String(text))
    return /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === ''
  } catch {
    return false
  }
}
