import { type Json, objectOf, parseExact, textOf } from './exact.ts'

/**
 * Requests to the API. Widgets of a page with the same token and content share a feed, which makes one request for
 * all. A feed repeats its request while a widget uses it and the page is visible.
 */

/** A request that failed: an error of the API, or a request without a valid response. */
export interface Problem {
  /** The code of the error, or `http_` and the status for an error without a code; empty without a valid response. */
  readonly code: string
  readonly message: string
  /** The minimum wait before another request, from `Retry-After`; 0 without the header. */
  readonly retry_after_ms: number
}

export type State =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly body: Json; readonly text: string }
  | { readonly kind: 'failed'; readonly problem: Problem }

export interface Listener {
  readonly every_ms: number
  notify(state: State): void
}

export interface Feed {
  readonly state: State
  /** Adds a listener and starts the feed if necessary. Returns a function that removes the listener. */
  subscribe(listener: Listener): () => void
  /** Sends a request now. */
  refresh(): void
}

/**
 * The codes of errors that are permanent for a token. After such an error, the feed of the token sends no more requests
 * by itself.
 */
const FINAL_CODES = new Set([
  'invalid_api_key',
  'expired_api_key',
  'revoked_api_key',
  'missing_api_key',
  'insufficient_scope',
  'origin_not_allowed',
])

export function isTokenOver({ code }: Problem): boolean {
  return code.endsWith('_api_key')
}

const TIMEOUT_MS = 20_000
/** The longest interval between two requests that `refresh-seconds` can set, in milliseconds. */
const SLOWEST_MS = 3_600_000
const LONGEST_BACKOFF_MS = 300_000
const FIRST_RETRY_MS = 5_000
const NEVER = Number.POSITIVE_INFINITY

/** Sends a request with a token and returns the text of the response, or the problem. Never throws. */
export async function send(
  url: string,
  token: string,
  body?: object,
  idempotency_key?: string,
): Promise<{ readonly text: string } | Problem> {
  try {
    const response = await fetch(url, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body && { 'Content-Type': 'application/json' }),
        ...(idempotency_key !== undefined && { 'Idempotency-Key': idempotency_key }),
      },
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await response.text()
    return response.ok ? { text } : problemOf(response, text)
  } catch {
    return { code: '', message: '', retry_after_ms: 0 }
  }
}

function problemOf(response: Response, text: string): Problem {
  const retry_after_ms = 1_000 * (Number(response.headers.get('Retry-After')) || 0)
  const answer = objectOf(parsed(text))
  const message = textOf(answer.detail) || `HTTP ${response.status}`
  return { code: textOf(answer.code) || `http_${response.status}`, message, retry_after_ms }
}

function parsed(text: string): Json | undefined {
  try {
    return parseExact(text)
  } catch {
    return undefined
  }
}

class PollingFeed implements Feed {
  state: State = { kind: 'loading' }
  private readonly url: () => string
  private readonly token: string
  private readonly onEnd: () => void
  private readonly listeners = new Set<Listener>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private due_ms = 0
  private failures = 0
  private running = false
  private readonly onVisible = () => this.schedule()

  constructor(url: () => string, token: string, onEnd: () => void) {
    this.url = url
    this.token = token
    this.onEnd = onEnd
  }

  subscribe(listener: Listener): () => void {
    if (this.listeners.size === 0) document.addEventListener('visibilitychange', this.onVisible)
    this.listeners.add(listener)
    listener.notify(this.state)
    this.schedule()
    return () => {
      this.listeners.delete(listener)
      if (this.listeners.size > 0) return
      clearTimeout(this.timer)
      document.removeEventListener('visibilitychange', this.onVisible)
      this.onEnd()
    }
  }

  refresh(): void {
    this.due_ms = 0
    this.schedule()
  }

  private schedule(): void {
    clearTimeout(this.timer)
    // Starts no timer if the delay is infinite, because a timer with an infinite delay fires at once.
    if (this.running || document.hidden || this.listeners.size === 0 || this.due_ms === NEVER) return
    const wait_ms = Math.max(0, this.due_ms - Date.now())
    this.timer = setTimeout(() => void this.ask(), wait_ms)
  }

