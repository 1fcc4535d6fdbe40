import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import type { EntryType } from '../../src/ledger/model/journal.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { d1FailingAt } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import { ask, ledgerOf, runAlarm, type TestLedger, watermark, withD1 } from '../support/ledgers.ts'
import { batch, type EventOptions, eventItem, grant, metadataOf, single } from '../support/messages.ts'
import { expectProblem } from '../support/problems.ts'

vi.setConfig({ testTimeout: 30_000 })

/** Tests lists over HTTP. A list combines the entries in the ledger object with the entries in D1. */

interface Client {
  readonly key: string
  readonly ledger: TestLedger
}

async function client(): Promise<Client> {
  const { api_key, customer_id } = await createCustomer()
  return { key: api_key, ledger: ledgerOf(customer_id) }
}

type Row = Readonly<Record<string, unknown>>

interface ListPage {
  readonly rows: readonly Row[]
  readonly next: string | null
}

async function page(
  { key }: Client,
  path: string,
  cursor: string | null = null,
  limit = 7,
): Promise<ListPage> {
  const query = `${path.includes('?') ? '&' : '?'}limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`
  const body = await jsonOf(await api(`${path}${query}`, { key }))
  if (!Array.isArray(body.data)) throw new Error(`not a list: ${JSON.stringify(body)}`)
  expect(body.data.length).toBeLessThanOrEqual(limit)
  return { rows: body.data, next: body.next_cursor === null ? null : textField(body, 'next_cursor') }
}

/** Reads a whole list page by page. Calls `between` after each page. */
async function walk(
  client: Client,
  path: string,
  between: (pages: number) => Promise<unknown> = async () => undefined,
  limit = 7,
): Promise<Row[]> {
  const rows: Row[] = []
  let cursor: string | null = null
  for (let pages = 1; pages < 200; pages++) {
    const got: ListPage = await page(client, path, cursor, limit)
    rows.push(...got.rows)
    if (got.next === null) return rows
    cursor = got.next
    await between(pages)
  }
  throw new Error('the list does not end')
}

function ids(rows: readonly Row[]): unknown[] {
  return rows.map((row) => row.id)
}

let sent = 0

/** Sends `count` events that cost 1 micro-credit each. Each event has a different feature, which identifies it. */
async function send({ ledger }: Client, count: number, options: EventOptions = {}): Promise<void> {
  const items = Array.from({ length: count }, () => eventItem(1, { feature_id: `f${++sent}`, ...options }))
  await ingest(env, ledger.name, count === 1 && items[0] ? single(items[0]) : batch(items))
}

function flush({ ledger }: Client): Promise<void> {
  return runAlarm(ledger)
}

const LISTS = ['/v1/credits/transactions', '/v1/events']

