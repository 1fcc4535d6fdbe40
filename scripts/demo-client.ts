/** The requests of the demo, and the fields of their answers. */
import { runningServer, STATE } from './local-state.ts'

/** Returns the URL in BASE_URL, or the URL of the running server of this checkout. The demo never guesses a port. */
export function serverUrl(): string {
  return (process.env.BASE_URL ?? ownServer()).replace(/\/+$/, '')
}

function ownServer(): string {
  const url = runningServer()
  const port = process.env.PORT
  if (url === undefined) {
    throw new Error(
      `No server uses the state in ${STATE}.\nStart one with "npm start" in another terminal, or name a server: BASE_URL=http://localhost:8788 npm run demo`,
    )
  }
  if (port === undefined || port === new URL(url).port) return url
  throw new Error(`The server of this checkout is on ${url}, and not on port ${port}.`)
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  readonly replayed: boolean
}

/**
 * Sends a GET, or a POST if there is a body. Returns any answer, regardless of its status. Throws if no answer
 * arrives.
 */
export async function call(
  route: string,
  { key, body }: { readonly key?: string; readonly body?: object },
): Promise<Answer> {
  const url = serverUrl()
  const response = await fetch(`${url}${route}`, {
    headers: {
      ...(key !== undefined && { Authorization: `Bearer ${key}` }),
      ...(body && { 'Content-Type': 'application/json' }),
    },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  }).catch((error: unknown) => {
    throw new Error(
      `No server answers on ${url} (${reasonOf(error)}).\nStart the server with "npm start" in another terminal, or name a server: BASE_URL=http://localhost:8788 npm run demo`,
    )
  })
  const text = await response.text()
  const replayed = response.headers.get('Idempotency-Replayed') === 'true'
  return { status: response.status, text, body: objectIn(text, `${url}${route}`), replayed }
}

function objectIn(text: string, url: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The body is not JSON. The error below reports it.
  }
  if (typeof value === 'object' && value !== null) return { ...value }
  throw new Error(`${url} does not answer like OpenMonetize Edge: ${text.slice(0, 200)}`)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}

/** Returns the answer. Throws if it has another status, because the demo cannot continue then. */
export function must(answer: Answer, status: number): Answer {
  if (answer.status === status) return answer
  throw new Error(`The server answered ${answer.status}, not ${status}: ${answer.text}`)
}

export function numberOf({ body }: Answer, field: string): number {
  const value = body[field]
  if (typeof value !== 'number') throw new Error(`${field} is not a number in ${JSON.stringify(body)}`)
  return value
}

export function textOf({ body }: Answer, field: string): string {
  const value = body[field]
  if (typeof value !== 'string') throw new Error(`${field} is not text in ${JSON.stringify(body)}`)
  return value
}
