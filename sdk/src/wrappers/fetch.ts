import type { OpenMonetizeError } from '../errors.ts'
import type { Event } from '../types.ts'
import { isJson, type Json, type Meter, type MeteredCall } from './metering.ts'

/** The description of one HTTP API of a provider. */
export interface Api {
  /** The value of `provider_api` for this API. */
  readonly name: string
  /** The pattern of the API's path. */
  readonly path: RegExp
  readonly event_type?: Event['event_type']
  /** The request fields that limit the output. If a request has none, the limit is written to the first field. */
  readonly limits?: readonly string[]
  /** The request fields that the model reads. */
  readonly input: readonly string[]
  /** Requests the usage of streams with `stream_options.include_usage`. */
  readonly asksForUsage?: boolean
  /** Reads an answer, or one event of a stream. */
  readonly read: (call: MeteredCall, json: Json, request: Json) => void
}

type Fetch = typeof fetch

/** The maximum length of text that is read for usage. Longer answers and stream events are only passed on. */
const MAX_CHARS = 32 * 1024 * 1024

/** Returns a `fetch` that meters the calls of `apis` and passes all other requests through. */
export function meteredFetch(inner: Fetch, meter: Meter, apis: readonly Api[]): Fetch {
  return async (input, init) => {
    const path = new URL(input instanceof Request ? input.url : String(input)).pathname
    const api = apis.find((candidate) => candidate.path.test(path))
    const body = api && typeof init?.body === 'string' ? parse(init.body) : undefined
    if (!api || !body) return inner(input, init)
    const limit = api.limits?.find((name) => typeof body[name] === 'number')
    const most = limit === undefined ? undefined : Number(body[limit])
    const call = await meter
      .begin({
        api: api.name,
        model: typeof body.model === 'string' ? body.model : undefined,
        input: api.input.map((name) => body[name]),
        max_output_tokens: most,
        ...(api.event_type && { event_type: api.event_type }),
      })
      .catch((error: OpenMonetizeError) => error)
    if (call instanceof Error) return refusal(call)
    const options = isJson(body.stream_options) ? body.stream_options : {}
    const asks = api.asksForUsage && body.stream === true && !options.include_usage
    const limited = limit ?? api.limits?.[0]
    const changed = {
      ...body,
      ...(asks && { stream_options: { ...options, include_usage: true } }),
      ...(limited && call.max_output_tokens !== undefined && { [limited]: call.max_output_tokens }),
    }
    const request =
      asks || call.max_output_tokens !== undefined ? { ...init, body: JSON.stringify(changed) } : init
    const signal = init?.signal
    const onAbort = () => call.end()
    try {
      const response = await inner(input, withoutLength(request))
      if (!response.ok || !response.body) {
        call.fail()
        return response
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const ended = () => {
        signal?.removeEventListener('abort', onAbort)
        call.end()
      }
      return metered(response, response.body, (json) => api.read(call, json, body), ended, asks === true)
    } catch (error) {
      call.fail()
      throw error
    }
  }
}

/** Removes `Content-Length`, because the changed body may have another length. */
function withoutLength(init: RequestInit | undefined): RequestInit | undefined {
  if (!init?.headers) return init
  const headers = new Headers(init.headers)
  headers.delete('content-length')
  return { ...init, headers }
}

/** Returns a copy of the response whose body is read for usage while the caller reads it. */
function metered(
  response: Response,
  body: ReadableStream<Uint8Array>,
  read: (json: Json) => void,
  ended: () => void,
  dropsUsage: boolean,
): Response {
  const isStream = /event-stream/.test(response.headers.get('Content-Type') ?? '')
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let rest = ''
  /** Adds a text to `rest` and reads the complete events. Returns the text to pass on. */
  const take = (text: string): string => {
    rest += text
    if (rest.length > MAX_CHARS) rest = ''
    if (!isStream) return text
    const events = rest.split(/(?<=\n\n|\r\n\r\n|\r\r)/)
    rest = /(\n\n|\r\n\r\n|\r\r)$/.test(rest) ? '' : (events.pop() ?? '')
    return events.filter((event) => keeps(event)).join('')
  }
  const keeps = (event: string): boolean => {
    let kept = true
    for (const line of event.split(/\r\n|\n|\r/)) {
      const json = line.startsWith('data:') ? parse(line.slice(5)) : undefined
      if (!json) continue
      read(json)
      // The caller did not request the usage chunk, and may not support a chunk without choices.
      if (dropsUsage && json.usage && Array.isArray(json.choices) && json.choices.length === 0) kept = false
    }
    return kept
  }
  const finish = (): string => {
    const left = rest
    const json = isStream ? undefined : parse(rest)
    if (json) read(json)
    const passed = isStream && left !== '' && keeps(left) ? left : ''
    ended()
    return passed
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await reader.read()
            const passed = take(decoder.decode(value, { stream: !done }))
            const last = done ? finish() : ''
            if (!dropsUsage && value) controller.enqueue(value)
            else if (dropsUsage && passed + last) controller.enqueue(encoder.encode(passed + last))
            if (done) return controller.close()
            // A stream does not call `pull` again after a call that enqueued nothing.
            if (!dropsUsage || passed) return
          }
        } catch (error) {
          ended()
          controller.error(error)
        }
      },
      cancel(reason) {
        ended()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const copy = new Response(stream, response)
  Object.defineProperty(copy, 'url', { value: response.url })
  return copy
}

/**
 * Returns the response of a refused call. Its `headers` throw the error, which reaches the caller unchanged. A
 * provider's client would retry a `fetch` that throws, and wrap its error.
 */
function refusal(error: OpenMonetizeError): Response {
  const response = new Response(JSON.stringify({ error: { code: error.code, message: error.message } }), {
    status: 402,
    headers: { 'x-should-retry': 'false' },
  })
  return Object.defineProperty(response, 'headers', {
    get() {
      throw error
    },
  })
}

function parse(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJson(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The part of a provider's client that the wrappers use: a copy of the client with another `fetch`. */
export interface FetchClient<T> {
  withOptions(options: { fetch: Fetch }): T
}

/** Returns the `fetch` of a client. */
export function fetchOf(client: object): Fetch {
  const own: unknown = Reflect.get(client, 'fetch')
  return isFetch(own) ? own : (input, init) => globalThis.fetch(input, init)
}

function isFetch(value: unknown): value is Fetch {
  return typeof value === 'function'
}