describe.each(LISTS)('%s, read page by page', (path) => {
  it.each([
    { what: 'while events come in', write: true, flush: false },
    { what: 'while what it reads goes to D1', write: false, flush: true },
    { what: 'while events come in and go to D1', write: true, flush: true },
  ])('$what: has every row of its beginning once, newest first', async (meanwhile) => {
    const customer = await client()
    await send(customer, 9)
    await flush(customer)
    await send(customer, 1)
    await send(customer, 12)
    await flush(customer)
    await send(customer, 20)
    const before = await page(customer, path, null, 100)
    expect(before.next).toBeNull()
    expect(before.rows).toHaveLength(path === '/v1/events' ? 42 : 43)

    const walked = await walk(customer, path, async (pages) => {
      if (meanwhile.write) await send(customer, pages)
      if (meanwhile.flush && pages % 2 === 0) await flush(customer)
    })
    expect(ids(walked)).toEqual(ids(before.rows))
  })

  it('while a flush and writes run at the same time as each page', async () => {
    const customer = await client()
    for (let round = 0; round < 6; round++) {
      await send(customer, 5)
      if (round % 2) await flush(customer)
    }
    const before = await page(customer, path, null, 100)
    const walks = [
      walk(customer, path),
      walk(customer, path, undefined, 3),
      walk(customer, path, undefined, 1),
    ]
    const traffic = Array.from({ length: 10 }, async () => {
      await send(customer, 2)
      await flush(customer)
    })
    const [sevens = [], threes = [], ones = []] = await Promise.all(walks)
    await Promise.all(traffic)
    for (const rows of [sevens, threes, ones]) {
      // A list can begin with rows that are newer than its first request. After them, it must contain all earlier rows.
      const seen = ids(rows)
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.slice(-before.rows.length)).toEqual(ids(before.rows))
      expect(seen).toEqual([...seen].sort().reverse())
    }
  })

  it('contains an event once its request has succeeded, before and after a flush', async () => {
    const customer = await client()
    for (let i = 0; i < 3; i++) {
      await send(customer, 1)
      const newest = await page(customer, path, null, 1)
      expect(JSON.stringify(newest.rows)).toContain(`f${sent}`)
      if (i === 1) await flush(customer)
    }
  })

  it('is the same before and after a flush', async () => {
    const customer = await client()
    await ledgerGrant(customer, 'user', 'ann')
    await send(customer, 8, { user_id: 'ann', metadata: metadataOf({ note: '💸' }) })
    const before = await walk(customer, path)
    await flush(customer)
    expect(await walk(customer, path)).toEqual(before)
  })

  it('has each row once, even if D1 has pages that the object does not know because a response was lost', async () => {
    const customer = await client()
    await send(customer, 10)
    await flush(customer)
    await send(customer, 10)
    const before = await walk(customer, path)
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    await withD1(customer.ledger, d1FailingAt(1, 'after its effect'), () => flush(customer))
    expect(log).toHaveBeenCalledOnce()
    log.mockRestore()
    expect(await watermark(customer.ledger)).toMatchObject({ flushed_entry: 21 })
    expect(ids(await walk(customer, path))).toEqual(ids(before))
    await flush(customer)
    expect(ids(await walk(customer, path))).toEqual(ids(before))
  })

  it('reaches the oldest row through more pages of D1 than one request reads', async () => {
    const customer = await client()
    const query = path === '/v1/events' ? '?feature_id=oldest' : '?type=GRANT'
    await send(customer, 1, { feature_id: 'oldest' })
    for (let i = 0; i < 140; i++) {
      await send(customer, 1)
      await flush(customer)
    }
    const rows = await walk(customer, `${path}${query}`)
    expect(rows).toHaveLength(1)
  })

  it('reads a flush of more wallets than it reads rows at a time', async () => {
    const customer = await client()
    for (let i = 0; i < 40; i++) {
      await ledgerGrant(customer, 'user', `u${i}`)
      await send(customer, 1, { user_id: `u${i}` })
    }
    const before = await walk(customer, path)
    expect(before.length).toBe(path === '/v1/events' ? 40 : 81)
    await flush(customer)
    expect(ids(await walk(customer, path))).toEqual(ids(before))
    expect(ids(await walk(customer, path, undefined, 1))).toEqual(ids(before))
  })
})

async function ledgerGrant({ ledger }: Client, kind: 'user' | 'team', id: string): Promise<void> {
  await ask(ledger.stub, 'credit', grant(1_000_000, { owner: { kind, id } }))
}

/** Creates a customer whose entries cover all filters of a list. Half of the entries are already in D1. */
async function day(): Promise<Client> {
  const customer = await client()
  await ledgerGrant(customer, 'user', 'ann')
  await ledgerGrant(customer, 'team', 'red')
  await ask(
    customer.ledger.stub,
    'credit',
    grant(5, { type: 'PURCHASE', lot_kind: 'paid', price: { micro: 1, pico: 0 } }),
  )
  const now = Date.now()
  for (let i = 0; i < 24; i++) {
    await send(customer, 1, {
      feature_id: i % 2 ? 'chat' : 'search',
      timestamp_ms: now - i * 60_000,
      ...(i % 3 === 0 && { user_id: 'ann' }),
      ...(i % 4 === 0 && { team_id: 'red' }),
      ...(i % 5 === 0 && { event_type: 'API_CALL' }),
      ...(i % 6 === 0 && { provider: 'ANTHROPIC', model: 'claude-sonnet-4-5' }),
      ...(i % 8 === 0 && { charge: { kind: 'unpriced', price_version: 'test' } }),
    })
    if (i === 11) await flush(customer)
  }
  return customer
}

