import type { OpenMonetizeError } from '../errors.ts'
import type { Event } from '../types.ts'
import { isJson, type Json, type Meter, type MeteredCall } from './metering.ts'

/** The description of one HTTP API of a provider. */
export interface Api {
  /** The value of `provider_api` for this API. */
  readonly name: string
  /** The pattern that the path of a request must match. */
  readonly path: RegExp
  readonly event_type?: Event['event_type']
  /**
   * The request fields that limit the output. The wrapper writes the limit of `clip` to the field that the request has,
   * or to the first of them if the request has none.
   */
  readonly limits?: readonly string[]
  /** The request fields with the content that the model reads. */
  readonly input: readonly string[]
  /**
   * Whether the wrapper adds `stream_options.include_usage` to streaming requests, so that the provider reports the
   * usage.
   */
  readonly asksForUsage?: boolean
  /** The function that reads the usage from a response or from one event of a stream. */
  readonly read: (call: MeteredCall, json: Json, request: Json) => void
}

type Fetch = typeof fetch

/**
 * The maximum length, in characters, of a response or an unfinished stream event that is kept to read its usage. No
 * usage is read from a longer one.
 */
const MAX_CHARS = 32 * 1024 * 1024

/** The pattern of the end of a stream event. */
const END = /\n\n|\r\n\r\n|\r\r/
const AFTER_END = new RegExp(`(?<=${END.source})`)
const LAST_END = new RegExp(`(?:${END.source})$`)

/** Returns a `fetch` that meters the calls of `apis` with a JSON body and passes all other requests through. */
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

/** Removes `Content-Length`, because the changed body can have a different length. */
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
  /** The last characters of `rest`, in which the end of an event can begin. */
  let seam = ''
  /** Adds a text to `rest` and reads the usage of the complete events. Returns the text that the caller receives. */
  const take = (text: string): string => {
    rest += text
    if (!isStream) {
      if (rest.length > MAX_CHARS) rest = ''
      return text
    }
    // Searches only the new text, because searches of all of `rest` would take quadratic time for a long event.
    const searched = seam + text
    seam = searched.slice(-3)
    let passed = ''
    if (END.test(searched)) {
      const events = rest.split(AFTER_END)
      rest = LAST_END.test(rest) ? '' : (events.pop() ?? '')
      passed = events.filter((event) => keeps(event)).join('')
    }
    if (rest.length <= MAX_CHARS) return passed
    const unread = rest
    rest = ''
    return passed + unread
  }
  const keeps = (event: string): boolean => {
    let kept = true
    for (const line of event.split(/\r\n|\n|\r/)) {
      const json = line.startsWith('data:') ? parse(line.slice(5)) : undefined
      if (!json) continue
      read(json)
      // Drops the usage chunk, because the caller did not request it and might not support a chunk without choices.
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
            // A stream does not call `pull` again after a call that enqueues nothing, so the loop reads until it has
            // text to enqueue.
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
 * Returns the response to a call that the meter refuses. Reading its `headers` throws the error, which reaches the
 * caller unchanged. If `fetch` itself threw the error, the provider's client would retry the call and wrap the error.
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

/** The method of a provider's client that the wrappers use. It returns a copy of the client with another `fetch`. */
export interface FetchClient<T> {
  withOptions(options: { fetch: Fetch }): T
}

/** Returns the `fetch` of a provider's client, or the global `fetch` if the client has none. */
export function fetchOf(client: object): Fetch {
  const own: unknown = Reflect.get(client, 'fetch')
  return isFetch(own) ? own : (input, init) => globalThis.fetch(input, init)
}

function isFetch(value: unknown): value is Fetch {
  return typeof value === 'function'
}
