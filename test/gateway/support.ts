import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { createApp } from '../../src/app.ts'
import type { Bindings } from '../../src/bindings.ts'
import { apiRequest } from '../support/api.ts'

/** Calls the gateway in the isolate of the test. `playProvider` simulates the provider. */

const app = createApp()

export const CHAT = {
  model: 'gpt-4o-2024-08-06',
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'Hello' }],
}
export const COMPLETION = {
  model: CHAT.model,
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hi.' } }],
  usage: { prompt_tokens: 8, completion_tokens: 100, total_tokens: 108 },
}

export type Answer = (signal: AbortSignal) => Response | Promise<Response>

export const json =
  (body: object, status = 200, headers: Readonly<Record<string, string>> = {}): Answer =>
  () =>
    Response.json(body, { status, headers })

/**
 * Replaces `fetch`, so that the provider's responses to the following requests are `answers`, in order. Returns the
 * times of the requests.
 */
export function playProvider(...answers: readonly Answer[]): readonly number[] {
  const requests_at_ms: number[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
    const answer = answers[requests_at_ms.push(Date.now()) - 1]
    if (!answer) throw new TypeError('Network connection lost.')
    return answer(init?.signal ?? new AbortController().signal)
  })
  return requests_at_ms
}

/**
 * Sends a chat completion to the gateway. `settled` resolves when all work of the call has ended; for a stream, the
 * caller must read or cancel its body first. The client disconnects when `signal` aborts.
 */
export async function chat(
  api_key: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
  variables: Partial<Bindings> = {},
  signal?: AbortSignal,
): Promise<{ readonly response: Response; readonly settled: () => Promise<void> }> {
  const request = apiRequest('/gateway/openai/v1/chat/completions', {
    key: api_key,
    body,
    headers: { 'X-Provider-Key': 'sk-of-the-provider', ...headers },
  })
  const ctx = createExecutionContext()
  const sent = signal ? new Request(request, { signal }) : request
  const response = await app.fetch(sent, { ...env, ...variables }, ctx)
  return { response, settled: () => waitOnExecutionContext(ctx) }
}

const event = (data: object | string) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

/** Returns a chunk of a streamed chat completion with this text. */
export const word = (content: string) =>
  event({ model: CHAT.model, choices: [{ index: 0, delta: { content } }] })
/** The last chunks of a stream, with its usage. */
export const END = [
  event({ model: CHAT.model, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  event({ model: CHAT.model, choices: [], usage: COMPLETION.usage }),
  event('[DONE]'),
]

/**
 * Returns an answer that streams chunks as they are read. A number in `chunks` is a pause in milliseconds. The stream
 * ends with an error if the request is aborted.
 */
export const stream =
  (...chunks: readonly (string | number)[]): Answer =>
  (signal) => {
    const left = [...chunks]
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          while (typeof left[0] === 'number') await scheduler.wait(Number(left.shift()))
          if (signal.aborted) controller.error(new Error('aborted'))
          else if (left.length === 0) controller.close()
          else controller.enqueue(new TextEncoder().encode(String(left.shift())))
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }
