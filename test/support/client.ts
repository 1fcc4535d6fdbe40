import { expect } from 'vitest'
import { api, jsonOf, textField } from './api.ts'
import { expectProblem } from './problems.ts'

/** Helpers that send requests and check responses. Many tests share them. */

export type Json = Readonly<Record<string, unknown>>

/** An event that costs 15 credits with the default burn table. */
export const GPT_4O = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
} as const

type Headers = Readonly<Record<string, string>>

export function ingest(key: string, body: unknown, headers: Headers = {}): Promise<Response> {
  return api('/v1/events/ingest', { key, body, headers })
}

/** Ingests an event or a batch, and returns the body of the response. Fails if the status is not 200. */
export async function ingested(key: string, body: unknown, headers: Headers = {}): Promise<Json> {
  return answerOf(await ingest(key, body, headers), 200)
}

export async function granted(key: string, body: unknown, headers: Headers = {}): Promise<Json> {
  return answerOf(await api('/v1/credits/grant', { key, body, headers }), 201)
}

export async function purchased(key: string, body: unknown, headers: Headers = {}): Promise<Json> {
  return answerOf(await api('/v1/credits/purchase', { key, body, headers }), 201)
}

export async function read(key: string, path: string): Promise<Json> {
  return answerOf(await api(path, { key }), 200)
}

/** Returns the balance of the wallet that `query` selects, for example `?user_id=zoe`. */
export async function balanceOf(key: string, query = ''): Promise<unknown> {
  return (await read(key, `/v1/credits/balance${query}`)).balance
}

/** Returns all rows of a list, from all of its pages. `query` starts with `?`. */
export async function listed(key: string, path: string, query = '?limit=100'): Promise<Json[]> {
  const rows: Json[] = []
  let cursor = ''
  for (;;) {
    const page = await read(key, `${path}${query}${cursor}`)
    rows.push(...objects(page.data))
    if (page.next_cursor === null) return rows
    cursor = `&cursor=${textField(page, 'next_cursor')}`
  }
}

export function objects(value: unknown): Json[] {
  if (!Array.isArray(value)) throw new Error(`not a list: ${JSON.stringify(value)}`)
  return value.map((item: unknown) => {
    if (typeof item !== 'object' || item === null) throw new Error(`not an object: ${JSON.stringify(item)}`)
    return { ...item }
  })
}

/** Sends a request, and returns the body of the response. Fails if the response has another status. */
export async function answered(
  key: string,
  path: string,
  body: unknown,
  status = 200,
  method = 'POST',
): Promise<Json> {
  return answerOf(await api(path, { key, body, method }), status)
}

async function answerOf(response: Response, status: number): Promise<Json> {
  const body = await jsonOf(response)
  if (response.status !== status)
    throw new Error(`${response.status}, not ${status}: ${JSON.stringify(body)}`)
  return body
}

/** Matches internal terms, which responses must not contain. */
const INTERNAL =
  /\.ts\b|\.js\b|node_modules|\bat \w+ \(|\bstack\b|sqlite|\bSELECT\b|\bINSERT\b|D1_|Durable|CustomerLedger|Zod/i

/**
 * Checks that the response is a problem document with this status and code and without internal terms. Returns the
 * document.
 */
export async function expectRefused(response: Response, status: number, code: string): Promise<Json> {
  const text = await response.clone().text()
  const problem = await expectProblem(response, status, code)
  expect(text).not.toMatch(INTERNAL)
  return problem
}

/** Checks that the response is a 400 that lists `path` among the invalid fields. Returns the problem document. */
export async function expectInvalid(
  response: Response,
  path: string,
  message: string | RegExp = /./,
): Promise<Json> {
  const problem = await expectRefused(response, 400, 'invalid_request')
  expect(problem.errors).toContainEqual({ path, message: expect.stringMatching(message) })
  return problem
}

/** Runs `act`, and returns its result. Checks that the customer's wallet and the ledger entries do not change. */
export async function expectNothingMoved<T>(key: string, act: () => Promise<T>): Promise<T> {
  const before = await stateOf(key)
  const result = await act()
  expect(await stateOf(key)).toEqual(before)
  return result
}

async function stateOf(key: string): Promise<readonly string[]> {
  const paths = ['/v1/credits/balance', '/v1/credits/lots', '/v1/credits/transactions?limit=5']
  return Promise.all(paths.map(async (path) => (await api(path, { key })).text()))
}
