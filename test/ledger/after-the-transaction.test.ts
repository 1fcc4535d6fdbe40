import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import {
  ask,
  freshLedger,
  journalEntries,
  runAlarm,
  storedBalances,
  storeOf,
  type TestLedger,
} from '../support/ledgers.ts'
import { eventItem, single } from '../support/messages.ts'

/**
 * Tests errors after the transaction of a commit. If a commit fails, its requests are committed again, one at a time.
 * After the transaction has closed, this would burn twice, so a later error must not count as a failed commit.
 */

const CREDITS = 1000

vi.spyOn(console, 'error').mockImplementation(() => undefined)

/** Makes the next call of `publish` throw, as if it had a bug or the memory had run out. */
async function breakPublishing(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    const store = storeOf(instance)
    store.publish = () => {
      Reflect.deleteProperty(store, 'publish')
      throw new Error('a bug in publishing')
    }
  })
}

async function burns(ledger: TestLedger): Promise<number> {
  return (await journalEntries(ledger)).filter(({ type }) => type === 'BURN').length
}

describe('a change that was written and could not be published', () => {
  it('fails with unavailable and is burned at most once, without a key', async () => {
    const ledger = await freshLedger(CREDITS)
    await breakPublishing(ledger)
    const result = await ingest(env, ledger.name, single(eventItem(100)))
    expect(result).toEqual({ kind: 'refused', refusal: { code: 'unavailable' } })
    expect(await burns(ledger)).toBeLessThanOrEqual(1)
  })

  it('is burned once by a retry with its key', async () => {
    const ledger = await freshLedger(CREDITS)
    await breakPublishing(ledger)
    const send = () => ingest(env, ledger.name, single(eventItem(100, { key: 'k' })))
    expect(await send()).toMatchObject({ answer: { balance_after: 900 } })
    expect(await send()).toMatchObject({ kind: 'replayed', answer: { balance_after: 900 } })
    expect(await storedBalances(ledger)).toEqual({ customer: 900 })
  })

  it('is burned at most once by each request of a group', async () => {
    const ledger = await freshLedger(CREDITS)
    await breakPublishing(ledger)
    const message = single(eventItem(1))
    const { stub } = ledger
    await Promise.allSettled(Array.from({ length: 10 }, () => ask(stub, 'ingest', message)))
    expect(await burns(ledger)).toBeLessThanOrEqual(10)
  })
})

describe('an alarm that cannot be set', () => {
  it('changes neither the result nor the burn, and the next commit sets the alarm', async () => {
    const ledger = await freshLedger(CREDITS)
    await runAlarm(ledger)
    let sets = 0
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      const setAlarm = storage.setAlarm.bind(storage)
      Reflect.set(storage, 'setAlarm', (at_ms: number) => {
        sets++
        if (sets === 1) throw new Error('no alarm today')
        if (sets === 2) return Promise.reject(new Error('no alarm today either'))
        return setAlarm(at_ms)
      })
    })
    for (let left = 900; left >= 600; left -= 100) {
      const result = await ingest(env, ledger.name, single(eventItem(100)))
      expect(result).toMatchObject({ kind: 'done', answer: { balance_after: left } })
    }
    expect(sets).toBe(3)
    expect(await burns(ledger)).toBe(4)
  })
})
