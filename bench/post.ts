/**
 * Sends a POST request with a JSON body and an API key. Returns the JSON of the response. Throws an error with the
 * response text if the status is not 2xx.
 */
export async function post(url: string, key: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${url} returned ${response.status}: ${await response.text()}`)
  return { ...Object(await response.json()) }
}
