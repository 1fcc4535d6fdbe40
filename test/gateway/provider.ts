import { exports } from 'cloudflare:workers'
import { vi } from 'vitest'
import { type ApiOptions, apiRequest } from '../support/api.ts'

/**
 * Replaces `fetch` with a provider that returns the response of `answer` to every call. Returns the requests that it
 * received.
 */
export function providerAnswering(answer: () => Response): Request[] {
  const requests: Request[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    requests.push(new Request(input, init))
    return answer()
  })
  return requests
}

const PROVIDER_KEY = 'sk-canary-of-the-provider-0123456789'

/**
 * Sends a call to the gateway with a provider key in its header. `api` cannot be used, because the OpenAPI document
 * does not describe the responses of the gateway.
 */
export function call(target: string, { headers, ...options }: ApiOptions): Promise<Response> {
  const sent = { 'X-Provider-Key': PROVIDER_KEY, ...headers }
  return exports.default.fetch(apiRequest(`/gateway/${target}`, { ...options, headers: sent }))
}

/** A response of Gemini in JSON, whose usage costs credits. */
export function geminiAnswer(): Response {
  const content = { role: 'model', parts: [{ text: 'Well.' }] }
  const usageMetadata = { promptTokenCount: 1200, candidatesTokenCount: 400, totalTokenCount: 1600 }
  return Response.json({ candidates: [{ content, finishReason: 'STOP' }], usageMetadata })
}