describe('filters', () => {
  const events: readonly (readonly [query: string, shows: (row: Row) => boolean])[] = [
    ['user_id=ann', (row) => row.user_id === 'ann'],
    ['team_id=red', (row) => row.team_id === 'red'],
    ['user_id=ann&team_id=red', (row) => row.user_id === 'ann' && row.team_id === 'red'],
    ['feature_id=chat', (row) => row.feature_id === 'chat'],
    ['provider=ANTHROPIC', (row) => row.provider === 'ANTHROPIC'],
    ['provider=anthropic', (row) => row.provider === 'ANTHROPIC'],
    ['model=gpt-4o', (row) => row.model === 'gpt-4o'],
    ['event_type=API_CALL', (row) => row.event_type === 'API_CALL'],
    ['unrated=true', (row) => row.unrated === true],
    ['unrated=false', (row) => row.unrated !== true],
    ['user_id=nobody', () => false],
  ]
  const transactions: readonly (readonly [query: string, shows: (row: Row) => boolean])[] = [
    ...(['GRANT', 'PURCHASE', 'BURN', 'VOID'] as const satisfies readonly EntryType[]).map(
      (type) => [`type=${type}`, (row: Row) => row.type === type] as const,
    ),
  ]

  it('of events show exactly the requested range, out of the object and out of D1', async () => {
    const customer = await day()
    const all = await walk(customer, '/v1/events')
    expect(all).toHaveLength(24)
    for (const [query, shows] of events) {
      expect(ids(await walk(customer, `/v1/events?${query}`)), query).toEqual(ids(all.filter(shows)))
    }
    const times = all.map((row) => String(row.timestamp)).sort()
    const [from, to] = [times[5] ?? '', times[18] ?? '']
    const between = all.filter((row) => String(row.timestamp) >= from && String(row.timestamp) < to)
    expect(ids(await walk(customer, `/v1/events?from=${from}&to=${to}`))).toEqual(ids(between))
    expect(between).toHaveLength(13)
  })

  it('of transactions show exactly the requested range, out of the object and out of D1', async () => {
    const customer = await day()
    const path = '/v1/credits/transactions'
    const all = await walk(customer, path)
    for (const [query, shows] of transactions) {
      expect(ids(await walk(customer, `${path}?${query}`)), query).toEqual(ids(all.filter(shows)))
    }
    for (const owner of ['user_id=ann', 'team_id=red']) {
      const { wallet_id } = await jsonOf(await api(`/v1/credits/balance?${owner}`, { key: customer.key }))
      const of = all.filter((row) => row.wallet_id === wallet_id)
      expect(of.length).toBeGreaterThan(1)
      expect(ids(await walk(customer, `${path}?${owner}`)), owner).toEqual(ids(of))
    }
    expect(await walk(customer, `${path}?user_id=nobody`)).toEqual([])
    const times = all.map((row) => String(row.created_at)).sort()
    const from = times[10] ?? ''
    const since = all.filter((row) => String(row.created_at) >= from)
    expect(ids(await walk(customer, `${path}?from=${from}`))).toEqual(ids(since))
  })
})

describe('one event by its id', () => {
  it('is the same before and after a flush', async () => {
    const customer = await client()
    await send(customer, 3, { user_id: 'ann', metadata: metadataOf({ a: 1 }) })
    const [newest, middle] = (await page(customer, '/v1/events')).rows
    const read = async (id: unknown) => (await api(`/v1/events/${id}`, { key: customer.key })).text()
    const before = [await read(newest?.id), await read(middle?.id)]
    expect(JSON.parse(before[1] ?? '')).toEqual(middle)
    await flush(customer)
    expect([await read(newest?.id), await read(middle?.id)]).toEqual(before)
    await send(customer, 2)
    expect(await read(middle?.id)).toBe(before[1])
  })

  it('is unknown to another customer, and to the same customer in the other mode', async () => {
    const [one, two] = [await client(), await client()]
    await send(one, 1)
    await send(two, 1)
    const [event] = (await page(one, '/v1/events')).rows
    const test = await createKey(one.ledger.name.customer_id, { mode: 'test' })
    for (const flushed of [false, true]) {
      if (flushed) await Promise.all([flush(one), flush(two)])
      await expectProblem(await api(`/v1/events/${event?.id}`, { key: two.key }), 404, 'not_found')
      await expectProblem(await api(`/v1/events/${event?.id}`, { key: test.api_key }), 404, 'not_found')
    }
  })

  it.each([false, true])('that names no event is a 404 (flushed: %s)', async (flushed) => {
    const customer = await client()
    await send(customer, 1)
    if (flushed) await flush(customer)
    const [event] = (await page(customer, '/v1/events')).rows
    const [, granted] = (await page(customer, '/v1/credits/transactions')).rows
    const id = String(event?.id)
    const others = [
      String(granted?.id).replace('txn_', 'evt_'), // the id of an entry that has no event
      id.replace('evt_', 'txn_'),
      `${id.slice(0, 5)}${id[5] === '0' ? '1' : '0'}${id.slice(6)}`, // the number of the event with another time
      id.slice(0, -1),
      'evt_',
      'x',
    ]
    for (const other of others) {
      await expectProblem(await api(`/v1/events/${other}`, { key: customer.key }), 404, 'not_found')
    }
  })
})
