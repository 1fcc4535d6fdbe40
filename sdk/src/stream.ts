import { ConnectionError, InvalidResponseError, OpenMonetizeError } from './errors.ts'
import { backoffMs, readAnswer, sleep } from './http.ts'
import type { OpenMonetizeOptions } from './options.ts'
import type { Notification } from './webhooks.ts'

export type { Notification } from './webhooks.ts'

export interface StreamOptions extends Pick<OpenMonetizeOptions, 'apiKey' | 'baseUrl' | 'fetch'> {
  /**
   * The `sequence` of the notification after which the stream begins; 0 begins with the oldest stored notification.
   * Default: the stream begins with the next notification.
   */
  readonly after?: number | undefined
  /** The signal that ends the stream. An aborted stream throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** The maximum number of consecutive failed connections after which the stream connects again. Default: 10. */
  readonly maxRetries?: number | undefined
}

const DEFAULT_URL = 'http://localhost:8787'
const MAX_RETRIES = 10
const LONGEST_BACKOFF_MS = 30_000
/** The wait before the next connection after the server has closed one. */
const RECONNECT_MS = 1_000
/**
 * The time without data, in milliseconds, after which a connection is closed. The server sends a comment every 15
 * seconds.
 */
const SILENCE_MS = 45_000
/** The maximum length of an event, in characters. The server's events are much shorter. */
const MAX_EVENT_CHARS = 1024 * 1024

/**
 * Iterates over the notifications of the key's ledger as they happen, in order, without gaps or repeats. After a
 * connection ends or fails, connects again and continues after the last notification. Throws the reason of an aborted
 * `signal`, an error after which a retry cannot succeed, and the last error if `maxRetries` is exceeded.
 *
 * @example
 * for await (const { type, data } of stream({ apiKey, baseUrl })) console.log(type, data)
 */
export async function* stream(options: StreamOptions): AsyncGenerator<Notification, void, void> {
  const { signal, maxRetries = MAX_RETRIES } = options
  let after = options.after
  for (let failures = 0; ; ) {
    let wait_ms = RECONNECT_MS
    try {
      for await (const { id, data } of events(options, after)) {
        failures = 0
        if (data !== undefined && (after === undefined || id > after)) {
          after = id
          yield JSON.parse(data)
        }
        after ??= id
      }
    } catch (error) {
      if (!(error instanceof OpenMonetizeError) || !error.retryable || failures >= maxRetries) throw error
      wait_ms = Math.max(error.retryAfterMs ?? 0, backoffMs(failures, LONGEST_BACKOFF_MS))
      failures++
    }
    await sleep(wait_ms, signal)
  }
}

interface ServerSentEvent {
  readonly id: number
  /** The notification as JSON. Undefined for the first event, which has only the id at which the stream begins. */
  readonly data: string | undefined
}

/** Iterates over the events of one connection. */
async function* events(
  { apiKey, baseUrl = DEFAULT_URL, fetch: send = (input, init) => fetch(input, init), signal }: StreamOptions,
  after: number | undefined,
): AsyncGenerator<ServerSentEvent, void, void> {
  const closing = new AbortController()
  const close = () => closing.abort()
  signal?.throwIfAborted()
  signal?.addEventListener('abort', close, { once: true })
  const alive = async <T>(part: Promise<T>): Promise<T> => {
    const timer = setTimeout(close, SILENCE_MS)
    return part.finally(() => clearTimeout(timer))
  }
  try {
    const query = after === undefined ? '' : `?after=${after}`
    const headers = { Accept: 'text/event-stream', Authorization: `Bearer ${apiKey}` }
    const url = `${baseUrl.replace(/\/+$/, '')}/v1/stream${query}`
    const response = await alive(send(url, { headers, redirect: 'manual', signal: closing.signal }))
    if (!response.ok || !response.body || !/event-stream/.test(response.headers.get('Content-Type') ?? '')) {
      await readAnswer(response)
      throw new InvalidResponseError({
        code: 'invalid_response',
        detail: 'The response is not an event stream. Check baseUrl.',
      })
    }
    const reader = response.body.getReader()
    const decoder = new TextDecoder()
    for (let text = ''; ; ) {
      const { done, value } = await alive(reader.read())
      if (done) return
      const blocks = (text + decoder.decode(value, { stream: true })).split('\n\n')
      text = blocks.pop() ?? ''
      if (text.length > MAX_EVENT_CHARS) {
        const detail = `An event of the stream exceeds ${MAX_EVENT_CHARS} characters.`
        throw new InvalidResponseError({ code: 'invalid_response', detail })
      }
      for (const block of blocks) {
        const id = /^id: (\d+)$/m.exec(block)?.[1]
        if (id !== undefined) yield { id: Number(id), data: /^data: (.*)$/m.exec(block)?.[1] }
      }
    }
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    if (cause instanceof OpenMonetizeError) throw cause
    const detail = `The stream of ${baseUrl} failed: ${cause instanceof Error ? cause.message : cause}`
    throw new ConnectionError({ code: 'connection_failed', detail, retryable: true, cause })
  } finally {
    signal?.removeEventListener('abort', close)
    close()
  }
}
