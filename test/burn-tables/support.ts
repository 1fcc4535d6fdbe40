import { api, jsonOf, textField } from '../support/api.ts'
import type { Json } from '../support/client.ts'

export function postTable(
  key: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return api('/v1/burn-tables', { key, body, headers })
}

export interface Saved {
  readonly id: string
  readonly version: number
  readonly table: Json
}

/** Saves a burn table through the API. Fields that the test leaves out have their defaults. */
export async function saved(key: string, fields: Json = {}): Promise<Saved> {
  return savedBy(await postTable(key, { name: 'Test', ...fields }), 201)
}

export async function edited(key: string, id: string, fields: Json): Promise<Saved> {
  return savedBy(await api(`/v1/burn-tables/${id}`, { key, method: 'PATCH', body: fields }), 200)
}

export async function deleted(key: string, id: string): Promise<Saved> {
  return savedBy(await api(`/v1/burn-tables/${id}`, { key, method: 'DELETE' }), 200)
}

async function savedBy(response: Response, status: number): Promise<Saved> {
  const table = await jsonOf(response)
  const { version } = table
  if (response.status !== status || typeof version !== 'number') {
    throw new Error(`${response.status}, not ${status}: ${JSON.stringify(table)}`)
  }
  return { id: textField(table, 'id'), version, table }
}

/** Returns a rule that charges `amount` for every event that matches. */
export function flat(amount: number, match: Json = {}): Json {
  return { match, method: 'flat', amount }
}

export const HOUR_MS = 3_600_000

/** Returns the time that is `by_ms` from now, as an ISO 8601 string. */
export function fromNow(by_ms: number): string {
  return new Date(Date.now() + by_ms).toISOString()
}
