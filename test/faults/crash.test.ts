import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import {
  ask,
  freshLedger,
  journalEntries,
  runAlarm,
  storedBalances,
  storedPages,
  type TestLedger,
} from '../support/ledgers.ts'
import { batch, eventItem, single } from '../support/messages.ts'
import { alarmOf, dump, failNextTransaction, type Moment, powerCut } from './injection.ts'

vi.setConfig({ testTimeout: 30_000 })

/**
 * Tests crashes of a ledger object: a deployment, the maintenance of a host or a crash of the runtime stops the object.
 * Requests that got a result before the crash must be on disk. Each other request must have taken effect once or not
 * at all. A client that retries with the same idempotency key must get the same result as without the crash.
 */

const CREDITS = 1000

function send(ledger: TestLedger, key?: string): Promise<IngestResult> {
  return ingest(env, ledger.name, single(eventItem(100, { key })))
}

describe('power fails inside the transaction', () => {
  it('and no request was acknowledged or stored', async () => {
    const ledger = await freshLedger(CREDITS)
    const before = await dump(ledger)
    await powerCut(ledger, 'inside the transaction')
    const message = single(eventItem(100, { key: 'k' }))
    expect(await ask(ledger.stub, 'ingest', message).catch(String)).toBe('Error: the power failed')
    expect(await dump(ledger)).toEqual(before)
  })

  it('and an event without a key fails with `unavailable`, and is not sent again by the Worker', async () => {
    const ledger = await freshLedger(CREDITS)
    const before = await dump(ledger)
    await powerCut(ledger, 'inside the transaction')
    expect(await send(ledger)).toEqual({ kind: 'refused', refusal: { code: 'unavailable' } })
    expect(await dump(ledger)).toEqual(before)
  })

  it('and an event with a key is sent again by the Worker, and burns once', async () => {
    const ledger = await freshLedger(CREDITS)
    await powerCut(ledger, 'inside the transaction')
    expect(await send(ledger, 'k')).toMatchObject({ kind: 'done', answer: { balance_after: 900 } })
    expect(await storedBalances(ledger)).toEqual({ customer: 900 })
  })

  it('and no event of a batch is stored', async () => {
    const ledger = await freshLedger(CREDITS)
    const before = await dump(ledger)
    await powerCut(ledger, 'inside the transaction')
    const items = Array.from({ length: 5 }, (_, i) => eventItem(10, { key: `k${i}` }))
    expect(await ingest(env, ledger.name, batch(items))).toMatchObject({ refusal: { code: 'unavailable' } })
    expect(await dump(ledger)).toEqual(before)
  })
})

describe('power fails after the transaction, before the disk has it', () => {
  it('and the event exists once or not at all, and after a retry exactly once', async () => {
    const ledger = await freshLedger(CREDITS)
    await powerCut(ledger, 'after the transaction')
    const result = await send(ledger, 'k')
    expect(result).toMatchObject({ answer: { balance_after: 900 } })
    expect(await send(ledger, 'k')).toMatchObject({ kind: 'replayed', answer: { balance_after: 900 } })
    expect(await storedBalances(ledger)).toEqual({ customer: 900 })
  })
})

describe('power fails before the reply', () => {
  it('and an event without a key fails with `unavailable` although it was burned', async () => {
    const ledger = await freshLedger(CREDITS)
    await powerCut(ledger, 'before the reply')
    expect(await send(ledger)).toEqual({ kind: 'refused', refusal: { code: 'unavailable' } })
    expect(await storedBalances(ledger)).toEqual({ customer: 900 })
  })

  it('and the retry with the same key is a replay, with the same bytes as every later one', async () => {
    const ledger = await freshLedger(CREDITS)
    await powerCut(ledger, 'before the reply')
    const retried = await send(ledger, 'k')
    expect(retried.kind).toBe('replayed')
    expect(JSON.stringify(await send(ledger, 'k'))).toBe(JSON.stringify(retried))
    expect(await storedBalances(ledger)).toEqual({ customer: 900 })
  })

  it('and a batch with a key of its own is a replay as a whole', async () => {
    const ledger = await freshLedger(CREDITS)
    await powerCut(ledger, 'before the reply')
    const message = batch([eventItem(600), eventItem(600)], { key: 'batch', fingerprint: 'f' })
    const result = await ingest(env, ledger.name, message)
    expect(result).toMatchObject({
      kind: 'replayed',
      answer: { results: [{ status: 'accepted' }, { status: 'rejected', code: 'insufficient_credits' }] },
    })
    expect(await storedBalances(ledger)).toEqual({ customer: 400 })
  })
})

