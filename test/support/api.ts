import { exports } from 'cloudflare:workers'
import { expectDocumented } from './documented.ts'

export interface ApiOptions {
  /** The API key, which is sent as a bearer token. */
  readonly key?: string
  readonly method?: string
  /**
   * The body of the request, which is sent as JSON. A string or bytes are sent unchanged. With a body, the default
   * method is POST.
   */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a request to the Worker, and returns the response. */
export async function api(path: string, options: ApiOptions = {}): Promise<Response> {
  return send(apiRequest(path, options), (request) => exports.default.fetch(request))
}

/**
 * Sends a request with `fetch`, and fails if the OpenAPI document does not describe the response. All tests over HTTP
 * use this function.
 */
export async function send(
  request: Request,
  fetch: (request: Request) => Response | Promise<Response>,
): Promise<Response> {
  const response = await fetch(request)
  await expectDocumented(request, response)
  return response
}

export function apiRequest(path: string, { key, method, body, headers = {} }: ApiOptions = {}): Request {
  const sent = new Headers(headers)
  if (key !== undefined) sent.set('Authorization', `Bearer ${key}`)
  if (body !== undefined && !sent.has('Content-Type')) sent.set('Content-Type', 'application/json')
  const init: RequestInit = { method: method ?? (body === undefined ? 'GET' : 'POST'), headers: sent }
  if (body instanceof Uint8Array) init.body = new Uint8Array(body)
  else if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body)
  return new Request(`https://api.test${path}`, init)
}

/** Returns the JSON object of a response. Its fields are `unknown`: compare them, or read them with `textField`. */
export async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json()
  if (typeof body !== 'object' || body === null) throw new Error(`not a JSON object: ${JSON.stringify(body)}`)
  return { ...body }
}

export function textField(body: Readonly<Record<string, unknown>>, field: string): string {
  const value = body[field]
  if (typeof value !== 'string') throw new Error(`${field} is not a string in ${JSON.stringify(body)}`)
  return value
}
