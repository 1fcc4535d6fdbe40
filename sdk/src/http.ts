import {
  apiError,
  ConfigurationError,
  ConnectionError,
  InvalidResponseError,
  isRetryable,
  OpenMonetizeError,
  type Problem,
  TimeoutError,
} from './errors.ts'
import { isObject } from './options.ts'

export interface RequestOptions {
  /** The signal that cancels the call. A cancelled call throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** The time limit of one attempt, including its response. Default: the client's `timeoutMs`. */
  readonly timeoutMs?: number | undefined
  /** The maximum number of retries. Default: the client's `maxRetries`. */
  readonly maxRetries?: number | undefined
  /** The idempotency key of every attempt. Default: a random key. A `GET` request has no key. */
  readonly idempotencyKey?: string | undefined
  /** The id that is sent as `X-Request-Id`. */
  readonly requestId?: string | undefined
  /** Whether the request continues after its page is closed. Browsers limit the body of such a request to 64 KB. */
  readonly keepalive?: boolean | undefined
}

/** A response: its parsed body, its status and its headers. */
export interface Answered<T> {
  readonly data: T
  readonly status: number
  readonly requestId: string | undefined
  /** Whether this is the stored response to an earlier request with the same idempotency key. */
  readonly replayed: boolean
  readonly headers: Headers
}

/** A promise of the body of a response. `withResponse()` also returns the status and the headers. */
export interface Call<T> extends Promise<T> {
  withResponse(): Promise<Answered<T>>
}

export interface HttpConfig {
  readonly apiKey: string | null
  readonly baseUrl: string
  readonly timeoutMs: number
  readonly maxRetries: number
  readonly fetch: typeof fetch
}

/**
 * The longest wait before a retry. If the server requests a longer wait, the call is not retried and throws the
 * server's error.
 */
const LONGEST_WAIT_MS = 60_000
const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 8_000
/** The maximum length of a response, in characters. The API's largest response is much shorter. */
const MAX_ANSWER_CHARS = 64 * 1024 * 1024

export class Http {
  readonly config: HttpConfig

  constructor(config: HttpConfig) {
    this.config = config
  }

  /** Sends `body` as JSON and returns the parsed response. */
  call<T>(method: string, path: string, body?: unknown, options: RequestOptions = {}): Call<T> {
    const answered = this.send<T>(method, path, JSON.stringify(body), options)
    const data = answered.then((answer) => answer.data)
    return Object.assign(data, {
      withResponse() {
        // Prevents an unhandled rejection of `data`, because the caller receives the error from `answered`.
        data.catch(() => undefined)
        return answered
      },
    })
  }

  /** Sends a request, and retries it with the same body and key after a retryable error. */
  async send<T>(
    method: string,
    path: string,
    body: string | undefined,
    options: RequestOptions = {},
  ): Promise<Answered<T>> {
    const { signal, maxRetries = this.config.maxRetries, timeoutMs = this.config.timeoutMs } = options
    const headers: Record<string, string> = { Accept: 'application/json' }
    // A registration accepts the operator token or no key, so a customer's key is not sent.
    const isForeign = path === '/v1/customers/register' && this.config.apiKey?.startsWith('om_')
    if (this.config.apiKey !== null && !isForeign) headers.Authorization = `Bearer ${this.config.apiKey}`
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (method !== 'GET')
      headers['Idempotency-Key'] = headerOf('idempotencyKey', options.idempotencyKey ?? randomKey())
    if (options.requestId !== undefined) headers['X-Request-Id'] = headerOf('requestId', options.requestId)
    const init: RequestInit = { method, headers, redirect: 'manual' }
    if (body !== undefined) init.body = body
    if (options.keepalive) init.keepalive = true

    for (let attempt = 0; ; attempt++) {
      try {
        return await this.attempt<T>(path, init, timeoutMs, signal)
      } catch (error) {
        if (!(error instanceof OpenMonetizeError)) throw error
        const wait_ms = Math.max(error.retryAfterMs ?? 0, backoffMs(attempt, LONGEST_BACKOFF_MS))
        if (!error.retryable || attempt >= maxRetries || wait_ms > LONGEST_WAIT_MS) throw error
        await sleep(wait_ms, signal)
      }
    }
  }

