import { ConfigurationError, type OpenMonetizeError } from './errors.ts'
import type { QueueStore } from './queue/store.ts'
import type { Event } from './types.ts'

/** The policy for calls and events while the meter does not answer. */
export type OnUnavailable = 'queue' | 'allow' | 'deny'

export interface QueueOptions {
  /** The place where events wait. Default: memory. `fileStore` and `indexedDbStore` survive a crash. */
  readonly store?: QueueStore
  /**
   * The maximum number of bytes of JSON that wait; a further event is dropped, counted and reported. Default
   * 64 MiB.
   */
  readonly maxBytes?: number
  /** The maximum number of events that wait. Default: no bound beside `maxBytes`. */
  readonly maxEvents?: number
  /** The time that an event waits for others before it is sent. Default 1,000. */
  readonly intervalMs?: number
  /** The maximum number of events of one request, 1 to 1,000. Default 500. */
  readonly batchEvents?: number
  /** Keeps the runtime alive until the queue is sent: `ctx.waitUntil` of Workers, `after` of Next.js. */
  readonly waitUntil?: (work: Promise<void>) => void
}

export interface OpenMonetizeOptions {
  /** A customer's API key, or the operator token. `null` for the routes that take none. */
  readonly apiKey: string | null
  /** Default `http://localhost:8787`: a development server. */
  readonly baseUrl?: string
  /** The time limit of one attempt. Default 30,000. */
  readonly timeoutMs?: number
  /** The number of attempts after the first one. Default 2. */
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

/** The longest delay that a timer supports. */
const MAX_MS = 2_147_483_647

/** Returns the rule that a value breaks, which follows "must be"; undefined for a valid value. */
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
      : 'a key without spaces, such as om_live_…; null for routes without one',
  baseUrl: (value) =>
    isHttpUrl(value) ? undefined : `an http or https address without a query: ${String(value)}`,
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
      : 'a store: memoryStore(), fileStore(path) or indexedDbStore(name)',
  maxBytes: integer(1, Number.MAX_SAFE_INTEGER),
  maxEvents: integer(1, Number.MAX_SAFE_INTEGER),
  intervalMs: integer(0, MAX_MS),
  batchEvents: integer(1, 1000),
  waitUntil: callable,
}

/** Rejects a wrong option by name, before anything is sent. */
export function checkOptions(options: OpenMonetizeOptions): void {
  if (!isObject(options)) throw new ConfigurationError('new OpenMonetize({ apiKey }) takes an object.')
  check('option', '', options, OPTIONS)
  if (options.queue) check('queue option', 'queue.', options.queue, QUEUE_OPTIONS)
}

function check(what: string, prefix: string, options: object, checks: Readonly<Record<string, Check>>): void {
  knownOnly(what, options, Object.keys(checks))
  for (const [name, ruleOf] of Object.entries(checks)) {
    const value: unknown = Reflect.get(options, name)
    // Every option but the key may be left out.
    const rule = value === undefined && name !== 'apiKey' ? undefined : ruleOf(value)
    if (rule) throw new ConfigurationError(`${prefix}${name} must be ${rule}.`)
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

function isHttpUrl(text: unknown): boolean {
  try {
    const url = new URL(String(text))
    return /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === ''
  } catch {
    return false
  }
}
