export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Sends a GET, a POST if there is a body, or a request with the given `method`. Returns any answer, regardless of its
 * status.
 */
export async function ask(
  url: string,
  { key, body, method }: { readonly key?: string; readonly body?: object; readonly method?: string },
): Promise<Answer> {
  const response = await fetch(url, {
    method: method ?? (body ? 'POST' : 'GET'),
    headers: {
      ...(key !== undefined && { Authorization: `Bearer ${key}` }),
      ...(body && { 'Content-Type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/**
 * Returns a text field of the JSON of an answer. The error does not contain the answer, because it may contain a key.
 */
export function field({ text }: Answer, name: string): string {
  const body: unknown = JSON.parse(text)
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
  if (typeof value !== 'string') throw new Error(`the answer has no ${name}`)
  return value
}