  private async ask(): Promise<void> {
    this.running = true
    const answer = await send(this.url(), this.token)
    this.running = false
    const body = 'text' in answer ? parsed(answer.text) : undefined
    if ('text' in answer && body !== undefined) {
      this.failures = 0
      this.due_ms = Date.now() + this.every_ms
      this.become({ kind: 'ready', body, text: answer.text })
    } else {
      const problem = 'text' in answer ? { code: '', message: '', retry_after_ms: 0 } : answer
      this.due_ms = Date.now() + this.retryAfter(problem)
      this.become({ kind: 'failed', problem })
    }
    this.schedule()
  }

  private get every_ms(): number {
    return Math.min(SLOWEST_MS, ...[...this.listeners].map(({ every_ms }) => every_ms))
  }

  /**
   * Returns the wait after a failure. The wait doubles with each failure, up to `LONGEST_BACKOFF_MS`. It is at least
   * `every_ms` and `Retry-After`, but at most `SLOWEST_MS`. It is infinite after a code of `FINAL_CODES`.
   */
  private retryAfter({ code, retry_after_ms }: Problem): number {
    if (FINAL_CODES.has(code)) return NEVER
    const backoff_ms = Math.min(LONGEST_BACKOFF_MS, FIRST_RETRY_MS * 2 ** Math.min(this.failures++, 10))
    return Math.min(SLOWEST_MS, Math.max(this.every_ms, backoff_ms, retry_after_ms))
  }

  private become(state: State): void {
    this.state = state
    for (const listener of [...this.listeners]) listener.notify(state)
  }
}

interface Shared {
  readonly feeds: Map<string, Feed>
  /**
   * Pending and new tokens by API origin, and then by the old token. A first token has no old token, so its key is
   * the function that returns it.
   */
  readonly renewals: Map<string, Map<unknown, Promise<string>>>
}

/**
 * The name of the shared state. Each widget file has a copy of this module, and all copies share the state. The
 * number is the version of `Shared`.
 */
const SHARED = Symbol.for('openmonetize.widgets.1')

function shared(): Shared {
  const known: Shared | undefined = Reflect.get(globalThis, SHARED)
  if (known) return known
  const made: Shared = { feeds: new Map(), renewals: new Map() }
  Reflect.set(globalThis, SHARED, made)
  return made
}

/**
 * Returns the feed of a resource and token. Calls `url` before each request, because the query can depend on the time.
 */
export function feedOf(base: string, token: string, name: string, url: () => string): Feed {
  const { feeds } = shared()
  const key = [base, token, name].join('\n')
  const known = feeds.get(key)
  if (known) return known
  const made = new PollingFeed(url, token, () => feeds.delete(key))
  feeds.set(key, made)
  return made
}

type MakeToken = () => Promise<string> | string

/**
 * Requests one new token for all widgets with the same old token, and one first token for all widgets with the same
 * function. For 30 seconds, also returns the new token to widgets whose requests end later. A first token is shared
 * only while it is pending, because another user can sign in later.
 */
export function renew(base: string, old: string, make: MakeToken): Promise<string> {
  const { renewals } = shared()
  const of_base = renewals.get(base) ?? new Map<unknown, Promise<string>>()
  renewals.set(base, of_base)
  const key = old === '' ? make : old
  const known = of_base.get(key)
  if (known) return known
  const made = makeToken(make)
  of_base.set(key, made)
  const forget = () => void of_base.delete(key)
  made.then(() => (old === '' ? forget() : setTimeout(forget, RENEWED_TOGETHER_MS)), forget)
  return made
}

const RENEWED_TOGETHER_MS = 30_000

async function makeToken(make: MakeToken): Promise<string> {
  const token: unknown = await make()
  if (typeof token !== 'string' || token === '') throw new Error('refreshToken must return a token')
  return token
}
