export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Sends a GET, with a body a POST, or the given `method`. Returns any answer, regardless of its status. */
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

/** Returns a text of an answer's JSON. The error does not repeat the answer, which may contain a key. */
export function field({ text }: Answer, name: string): string {
  const body: unknown = JSON.parse(text)
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
  if (typeof value !== 'string') throw new Error(`the answer has no ${name}`)
  return value
}
