import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ingest, readBalance } from '../../src/ledger/client/client.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import { detachTexts } from '../../src/ledger/model/messages/events.ts'
import { groupOf } from '../faults/injection.ts'
import { ask, freshLedger, storeOf, type TestLedger } from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant, metadataOf } from '../support/messages.ts'

/**
 * Tests the memory limits of an object. Several objects can share an isolate of 128 MB, so the data and the work of an
 * object are limited in bytes, and not only in number.
 */

const CREDITS = 1_000_000_000

afterEach(() => {
  vi.useRealTimers()
})

/**
 * Sends all requests in one turn of the event loop, so that all of them arrive before the first one is executed.
 * Returns the kind of each result, or the code of its refusal.
 */
function together(ledger: TestLedger, messages: readonly string[]): Promise<string[]> {
  return runInDurableObject(ledger.stub, async (instance) => {
    const caller = JSON.stringify(CALLER)
    const replies = await Promise.all(messages.map((message) => instance.handle('ingest', caller, message)))
    return replies.map(({ result }): string => {
      const { kind, refusal }: { kind: string; refusal?: { code: string } } = JSON.parse(result)
      return refusal?.code ?? kind
    })
  })
}

describe('a request that waits for a commit', () => {
  it('is weighed by its content, so a few large requests take the room of many small ones', async () => {
    const ledger = await freshLedger(CREDITS)
    const metadata = metadataOf({ note: 'x'.repeat(6000) })
    const large = JSON.stringify(batch(Array.from({ length: 600 }, () => eventItem(1, { metadata }))))
    expect(large.length).toBeGreaterThan(3_600_000)
    const answers = await together(ledger, Array(8).fill(large))
    expect(answers).toEqual([...Array(5).fill('done'), ...Array(3).fill('overloaded')])
  })

  it.each([
    ['é', 5],
    ['語', 3],
  ])('weighs metadata with a letter %s by its memory', async (letter, fitting) => {
    const ledger = await freshLedger(CREDITS)
    const metadata = metadataOf({ note: `${letter}${'x'.repeat(6000)}` })
    const items = Array.from({ length: 600 }, () => eventItem(1, { metadata }))
    const { message, texts } = detachTexts(batch(items))
    const answers = await runInDurableObject(ledger.stub, async (instance) => {
      const handle = () => instance.handle('ingest', JSON.stringify(CALLER), JSON.stringify(message), texts)
      const replies = await Promise.all(Array.from({ length: 8 }, handle))
      return replies.map(({ result }) => result.includes('"overloaded"'))
    })
    expect(answers).toEqual(Array.from({ length: 8 }, (_, i) => i >= fitting))
  })

  it('is refused before it is parsed if there is no room', async () => {
    const ledger = await freshLedger(CREDITS)
    await runInDurableObject(ledger.stub, (instance) => {
      groupOf(instance).hasRoom = () => false
    })
    expect(await together(ledger, ['is not even JSON'])).toEqual(['overloaded'])
  })

  it('is not joined by reads that would have to write, when there is no room', async () => {
    // The clock is a year ahead, so that the platform does not run the alarm before the test does.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 365 * 86_400_000 })
    const ledger = await freshLedger(CREDITS)
    const expires_at_ms = Date.now() + 3_600_000
    await ask(ledger.stub, 'credit', grant(1000, { expires_at_ms }))
    vi.setSystemTime(expires_at_ms)
    const room = await runInDurableObject(ledger.stub, (instance) => {
      const group = groupOf(instance)
      const { hasRoom } = group
      group.hasRoom = () => false
      return () => {
        group.hasRoom = hasRoom
      }
    })
    const read = () => readBalance(env, ledger.name, { caller: CALLER, owner: { kind: 'customer' } })
    expect(await read()).toEqual({ kind: 'refused', refusal: { code: 'overloaded' } })
    await runInDurableObject(ledger.stub, room)
    expect(await read()).toMatchObject({ kind: 'done', answer: { balance: CREDITS } })
  })
})

describe('a batch of 1,000 duplicates out of twelve old batches, in any order', () => {
  it('parses each journal row of the duplicates once', async () => {
    const ledger = await freshLedger(CREDITS)
    const old = Array.from({ length: 12 }, (_, b) =>
      Array.from({ length: 84 }, (_, i) => eventItem(1, { key: `${b}-${i}` })),
    )
    for (const items of old) await ingest(env, ledger.name, batch(items))
    const interleaved = Array.from({ length: 1000 }, (_, i) =>
      eventItem(1, { key: `${i % 12}-${(i / 12) | 0}` }),
    )
    const reads = await bodiesRead(ledger, () => ask(ledger.stub, 'ingest', batch(interleaved)))
    expect(reads).toBe(12)
  })
})

/** Runs `work`, and returns how many journal bodies it reads by row number. */
async function bodiesRead(ledger: TestLedger, work: () => Promise<IngestResult>): Promise<number> {
  let reads = 0
  await runInDurableObject(ledger.stub, (instance, { storage: { sql } }) => {
    const counted: SqlStorage = Object.create(sql, {
      exec: {
        value: (query: string, ...bindings: SqlStorageValue[]) => {
          if (/body FROM journal WHERE row_id = /.test(query)) reads++
          return sql.exec(query, ...bindings)
        },
      },
    })
    Reflect.set(storeOf(instance), 'sql', counted)
  })
  const result = await work()
  if (result.kind === 'refused' || result.shape !== 'batch') throw new Error('not the result of a batch')
  expect(new Set(result.answer.results.map(({ status }) => status))).toEqual(new Set(['duplicate']))
  return reads
}
