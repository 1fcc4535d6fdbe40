/** Sends the requests of the demo (`npm run demo`), and reads fields of their responses. */
import { runningServer, STATE } from './local-state.ts'

/**
 * Returns the URL in BASE_URL, or else the URL of the running server of this checkout. Throws if no server is running
 * or if its port is not PORT.
 */
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
  throw new Error(
    `The server of this checkout is on ${url}, not on port ${port}. Unset PORT, or name a server with BASE_URL.`,
  )
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  readonly replayed: boolean
}

/**
 * Sends a GET request, or a POST request if there is a body. Returns the response with any status. Throws if no
 * response arrives or if the response is not a JSON object.
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
      `No server responds at ${url} (${reasonOf(error)}).\nStart the server with "npm start" in another terminal, or name a server: BASE_URL=http://localhost:8788 npm run demo`,
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
    // The text is not JSON. The error below reports it.
  }
  if (typeof value === 'object' && value !== null) return { ...value }
  throw new Error(`${url} did not return a JSON object: ${text.slice(0, 200)}`)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}

/** Returns the response. Throws if it does not have the expected status, because the demo then cannot continue. */
export function must(answer: Answer, status: number): Answer {
  if (answer.status === status) return answer
  throw new Error(`The server returned ${answer.status}, not ${status}: ${answer.text}`)
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