  private async attempt<T>(
    path: string,
    init: RequestInit,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Answered<T>> {
    signal?.throwIfAborted()
    const controller = new AbortController()
    // Ends the call even if a custom `fetch` ignores the signal.
    const ended = new Promise<never>((_resolve, reject) => {
      controller.signal.addEventListener('abort', reject)
    })
    const end = () => controller.abort()
    const timer = setTimeout(end, timeoutMs)
    signal?.addEventListener('abort', end, { once: true })
    try {
      const request = this.config.fetch(this.config.baseUrl + path, { ...init, signal: controller.signal })
      return await Promise.race([request.then((response) => readAnswer<T>(response)), ended])
    } catch (cause) {
      if (signal?.aborted) throw signal.reason
      if (cause instanceof OpenMonetizeError) throw cause
      if (controller.signal.aborted) {
        const detail = `No complete response from ${this.config.baseUrl} in ${timeoutMs} ms.`
        throw new TimeoutError({ code: 'timeout', detail, retryable: true })
      }
      const detail = `The request to ${this.config.baseUrl} failed: ${reasonOf(cause)}`
      throw new ConnectionError({ code: 'connection_failed', detail, retryable: true, cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
    }
  }
}

export async function readAnswer<T>(response: Response): Promise<Answered<T>> {
  const { status, headers } = response
  const text = await readText(response)
  const requestId = headers.get('X-Request-Id') ?? undefined
  const retryAfterMs = waitOf(headers.get('Retry-After'))
  const isJson = /[/+]json/.test(headers.get('Content-Type') ?? '')
  let data: unknown
  let broken = !isJson && text !== ''
  try {
    if (isJson) data = JSON.parse(text)
  } catch {
    broken = true
  }
  if (response.ok && !broken) {
    // The type of the body is from the OpenAPI document. The client does not validate the server's responses.
    return { data: data as T, status, requestId, replayed: headers.has('Idempotency-Replayed'), headers }
  }
  if (!response.ok && isProblem(data)) throw apiError(status, data, { requestId, retryAfterMs })
  const shown = text.replace(/\s+/g, ' ').slice(0, 200)
  throw new InvalidResponseError({
    status,
    code: 'invalid_response',
    detail: `The response is incomplete or not from the API. Check baseUrl. ${shown}`.trim(),
    requestId,
    retryAfterMs,
    // The server stores the response under the key, so a retry after a truncated body gets the same response.
    retryable: response.ok ? isJson : isRetryable(status, ''),
  })
}

/** Returns the text of a body. Throws if it is longer than `MAX_ANSWER_CHARS`. */
async function readText(response: Response): Promise<string> {
  if (!response.body) return response.text()
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    text += decoder.decode(value, { stream: !done })
    if (done) return text
    if (text.length > MAX_ANSWER_CHARS) {
      await reader.cancel()
      throw new InvalidResponseError({
        status: response.status,
        code: 'invalid_response',
        detail: `The response has over ${MAX_ANSWER_CHARS} characters.`,
      })
    }
  }
}

/**
 * Returns the wait that a `Retry-After` header requests, in milliseconds; undefined without a valid header. The header
 * is a number of seconds or a date.
 */
function waitOf(text: string | null): number | undefined {
  if (text === null) return undefined
  const wait_ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(wait_ms) ? undefined : Math.max(0, wait_ms)
}

function isProblem(data: unknown): data is Problem {
  return isObject(data) && 'code' in data && typeof data.code === 'string'
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? cause.cause.message || cause.message : cause.message
}

/**
 * Returns a random wait before the next attempt, in milliseconds. The upper bound of the wait doubles with each
 * attempt, up to `longest_ms`.
 */
export function backoffMs(attempt: number, longest_ms: number): number {
  return Math.random() * Math.min(longest_ms, FIRST_BACKOFF_MS * 2 ** attempt)
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end)
      resolve()
    }, ms)
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
  })
}

/** Returns 128 random bits in hexadecimal. `crypto.randomUUID` exists only in secure contexts. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}

/** Inserts an id into a path. Rejects an id that a URL cannot contain or that would change the path's segments. */
export function pathOf(path: string, id: string): string {
  if (typeof id !== 'string' || /^\.{0,2}$/.test(id) || LONE_SURROGATE.test(id)) {
    throw new ConfigurationError(`${JSON.stringify(id)} is not an id for ${path}.`)
  }
  return path.replace('{id}', encodeURIComponent(id))
}

/** A lone surrogate, which a URL cannot contain. */
const LONE_SURROGATE = /\p{Surrogate}/u

function headerOf(name: string, value: string): string {
  if (/^[ -~]{1,255}$/.test(value)) return value
  throw new ConfigurationError(
    `${name} must be 1 to 255 printable ASCII characters, not ${JSON.stringify(value)}.`,
  )
}

/** Returns the query string of the parameters that have a value. Throws if a value has a lone surrogate. */
export function queryOf(params: unknown): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(Object(params))) {
    if (value === undefined || value === null) continue
    if (LONE_SURROGATE.test(String(value))) {
      throw new ConfigurationError(`${name} must not have lone surrogates: ${JSON.stringify(value)}.`)
    }
    query.set(name, String(value))
  }
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
