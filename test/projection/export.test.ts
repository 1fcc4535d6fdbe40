import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { EntryFilter } from '../../src/ledger/model/messages/ledger.ts'
import { exportEntries } from '../../src/projection/read/export-entries.ts'
import { listEntries } from '../../src/projection/read/list-entries.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { apiWith } from '../support/app.ts'
import { GPT_4O, granted, ingested, type Json, listed, objects } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { d1Double } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'
import { expectProblem } from '../support/problems.ts'

/** Tests the export of transactions and events as CSV and NDJSON. */

const FORMULA = '=HYPERLINK("http://x";"a")'
const NDJSON = { Accept: 'application/x-ndjson' }
const CSV = { Accept: 'text/csv' }

let key: string
let customer_id: string
let ledger: TestLedger
beforeAll(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  customer_id = customer.customer_id
  ledger = ledgerOf(customer_id)
  await granted(key, { user_id: 'ann', amount: 50, reason: FORMULA })
  for (let flush = 0; flush < 6; flush++) {
    const late = new Date(Date.now() - (flush === 3 ? 5 * 86_400_000 : 0)).toISOString()
    await ingested(key, {
      events: [
        { ...GPT_4O, user_id: `user ${flush}`, metadata: { text: 'a "b",\nc', flush } },
        { ...GPT_4O, user_id: 'ann', input_tokens: 1, output_tokens: 0, timestamp: late },
        { event_type: 'CUSTOM', feature_id: "'quoted", quantity: 1.5, unit: 'pages' },
      ],
    })
    await runAlarm(ledger)
  }
  // The response of a search model reports the context size, which determines the fee of the request.
  const usage = { prompt_tokens: 10, completion_tokens: 20, search_context_size: 'high' }
  const searched = {
    event_type: 'TOKEN_USAGE',
    feature_id: 'search',
    provider: 'PERPLEXITY',
    provider_response: { model: 'sonar', usage },
  }
  await ingested(key, { events: [searched, { ...GPT_4O, user_id: 'ann' }] })
})

it('includes the search context size of an event as the last column', async () => {
  const rows = (await lines('/v1/events')).filter(({ feature_id }) => feature_id === 'search')
  expect(rows).toMatchObject([{ model: 'sonar', search_context_size: 'high' }])
  const [columns] = csvRows(await exported('/v1/events', CSV))
  expect(columns?.slice(-2)).toEqual(['key_id', 'search_context_size'])
})

async function exported(path: string, headers: Record<string, string>): Promise<string> {
  const response = await api(path, { key, headers })
  expect(response.status).toBe(200)
  expect(response.headers.get('X-Next-Cursor')).toBeNull()
  return response.text()
}

async function lines(path: string): Promise<Json[]> {
  const text = await exported(path, NDJSON)
  return objects(
    text
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line)),
  )
}

/** Parses CSV in the format of RFC 4180, and returns the rows with their fields. */
function csvRows(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === ',') continue
    rows.push(row)
    row = []
  }
  return rows
}

const queries: [path: string, query: string][] = [
  ['/v1/credits/transactions', ''],
  ['/v1/credits/transactions', '?user_id=ann'],
  ['/v1/credits/transactions', '?user_id=without-a-wallet'],
  ['/v1/credits/transactions', '?type=GRANT'],
  ['/v1/credits/transactions', '?from=2120-01-01T00:00:00Z'],
  ['/v1/credits/transactions', '?to=2020-01-01T00:00:00Z'],
  ['/v1/events', ''],
  ['/v1/events', '?user_id=ann'],
  ['/v1/events', '?unrated=false&provider=openai'],
  ['/v1/events', '?unrated=true'],
  ['/v1/events', `?to=${new Date(Date.now() - 86_400_000).toISOString()}`],
]

describe.each(queries)('%s%s', (path, query) => {
  it('as NDJSON has the rows of the list, byte for byte', async () => {
    const rows = await listed(key, path, query === '' ? '?limit=100' : `${query}&limit=100`)
    expect(await lines(path + query)).toEqual(rows)
  })

  it('as CSV has the rows of the list in columns, exactly', async () => {
    const text = await exported(path + query, CSV)
    const [columns = [], ...rows] = csvRows(text)
    const listed_rows = await lines(path + query)
    expect(rows).toHaveLength(listed_rows.length)
    rows.forEach((fields, index) => {
      expect(fields).toHaveLength(columns.length)
      const listed_row = listed_rows[index] ?? {}
      expect(Object.keys(listed_row).filter((name) => !columns.includes(name))).toEqual([])
      const values = columns.map((column, place) => valueIn(fields[place] ?? '', listed_row[column]))
      expect(values).toEqual(columns.map((column) => listed_row[column] ?? null))
    })
  })
})

