import { ConfigurationError, type OpenMonetizeError } from './errors.ts'
import type { QueueStore } from './queue/store.ts'
import type { Event } from './types.ts'

/** The policy for the calls of wrapped clients and for tracked events while the meter is unavailable. */
export type OnUnavailable = 'queue' | 'allow' | 'deny'

export interface QueueOptions {
  /** The store of the queued events. Default: memory. Events in a `fileStore` or `indexedDbStore` survive a crash. */
  readonly store?: QueueStore
  /**
   * The maximum size of the queued events in bytes of JSON. Default: 64 MiB. An event that would exceed the maximum
   * is dropped, and `stats()` counts it.
   */
  readonly maxBytes?: number
  /** The maximum number of queued events. Default: no limit other than `maxBytes`. */
  readonly maxEvents?: number
  /** The time for which events are collected before a batch is sent, in milliseconds. Default: 1,000. */
  readonly intervalMs?: number
  /** The maximum number of events in one request, 1 to 1,000. Default: 500. */
  readonly batchEvents?: number
  /**
   * The function that keeps the runtime running while the queue sends its events, such as `ctx.waitUntil` of Workers.
   */
  readonly waitUntil?: (work: Promise<void>) => void
}

export interface OpenMonetizeOptions {
  /** A customer's API key or the operator token; `null` for routes that need no key. */
  readonly apiKey: string | null
  /** The address of the meter. Default: `http://localhost:8787`, a development server. */
  readonly baseUrl?: string
  /** The time limit of one attempt, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number
  /** The maximum number of retries of a call. Default: 2. */
  readonly maxRetries?: number
  readonly fetch?: typeof fetch
  readonly queue?: QueueOptions
  /**
   * The policy for the calls of wrapped clients and for tracked events while the meter is unavailable. `queue`
   * (default) lets calls pass and keeps their events. `allow` lets calls pass and drops events after `maxRetries`
   * failed retries. `deny` refuses calls and tracked events.
   */
  readonly onUnavailable?: OnUnavailable
  /**
   * The function that receives the errors that no call throws, and the event if the error is about one event. The queue
   * reports an outage once. Of 1,000 events that `track` drops, only the first is reported. Default: `console.warn`.
   */
  readonly onError?: (error: OpenMonetizeError, event?: Event) => void
}

/** The longest delay that a timer supports, in milliseconds. */
const MAX_MS = 2_147_483_647

/** Returns the violated rule as a text that follows "must be"; undefined for a valid value. */
type Check = (value: unknown) => string | undefined

const integer =
  (least: number, most: number): Check =>
  (value) =>
    !Number.isInteger(value) || Number(value) < least || Number(value) > most
      ? `a whole number from ${least} to ${most}, not ${String(value)}`
      : undefined
const callable: Check = (value) => (typeof value === 'function' ? undefined : 'a function')

const OPTIONS: Readonly<Record<keyof OpenMonetizeOptions, Check>> = {
  apiKey: (value) =>
    value === null || (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value))
      ? undefined
      : 'a key without spaces, such as om_live_…, or null',
  baseUrl: (value) =>
    isHttpUrl(value) ? undefined : `an http or https URL without a user, query or hash, not ${String(value)}`,
  timeoutMs: integer(1, MAX_MS),
  maxRetries: integer(0, 20),
  fetch: callable,
  queue: (value) => (isObject(value) ? undefined : 'an object'),
  onUnavailable: (value) =>
    ['queue', 'allow', 'deny'].some((policy) => policy === value)
      ? undefined
      : `queue, allow or deny, not ${String(value)}`,
  onError: callable,
}
const QUEUE_OPTIONS: Readonly<Record<keyof QueueOptions, Check>> = {
  store: (value) =>
    isObject(value) && ['load', 'append', 'remove'].every((name) => name in value)
      ? undefined
      : 'a store, such as fileStore(path)',
  maxBytes: integer(1, Number.MAX_SAFE_INTEGER),
  maxEvents: integer(1, Number.MAX_SAFE_INTEGER),
  intervalMs: integer(0, MAX_MS),
  batchEvents: integer(1, 1000),
  waitUntil: callable,
}

/** Throws an error for the first unknown option or invalid value. The error names the option. */
export function checkOptions(options: OpenMonetizeOptions): void {
  if (!isObject(options)) throw new ConfigurationError('new OpenMonetize() requires an object.')
  check('option', '', options, OPTIONS)
  if (options.queue) check('queue option', 'queue.', options.queue, QUEUE_OPTIONS)
}

function check(what: string, prefix: string, options: object, checks: Readonly<Record<string, Check>>): void {
  knownOnly(what, options, Object.keys(checks))
  for (const [name, ruleOf] of Object.entries(checks)) {
    const value: unknown = Reflect.get(options, name)
    // All options except the key are optional.
    const rule = value === undefined && name !== 'apiKey' ? undefined : ruleOf(value)
    if (rule) throw new ConfigurationError(`${prefix}${name} must be ${rule}.`)
  }
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Rejects options with a name that is not in `known`. */
export function knownOnly(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new ConfigurationError(`Unknown ${what} ${unknown}. Known: ${known.join(', ')}.`)
  }
}

function isHttpUrl(text: unknown): boolean {
  try {
    const url = new URL(String(text))
    return /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === ''
  } catch {
    return false
  }
}