describe('the numbers of a ledger', () => {
  it.each<Moment>(['inside the transaction', 'after the transaction', 'before the reply'])(
    'have no gap and no repetition when power fails %s',
    async (moment) => {
      const ledger = await freshLedger(CREDITS)
      await send(ledger, 'a')
      await powerCut(ledger, moment)
      await send(ledger, 'b')
      await send(ledger, 'c')
      const entries = await journalEntries(ledger)
      expect(entries.map((entry) => entry.number)).toEqual([1, 2, 3, 4])
      expect(entries.map((entry) => entry.balance_after)).toEqual([1000, 900, 800, 700])
    },
  )
})

describe('the disk refuses a transaction', () => {
  it('and the request fails, the tables do not change, and the next request works', async () => {
    const ledger = await freshLedger(CREDITS)
    const before = await dump(ledger)
    await failNextTransaction(ledger)
    await expect(send(ledger, 'k')).rejects.toThrow('the disk is full')
    expect(await dump(ledger)).toEqual(before)
    expect(await send(ledger, 'k')).toMatchObject({ kind: 'done', answer: { balance_after: 900 } })
    expect((await journalEntries(ledger)).map((entry) => entry.number)).toEqual([1, 2])
  })

  it('and the requests that shared it are executed alone, each once', async () => {
    const ledger = await freshLedger(CREDITS)
    await failNextTransaction(ledger)
    const messages = ['a', 'b', 'c'].map((key) => single(eventItem(100, { key })))
    const results = await runInDurableObject(ledger.stub, (instance) =>
      Promise.all(messages.map((message) => ask(instance, 'ingest', message))),
    )
    expect(results).toMatchObject([900, 800, 700].map((balance_after) => ({ answer: { balance_after } })))
    expect(await storedBalances(ledger)).toEqual({ customer: 700 })
  })
})

describe('a request that hits a bug', () => {
  it('fails alone: its neighbours in the same commit succeed', async () => {
    const ledger = await freshLedger(CREDITS)
    const good = (key: string) => single(eventItem(100, { key }))
    // The Worker never sends an item like this one, which has neither an event nor a refusal.
    const bad = single({ event: null, refusal: null })
    const results = await runInDurableObject(ledger.stub, (instance) =>
      Promise.allSettled([good('a'), bad, good('b')].map((message) => ask(instance, 'ingest', message))),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await storedBalances(ledger)).toEqual({ customer: 800 })
    expect((await journalEntries(ledger)).map((entry) => entry.number)).toEqual([1, 2, 3])
  })
})

describe('a deploy in the middle of traffic', () => {
  it('loses nothing and burns nothing twice, once every client has retried', async () => {
    const ledger = await freshLedger(1_000_000)
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    const first = keys.map((key) => send(ledger, key))
    await first[10]
    await abortAllDurableObjects()
    const outcomes = await Promise.allSettled(first)
    const again = await Promise.all(keys.map((key) => send(ledger, key)))
    expect(again.every(({ kind }) => kind !== 'refused')).toBe(true)
    expect(await storedBalances(ledger)).toEqual({ customer: 1_000_000 - 100 * 100 })
    // A request that got a result before the crash gets the same result again.
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') {
        // The test runtime ends these requests with its own error, which does not have the properties of the error in a
        // real deployment.
        expect(String(outcome.reason)).toContain('abortAllDurableObjects')
      } else if (outcome.value.kind !== 'refused') {
        expect(again[i]).toEqual({ ...outcome.value, kind: 'replayed' })
      }
    }
  })
})

describe('an object that starts again', () => {
  it('with entries that D1 does not have and no alarm arms one, and the flush runs', async () => {
    const ledger = await freshLedger(CREDITS)
    await send(ledger, 'k')
    await runInDurableObject(ledger.stub, (_, { storage }) => storage.deleteAlarm())
    await evictDurableObject(ledger.stub)
    expect(await alarmOf(ledger)).toBeGreaterThan(Date.now())
    await runAlarm(ledger)
    expect((await storedPages(ledger)).flatMap((page) => page.entries)).toHaveLength(2)
  })

  it('with nothing to do arms no alarm', async () => {
    const ledger = await freshLedger(CREDITS)
    await runAlarm(ledger)
    await runInDurableObject(ledger.stub, (_, { storage }) => storage.deleteAlarm())
    await evictDurableObject(ledger.stub)
    expect(await alarmOf(ledger)).toBeNull()
  })

  it('keeps its identity', async () => {
    const ledger = await freshLedger(CREDITS)
    await send(ledger, 'k')
    const before = await dump(ledger)
    await evictDurableObject(ledger.stub)
    const read = await ask(ledger.stub, 'balance', { owner: { kind: 'customer' } })
    expect(read).toMatchObject({ answer: { balance: 900 } })
    expect(await dump(ledger)).toEqual(before)
  })
})
