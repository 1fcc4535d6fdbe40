import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { notify } from '../../src/ledger/client/client.ts'
import { fromDashboard, signIn } from '../dashboard/support.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { StreamBench } from './support.ts'

/** Tests the cost, the limits and the end of open streams, with a simulated clock. */

beforeEach(() => {
  listenToConsole()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

async function add(customer_id: string, id: string): Promise<void> {
  const notice = { type: 'api_key.created', data: { key_id: id } } as const
  await notify(env, ledgerOf(customer_id).name, { id, notice })
  await runAlarm(ledgerOf(customer_id))
}

describe('idle streams', () => {
  it('wake no object, and all streams of a ledger share one read a second', async () => {
    const [first, second] = [await createCustomer(), await createCustomer()]
    for (const { customer_id } of [first, second]) await runAlarm(ledgerOf(customer_id))
    const bench = new StreamBench()
    const STREAMS = 50
    const streams = []
    for (let i = 0; i < STREAMS; i++) streams.push(await bench.opened((i % 2 ? first : second).api_key))
    // Each stream calls the object once, when it opens.
    expect(bench.ledger_calls).toBe(STREAMS)
    await bench.pass(1_000)
    const before = { ...bench.counts }
    await bench.pass(120_000)
    expect(bench.ledger_calls).toBe(STREAMS)
    expect(streams.every(({ ended }) => !ended)).toBe(true)
    const statements = bench.counts.statements - before.statements
    // Each ledger causes one read per second, and one write that records that a stream is open. Each stream causes one
    // check of its API key every 30 s.
    expect(statements).toBeGreaterThanOrEqual(2 * 120)
    expect(statements).toBeLessThanOrEqual(2 * (120 + 1) + STREAMS * 4)
    expect(bench.counts.rows_read - before.rows_read).toBeLessThanOrEqual(statements + 2)
    expect(bench.counts.rows_written - before.rows_written).toBeLessThanOrEqual(2)
    for (const { text } of streams) expect(text.match(/^:$/gm)?.length).toBe(8)
    await Promise.all(streams.map((stream) => stream.cut()))
  })

  it('get each notification once, while many of them share the reads', async () => {
    const { api_key, customer_id } = await createCustomer()
    await runAlarm(ledgerOf(customer_id))
    const bench = new StreamBench()
    const streams = []
    for (let i = 0; i < 20; i++) streams.push(await bench.opened(api_key))
    for (const id of ['a', 'b', 'c']) {
      await add(customer_id, id)
      await bench.pass(2_000)
    }
    const [ids] = streams.map((stream) => stream.ids)
    expect(ids).toHaveLength(3)
    expect(streams.map((stream) => stream.ids)).toEqual(streams.map(() => ids))
    await Promise.all(streams.map((stream) => stream.cut()))
  })
})

describe('a stream that is cut', () => {
  it('resumes with its last id: none is missing and none is sent twice', async () => {
    const { api_key, customer_id } = await createCustomer()
    await runAlarm(ledgerOf(customer_id))
    const bench = new StreamBench()
    const seen: number[] = []
    let headers: Record<string, string> = { 'Last-Event-ID': '0' }
    for (let cut = 0; cut < 5; cut++) {
      const stream = await bench.opened(api_key, headers)
      await add(customer_id, `open ${cut}`)
      await bench.pass(2_000)
      await stream.cut()
      seen.push(...stream.ids)
      await add(customer_id, `cut ${cut}`)
      headers = { 'Last-Event-ID': String(seen.at(-1)) }
    }
    const stream = await bench.opened(api_key, headers)
    await bench.pass(1_000)
    await stream.cut()
    seen.push(...stream.ids)
    expect(seen).toEqual(seen.map((_, i) => i + 1))
    expect(seen.length).toBeGreaterThanOrEqual(10)
  })
})

describe('the number of open streams', () => {
  it('is limited to 100 of a customer, without effect on other customers; a stream that ends makes room', async () => {
    const [{ api_key }, other] = [await createCustomer(), await createCustomer()]
    const bench = new StreamBench({ stream_seconds: 20 })
    const streams = []
    for (let i = 0; i < 100; i++) streams.push(await bench.opened(api_key))
    const refused = await bench.open(api_key)
    expect(refused).toMatchObject({ status: 429 })
    expect(refused instanceof Response && refused.headers.get('Retry-After')).toBe('10')
    expect(await bench.open(api_key, { 'Last-Event-ID': '0' })).toMatchObject({ status: 429 })
    streams.push(await bench.opened(other.api_key))
    await streams[0]?.cut()
    streams.push(await bench.opened(api_key))
    expect(await bench.open(api_key)).toMatchObject({ status: 429 })
    // All streams end within this time, so other streams can be opened.
    await bench.pass(21_000)
    expect(streams.filter(({ ended }) => !ended)).toEqual([])
    for (let i = 0; i < 100; i++) streams.push(await bench.opened(api_key))
    await Promise.all(streams.map((stream) => stream.cut()))
  })
})

describe('a stream ends within 90 seconds', () => {
  it.each([
    [
      'after its key is deleted',
      async (main: string, key_id: string) => {
        await api(`/v1/api-keys/${key_id}`, { key: main, method: 'DELETE' })
      },
    ],
    [
      'after its key has expired, which it does after 5 minutes',
      async (_main: string, _key_id: string, bench: StreamBench) => {
        await bench.pass(210_000)
      },
    ],
    [
      'after its key is rotated without an overlap',
      async (main: string, key_id: string) => {
        const body = { overlap_seconds: 0 }
        await api(`/v1/api-keys/${key_id}/rotate`, { key: main, body })
      },
    ],
  ])('%s', async (_, end) => {
    const { api_key } = await createCustomer()
    const bench = new StreamBench()
    const expires_at = new Date(Date.now() + 300_000).toISOString()
    const body = { name: 'stream', expires_at }
    const made = await jsonOf(await api('/v1/api-keys', { key: api_key, body }))
    const stream = await bench.opened(textField(made, 'api_key'))
    const of_session = await bench.openedBySession(await signIn(textField(made, 'api_key')))
    const kept = await bench.opened(api_key)
    await bench.pass(90_000)
    expect([stream.ended, of_session.ended]).toEqual([false, false])
    await end(api_key, textField(made, 'key_id'), bench)
    await bench.pass(89_000)
    expect([stream.ended, of_session.ended]).toEqual([true, true])
    expect(kept.ended).toBe(false)
    await kept.cut()
  })

  it('after its session is signed out', async () => {
    const { api_key, customer_id } = await createCustomer()
    await runAlarm(ledgerOf(customer_id))
    const bench = new StreamBench()
    const [session, other] = [await signIn(api_key), await signIn(api_key)]
    const stream = await bench.openedBySession(session)
    const kept = await bench.openedBySession(other)
    await add(customer_id, 'seen')
    await bench.pass(2_000)
    expect(stream.ids).toHaveLength(1)
    await fromDashboard('/session', { session, method: 'DELETE' })
    await bench.pass(89_000)
    expect([stream.ended, kept.ended]).toEqual([true, false])
    await kept.cut()
  })
})
