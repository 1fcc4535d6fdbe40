export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Sends a request, and returns the response with any status. The default method is POST with a body, and GET
 * without one.
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
 * Returns a text field from the JSON body of a response. Throws if it is missing or not a text. The error does not
 * contain the body, because the body can contain a key.
 */
export function field({ text }: Answer, name: string): string {
  const body: unknown = JSON.parse(text)
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
  if (typeof value !== 'string') throw new Error(`the response has no text field ${name}`)
  return value
}
