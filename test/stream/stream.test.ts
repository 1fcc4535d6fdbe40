import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { notify } from '../../src/ledger/client/client.ts'
import { type NotificationView, readFlushedNotifications } from '../../src/notifications/store.ts'
import { NotificationStream, type StreamSource } from '../../src/stream/stream.ts'
import { api } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'

async function add(ledger: TestLedger, id: string): Promise<void> {
  const notice = { type: 'api_key.created', data: { key_id: id } } as const
  await notify(env, ledger.name, { id, notice })
}

/**
 * Returns a stream's source, which reads the ledger's notifications from D1. Its clock advances only while the stream
 * waits.
 */
function sourceOf(ledger: TestLedger) {
  const reads = { newest: 0 }
  let now_ms = 0
  const source = {
    allowed: true,
    now: () => now_ms,
    wait: async (ms: number) => {
      now_ms += ms
    },
    read: (after_sequence: number, to_sequence: number, limit: number) =>
      readFlushedNotifications(env, ledger.name, { after_sequence, to_sequence, limit }),
    newest: async () => {
      reads.newest++
      const flushed = await readFlushedNotifications(env, ledger.name, { after_sequence: 0, limit: 1000 })
      return flushed.at(-1)?.sequence ?? 0
    },
    isAllowed: async () => source.allowed,
  }
  const checked: StreamSource = source
  return { source, checked, reads }
}

function viewOf(sequence: number): NotificationView {
  return {
    ...{ id: `ntf_${sequence}`, type: 'credits.low', timestamp: '', sequence },
    ...{ customer_id: 'cust_1', mode: 'live', data: {} },
  }
}

function idsOf(part: string | null): number[] {
  return [...(part ?? '').matchAll(/^id: (\d+)\nevent/gm)].map(([, id]) => Number(id))
}

describe('a stream', () => {
  it('resumes after a cut with none missing and none twice', async () => {
    const ledger = ledgerOf((await createCustomer()).customer_id)
    const seen: number[] = []
    let after_sequence = 0
    for (let cut = 0; cut < 4; cut++) {
      const { checked } = sourceOf(ledger)
      const stream = new NotificationStream(checked, { after_sequence, lasts_ms: 60_000 })
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 60; i++) await add(ledger, `${cut} ${round} ${i}`)
        await runAlarm(ledger)
        const ids = idsOf(await stream.next())
        seen.push(...ids)
        after_sequence = ids.at(-1) ?? after_sequence
      }
      stream.close()
    }
    const { checked } = sourceOf(ledger)
    const last = new NotificationStream(checked, { after_sequence, lasts_ms: 5_000 })
    for (let part = await last.next(); part !== null; part = await last.next()) seen.push(...idsOf(part))
    expect(seen).toEqual(seen.map((_, i) => i + 1))
    expect(seen.length).toBeGreaterThanOrEqual(720)
  })

  it('has a comment every 15 seconds, and ends after its time', async () => {
    const ledger = ledgerOf((await createCustomer()).customer_id)
    const { checked, reads } = sourceOf(ledger)
    const stream = new NotificationStream(checked, { after_sequence: 1_000_000, lasts_ms: 60_000 })
    const parts: (string | null)[] = []
    for (let part = await stream.next(); ; part = await stream.next()) {
      parts.push(part)
      if (part === null) break
    }
    expect(parts).toEqual([':\n\n', ':\n\n', ':\n\n', null])
    // Together, the streams read D1 once per second, and they do not call the ledger object.
    expect(reads.newest).toBe(60)
  })

  it('with notifications in every second ends before it exceeds the calls of an invocation', async () => {
    const calls = { made: 0 }
    let [now_ms, sequence] = [0, 0]
    const counted = async <T>(made: number, result: T): Promise<T> => {
      calls.made += made
      return result
    }
    const source: StreamSource = {
      now: () => now_ms,
      wait: async (ms) => {
        now_ms += ms
      },
      // A read of notifications runs three statements: one for the notifications, one for the names of their users, and
      // one for the names of their teams.
      read: (_after, to) => counted(3, [viewOf(to)]),
      newest: () => counted(1, ++sequence),
      isAllowed: () => counted(1, true),
    }
    const stream = new NotificationStream(source, { after_sequence: 0, lasts_ms: 800_000 })
    const seen: number[] = []
    for (let part = await stream.next(); part !== null; part = await stream.next()) seen.push(...idsOf(part))
    expect(seen).toEqual(seen.map((_, i) => i + 1))
    expect(seen.length).toBeGreaterThan(200)
    expect(calls.made).toBeLessThanOrEqual(950)
  })

  it('ends within 90 seconds of the end of its key', async () => {
    const ledger = ledgerOf((await createCustomer()).customer_id)
    const { source, checked } = sourceOf(ledger)
    const stream = new NotificationStream(checked, { after_sequence: 1_000_000, lasts_ms: 600_000 })
    await stream.next()
    source.allowed = false
    const since_ms = source.now()
    while ((await stream.next()) !== null) expect(source.now() - since_ms).toBeLessThan(90_000)
    expect(source.now() - since_ms).toBeLessThan(90_000)
  })
})

describe('GET /v1/stream', () => {
  it('begins after the given sequence, and includes notifications that only the object has', async () => {
    const { api_key, customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    const known = (await readAll(api_key, '?after=0')).length
    await add(ledger, 'a')
    await runAlarm(ledger)
    await add(ledger, 'b')
    const all = await readAll(api_key, '?after=0')
    expect(all).toEqual(Array.from({ length: known + 2 }, (_, i) => i + 1))
    expect(await readAll(api_key, `?after=${known + 1}`)).toEqual([known + 2])
    expect(await readAll(api_key, '', { 'Last-Event-ID': String(known) })).toEqual([known + 1, known + 2])
    expect(await readAll(api_key, '')).toEqual([])
  })

  it('is refused without a key, and for an invalid sequence', async () => {
    const { api_key } = await createCustomer()
    expect((await api('/v1/stream')).status).toBe(401)
    expect((await api('/v1/stream?after=x', { key: api_key })).status).toBe(400)
    const headers = { 'Last-Event-ID': 'x' }
    expect((await api('/v1/stream', { key: api_key, headers })).status).toBe(400)
  })
})

async function readAll(key: string, query: string, headers: Record<string, string> = {}): Promise<number[]> {
  const response = await api(`/v1/stream${query}`, { key, headers })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('text/event-stream')
  return idsOf(await response.text())
}
