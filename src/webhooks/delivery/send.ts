import type { Fetch } from '../../http/outbound/resolve.ts'
import { retryAfterMs } from '../../http/outbound/retry-after.ts'
import { LATE, withDeadline } from '../../time/durations.ts'

/** Sends a message with a POST. Waits up to 15 s for the response, and keeps at most 1 KB of its body. */

/** The reason why no response arrived. */
export type SendError = 'timeout' | 'connection_failed' | 'address_refused' | 'name_not_resolved'

/** An attempt of a delivery, as it is recorded in D1. */
export interface Attempt {
  readonly at_ms: number
  /** The HTTP status of the response; null if no response arrived. */
  readonly status_code: number | null
  /** The reason why no response arrived; null if one arrived. */
  readonly error: SendError | null
  readonly duration_ms: number
  /** The beginning of the response body, at most 1 KB. */
  readonly answer: string
}

export interface Sent {
  readonly attempt: Attempt
  readonly retry_after_ms: number | undefined
}

export interface Message {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The HTTP client, the time limit and the clock for sending messages. Tests replace them. */
export interface SendLimits {
  readonly fetcher: Fetch
  readonly timeout_ms: number
  readonly now: () => number
}

const TIMEOUT_MS = 15_000
/**
 * The time limit for reading the body of a response. It is short, because the status is already known and decides the
 * outcome.
 */
const ANSWER_TIMEOUT_MS = 1_000
const MAX_ANSWER_BYTES = 1_024

export const SEND_LIMITS: SendLimits = {
  fetcher: (url, init) => fetch(url, init),
  timeout_ms: TIMEOUT_MS,
  now: () => Date.now(),
}

export function isSuccess({ status_code }: Attempt): boolean {
  return status_code !== null && status_code >= 200 && status_code < 300
}

/** Returns the result of an attempt that got no response, with the duration 0. */
export function notSent(error: SendError, at_ms: number): Sent {
  return {
    attempt: { at_ms, status_code: null, error, duration_ms: 0, answer: '' },
    retry_after_ms: undefined,
  }
}

/**
 * Sends a message and returns the result of the attempt. Never throws. Does not follow redirects, because their targets
 * are not checked.
 */
export async function send(message: Message, { fetcher, timeout_ms, now }: SendLimits): Promise<Sent> {
  const at_ms = now()
  const stop = new AbortController()
  const request = fetcher(message.url, {
    method: 'POST',
    headers: message.headers,
    body: message.body,
    redirect: 'manual',
    signal: stop.signal,
  })
  try {
    const response = await withDeadline(request, timeout_ms)
    if (response === LATE) return failed('timeout', at_ms, now())
    const answer = await beginningOf(response, Math.min(ANSWER_TIMEOUT_MS, timeout_ms))
    const ended_ms = now()
    return {
      attempt: {
        at_ms,
        status_code: response.status,
        error: null,
        duration_ms: ended_ms - at_ms,
        answer,
      },
      retry_after_ms: retryAfterMs(response.headers.get('Retry-After'), ended_ms),
    }
  } catch {
    return failed('connection_failed', at_ms, now())
  } finally {
    // The abort also closes the connection if the response was not read to its end.
    stop.abort()
    request.catch(() => undefined)
  }
}

function failed(error: SendError, at_ms: number, ended_ms: number): Sent {
  const sent = notSent(error, at_ms)
  return { ...sent, attempt: { ...sent.attempt, duration_ms: ended_ms - at_ms } }
}

/** Returns the beginning of a response body: at most 1 KB, and only the part that arrives within the time limit. */
async function beginningOf(response: Response, timeout_ms: number): Promise<string> {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const chunks: Uint8Array[] = []
  const read = async () => {
    for (let bytes = 0; bytes < MAX_ANSWER_BYTES; ) {
      const { done, value } = await reader.read()
      if (done || !(value instanceof Uint8Array)) return
      chunks.push(value)
      bytes += value.byteLength
    }
  }
  try {
    await withDeadline(read(), timeout_ms)
  } catch {
    // The error is ignored, because the status is already known. The part of the body that arrived is kept.
  }
  reader.cancel().catch(() => undefined)
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES))
  // The last character is removed if the limit has cut it.
  return text.replace(/\uFFFD$/, '')
}
