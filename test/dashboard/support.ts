import { exports } from 'cloudflare:workers'
import { type ApiOptions, apiRequest } from '../support/api.ts'
import { expectDocumented } from '../support/documented.ts'

export const ORIGIN = 'https://api.test'

type Fetch = (request: Request) => Response | Promise<Response>

interface PageOptions extends ApiOptions {
  /** The value of the session cookie. */
  readonly session?: string
  /** The page's origin; null for a request without the header. */
  readonly origin?: string | null
  readonly fetch?: Fetch
}

/**
 * Sends a request in the same way as a page of the dashboard. Checks the API's responses against the OpenAPI document.
 */
export async function fromDashboard(path: string, options: PageOptions = {}): Promise<Response> {
  const { session, origin, fetch = (request) => exports.default.fetch(request), ...rest } = options
  const plain = apiRequest(path, rest)
  const headers = new Headers(plain.headers)
  if (session !== undefined) headers.set('Cookie', `other=1; __Host-om_session=${session}`)
  const sent = origin === undefined && plain.method !== 'GET' ? ORIGIN : origin
  if (typeof sent === 'string') headers.set('Origin', sent)
  const response = await fetch(new Request(`${ORIGIN}/dashboard/api${path}`, new Request(plain, { headers })))
  if (path.startsWith('/v1/') && response.status !== 403) await expectDocumented(plain, response)
  return response
}

/** Signs in, and returns the token of the session. */
export async function signIn(credential: string, options: PageOptions = {}): Promise<string> {
  const response = await fromDashboard('/session', { body: { credential }, ...options })
  if (response.status !== 201) throw new Error(`not signed in: ${response.status} ${await response.text()}`)
  const [, token = ''] = /^__Host-om_session=([^;]+);/.exec(response.headers.get('Set-Cookie') ?? '') ?? []
  return token
}
