import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import { d1Double } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  inStore,
  rowsWrittenBy,
  runAlarm,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { batch, eventItem, grant, single } from '../support/messages.ts'

/**
 * Checks how many rows each kind of request writes. This number determines the cost, and is the same on every machine.
 * One more row can double the cost. If a test fails, find the new write or index before you raise the number.
 */

const CREDITS = 1_000_000_000_000

async function richLedger(): Promise<TestLedger> {
  const ledger = await freshLedger(CREDITS)
  // Sends a first event, which can read more rows after a start. It is not measured.
  await ingest(env, ledger.name, single(eventItem(1)))
  return ledger
}

function events(count: number, keyed: boolean, name: string) {
  return Array.from({ length: count }, (_, i) => eventItem(1000 + i, keyed ? { key: `${name}-${i}` } : {}))
}

describe('rows written in the object', () => {
  it('one event with a key: journal, wallet', async () => {
    const ledger = await richLedger()
    const rows = await rowsWrittenBy(ledger, () =>
      ingest(env, ledger.name, single(eventItem(5, { key: 'k' }))),
    )
    expect(rows).toBe(2)
  })

  it('one event without a key: journal, wallet', async () => {
    const ledger = await richLedger()
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, single(eventItem(5))))).toBe(2)
  })

  it('100 events in a request, each with its own key: at most 0.10 per event', async () => {
    const ledger = await richLedger()
    const rows = await rowsWrittenBy(ledger, () => ingest(env, ledger.name, batch(events(100, true, 'e'))))
    expect(rows).toBe(2)
    expect(rows / 100).toBeLessThanOrEqual(0.1)
  })

  it('100 events in a request with one key: at most 0.10 per event', async () => {
    const ledger = await richLedger()
    const rows = await rowsWrittenBy(ledger, () =>
      ingest(env, ledger.name, batch(events(100, false, 'e'), { key: 'batch', fingerprint: 'f' })),
    )
    expect(rows).toBe(2)
    expect(rows / 100).toBeLessThanOrEqual(0.1)
  })

  it('1,000 events in a request with one key: as many journal rows as they fill, and one more', async () => {
    const ledger = await richLedger()
    const rows = await rowsWrittenBy(ledger, () =>
      ingest(env, ledger.name, batch(events(1000, false, 'e'), { key: 'batch', fingerprint: 'f' })),
    )
    expect(rows).toBeLessThanOrEqual(4)
  })

  it('50 single events that arrive together: one journal row and one wallet row', async () => {
    const ledger = await richLedger()
    const rows = await rowsWrittenBy(ledger, () =>
      Promise.all(events(50, true, 'e').map((item) => ask(ledger.stub, 'ingest', single(item)))),
    )
    // The 50 requests share one commit if they arrive in one turn of the event loop, and otherwise a few commits.
    expect(rows).toBeLessThan(2 * 10)
  })

  it('an event on a wallet with an expiring lot costs the same, while the next expiry stays', async () => {
    const ledger = await richLedger()
    const expires_at_ms = Date.now() + 86_400_000
    await ask(ledger.stub, 'credit', grant(1000, { expires_at_ms }))
    await ask(ledger.stub, 'credit', grant(1000, { expires_at_ms: expires_at_ms + 1 }))
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, single(eventItem(5))))).toBe(2)
  })

  it.each(['balance', 'lots'] as const)('%s: none', async (method) => {
    const ledger = await richLedger()
    const message = { owner: { kind: 'customer' }, limit: 100, after: null } as const
    expect(await rowsWrittenBy(ledger, () => ask(ledger.stub, method, message))).toBe(0)
  })

  it('a list of entries: none', async () => {
    const ledger = await richLedger()
    const message = { filter: {}, before_entry: null, limit: 100 }
    expect(await rowsWrittenBy(ledger, () => ask(ledger.stub, 'entries', message))).toBe(0)
  })

  it('a replay, alone or in a batch: none', async () => {
    const ledger = await richLedger()
    const item = eventItem(5, { key: 'k' })
    const whole = batch(events(10, true, 'e'), { key: 'batch', fingerprint: 'f' })
    await ingest(env, ledger.name, single(item))
    await ingest(env, ledger.name, whole)
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, single(item)))).toBe(0)
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, whole))).toBe(0)
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, batch(events(10, true, 'e'))))).toBe(0)
  })

  it('a refused event: none', async () => {
    const ledger = await richLedger()
    const poor = single(eventItem(CREDITS + 1, { key: 'k' }))
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, poor))).toBe(0)
  })

  it('a batch whose events are all refused, without a key of its own: none', async () => {
    const ledger = await richLedger()
    const poor = batch([eventItem(CREDITS + 1, { key: 'k' }), eventItem(CREDITS + 1)])
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, poor))).toBe(0)
  })

  it('an alarm with nothing to do: none', async () => {
    const ledger = await richLedger()
    await runAlarm(ledger)
    expect(await rowsWrittenBy(ledger, () => runAlarm(ledger))).toBe(0)
  })

  it('a flush: the cursor', async () => {
    const ledger = await richLedger()
    await ingest(env, ledger.name, batch(events(100, true, 'e')))
    expect(await rowsWrittenBy(ledger, () => runAlarm(ledger))).toBe(1)
  })
})

describe('rows written in D1', () => {
  it('a flush of 100-event requests on one wallet: at most 0.05 per event', async () => {
    const ledger = await richLedger()
    await runAlarm(ledger)
    for (let i = 0; i < 10; i++) await ingest(env, ledger.name, batch(events(100, true, `e${i}`)))
    const rows = await d1RowsOfFlush(ledger)
    // A flush writes three rows to D1: a page, its index entry, and the watermark of the ledger.
    expect(rows).toBe(3)
    expect(rows / 1000).toBeLessThanOrEqual(0.05)
  })

  it('a flush of a single request of 100 events: at most 0.05 per event', async () => {
    const ledger = await richLedger()
    await runAlarm(ledger)
    await ingest(env, ledger.name, batch(events(100, true, 'e')))
    expect((await d1RowsOfFlush(ledger)) / 100).toBeLessThanOrEqual(0.05)
  })

  it('one more page for each further wallet, and none for known users', async () => {
    const ledger = await richLedger()
    for (const id of ['ann', 'bob']) {
      await ask(ledger.stub, 'credit', grant(CREDITS, { owner: { kind: 'user', id } }))
    }
    await runAlarm(ledger)
    const users = events(30, true, 'e').map((item, i) =>
      item.event ? { ...item, event: { ...item.event, user_id: i % 2 ? 'ann' : 'bob' } } : item,
    )
    await ingest(env, ledger.name, batch(users))
    expect(await d1RowsOfFlush(ledger)).toBe(2 * 2 + 1)
  })

  it('nothing to flush: none', async () => {
    const ledger = await richLedger()
    await runAlarm(ledger)
    expect(await d1RowsOfFlush(ledger)).toBe(0)
  })
})

/** Runs the alarm, and returns the number of rows that D1 reports as written, including indexes. */
async function d1RowsOfFlush(ledger: TestLedger): Promise<number> {
  let rows = 0
  const counting = d1Double({
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await env.DB.batch(statements)
      for (const { meta } of results) rows += meta.rows_written
      return results
    },
  })
  await withD1(ledger, counting, () => runAlarm(ledger))
  expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(false)
  return rows
}