/**
 * Returns the value of a CSV field whose original value is `like`. For a text, removes the leading apostrophe, which
 * prevents a spreadsheet from running the text as a formula. Parses other values as JSON.
 */
function valueIn(field: string, like: unknown): unknown {
  if (like === null || like === undefined) return field === '' ? null : field
  return typeof like === 'string' ? field.replace(/^'/, '') : JSON.parse(field)
}

it('CSV names its columns, ends lines with CR LF and has no text that a spreadsheet runs', async () => {
  const response = await api('/v1/credits/transactions?type=GRANT&user_id=ann', { key, headers: CSV })
  expect(response.headers.get('Content-Type')).toBe('text/csv; charset=utf-8; header=present')
  const text = await response.text()
  expect(text.split('\r\n')[0]).toBe(
    'id,type,wallet_id,amount,balance_before,balance_after,description,event_id,payment_reference,price_usd,lots,metadata,created_at',
  )
  expect(text).toContain(`,50,0,50,"'=HYPERLINK(""http://x"";""a"")",`)
  expect(text).toContain(',{},')
  expect(text.endsWith('Z\r\n')).toBe(true)
})

it('amounts are exact decimals in both formats', async () => {
  const path = '/v1/credits/transactions?user_id=ann&type=BURN'
  for (const headers of [CSV, NDJSON]) {
    const text = await exported(path, headers)
    expect(text).toContain('-0.005')
    expect(text).not.toMatch(/\de-\d/)
  }
})

describe('the response is JSON unless the request prefers an export', () => {
  const accepts = [
    '',
    '*/*',
    'application/json',
    'text/html, */*',
    'image/png',
    'text/csv;q=0.5, */*',
    'text/csv;q=0',
    'application/json, text/csv',
  ]
  it.each(accepts)('Accept: %s', async (Accept) => {
    const response = await api('/v1/events', { key, headers: Accept === '' ? {} : { Accept } })
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(objects((await response.json<Json>()).data)).toHaveLength(20)
  })

  it.each([
    ['text/csv, */*', 'text/csv; charset=utf-8; header=present'],
    ['*/*, text/csv', 'text/csv; charset=utf-8; header=present'],
    ['application/json;q=0.1, application/x-ndjson', 'application/x-ndjson'],
    ['TEXT/CSV; charset=utf-8', 'text/csv; charset=utf-8; header=present'],
  ])('Accept: %s is an export', async (Accept, type) => {
    const response = await api('/v1/events', { key, headers: { Accept } })
    expect(response.headers.get('Content-Type')).toBe(type)
  })
})

it.each(['/v1/events', '/v1/credits/transactions'])(
  '%s with a limit is one page in the format',
  async (path) => {
    const all = await lines(path)
    const rows: Json[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const response = await api(`${path}?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`, {
        key,
        headers: NDJSON,
      })
      const text = await response.text()
      rows.push(
        ...objects(
          text
            .split('\n')
            .slice(0, -1)
            .map((line): unknown => JSON.parse(line)),
        ),
      )
      cursor = response.headers.get('X-Next-Cursor')
    }
    expect(rows).toEqual(all)
  },
)

it('metadata is written as sent', async () => {
  const { api_key } = await createCustomer()
  const text = '{"__proto__":{"a":1},"e":1e2,"text":"\\n"}'
  await granted(api_key, `{"amount":1,"metadata":${text}}`)
  const response = await api('/v1/credits/transactions', { key: api_key, headers: NDJSON })
  expect(await response.text()).toContain(`"metadata":${text}`)
  const csv = await api('/v1/credits/transactions', { key: api_key, headers: CSV })
  expect(csvRows(await csv.text())[1]).toContain(text)
})

it('a HEAD request reads no row and has the headers', async () => {
  const response = await api('/v1/events', { key, method: 'HEAD', headers: CSV })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('text/csv; charset=utf-8; header=present')
  expect(await response.text()).toBe('')
})

it('requires the scope of the list', async () => {
  const { api_key } = await createKey(customer_id, { scopes: ['events:write'] })
  for (const path of ['/v1/events', '/v1/credits/transactions']) {
    await expectProblem(await api(path, { key: api_key, headers: CSV }), 403, 'insufficient_scope')
  }
})

it('exports no data of another customer, or of the live ledger to a test key', async () => {
  const other = await createCustomer()
  const made = await api('/v1/api-keys', { key, body: { name: 'CI', mode: 'test' } })
  const test_key = textField(await jsonOf(made), 'api_key')
  for (const api_key of [other.api_key, test_key]) {
    for (const path of ['/v1/events', '/v1/credits/transactions?type=BURN']) {
      expect(await (await api(path, { key: api_key, headers: NDJSON })).text()).toBe('')
    }
  }
})

describe('bounds', () => {
  const filters: [name: string, filter: EntryFilter][] = [
    ['everything', {}],
    ["one wallet's", { owner: { kind: 'user', id: 'ann' } }],
    ['events', { event: {} }],
    ['events before a time', { event: {}, to_ms: Date.now() - 86_400_000 }],
    ['events from a time', { event: {}, from_ms: Date.now() - 86_400_000 }],
  ]
  const bounds = [
    { entries: 1, pages: 2_000 },
    { entries: 4, pages: 2_000 },
    { entries: 7, pages: 2_000 },
    { entries: 20_000, pages: 1 },
    { entries: 20_000, pages: 5 },
  ]
  it.each(filters)(
    '%s: each export continues where the last one ended, and no row is missing or repeated',
    async (_, filter) => {
      const query = { ledger: ledger.name, caller: CALLER, filter, before_entry: null }
      const page = await listEntries(env, { ...query, limit: 100 })
      if (page.kind === 'refused') throw new Error(page.refusal.code)
      const numbers = page.entries.map(({ number }) => number)
      for (const bound of bounds) {
        const found: number[] = []
        let before_entry: number | null = null
        let parts = 0
        do {
          const part = await exportEntries(env, { ...query, before_entry }, bound)
          if (part.kind === 'refused') throw new Error(part.refusal.code)
          for await (const chunk of part.chunks) found.push(...chunk.map(({ number }) => number))
          if (before_entry !== null && part.next_before_entry !== null)
            expect(part.next_before_entry).toBeLessThan(before_entry)
          before_entry = part.next_before_entry
          parts++
        } while (before_entry !== null && parts < 50)
        expect(found).toEqual(numbers)
        if (filter.event === undefined && filter.owner === undefined) expect(parts).toBeGreaterThan(1)
      }
    },
  )

  it.each([
    ['a whole export', undefined],
    ['an export that ends within the flush', { entries: 550, pages: 2_000 }],
  ])('%s: a flush between the head and the rows changes no row', async (_, bound) => {
    const { api_key, customer_id: id } = await createCustomer()
    await ingested(api_key, { events: Array.from({ length: 600 }, () => GPT_4O) })
    const own = ledgerOf(id)
    const found: number[] = []
    let before_entry: number | null = null
    do {
      const query = { ledger: own.name, caller: CALLER, filter: {}, before_entry }
      const part = await exportEntries(env, query, bound)
      if (part.kind === 'refused') throw new Error(part.refusal.code)
      for await (const chunk of part.chunks) {
        found.push(...chunk.map(({ number }) => number))
        await runAlarm(own)
      }
      before_entry = part.next_before_entry
    } while (before_entry !== null)
    expect(found).toEqual(Array.from({ length: found.length }, (_, index) => found.length - index))
    expect(found.length).toBeGreaterThanOrEqual(600)
  })
})

it('a failure before the first row is a problem document, and a later one breaks the body off', async () => {
  const failing = (failAt: RegExp) =>
    d1Double({
      prepare: (query) => {
        if (failAt.test(query)) throw new Error('D1_ERROR: Network connection lost.')
        return env.DB.prepare(query)
      },
    })
  const path = '/v1/credits/transactions'
  const before = await apiWith({ DB: failing(/entry_count/) }, path, { key, headers: CSV })
  await expectProblem(before, 503, 'unavailable')
  const request = apiWith({ DB: failing(/SELECT flush_entry, last_at_ms, format, body/) }, path, {
    key,
    headers: CSV,
  })
  await expect(request.then((response) => response.text())).rejects.toThrow('Network connection lost')
})
