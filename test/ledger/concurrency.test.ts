import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  rowsWrittenBy,
  runAlarm,
  storedBalances,
  storedPages,
} from '../support/ledgers.ts'
import { eventItem, single } from '../support/messages.ts'

vi.setConfig({ testTimeout: 30_000 })

/**
 * Tests the ledger object with many concurrent callers, without HTTP. Checks the data in the object's tables and in D1.
 */

const PRICE = 15_000_000

function countKinds(results: readonly IngestResult[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of results) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

describe('500 events at once on a wallet that can pay for exactly 137', () => {
  it('burn 137 times down to 0, in the object, in its journal and in D1', async () => {
    const ledger = await freshLedger(137 * PRICE)
    const send = (i: number) => ingest(env, ledger.name, single(eventItem(PRICE, { key: `k${i}` })))
    const results = await Promise.all(Array.from({ length: 500 }, (_, i) => send(i)))
    expect(countKinds(results)).toEqual({ done: 137, refused: 363 })
    expect(await storedBalances(ledger)).toEqual({ customer: 0 })
    const entries = await journalEntries(ledger)
    expect(entries).toHaveLength(138)
    expect(entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(0)
    await runAlarm(ledger)
    const pages = await storedPages(ledger)
    expect(pages.flatMap((page) => page.entries).reduce((sum, { amount }) => sum + amount, 0)).toBe(0)
    expect(pages.at(-1)?.balance_after_micro).toBe(0)
    // A refused request does not use up its idempotency key, so its repeat is refused again. The repeat of an accepted
    // request is a replay.
    await evictDurableObject(ledger.stub)
    const again = await Promise.all(Array.from({ length: 500 }, (_, i) => send(i)))
    expect(countKinds(again)).toEqual({ replayed: 137, refused: 363 })
    expect(again.map((result) => result.kind === 'replayed')).toEqual(
      results.map(({ kind }) => kind === 'done'),
    )
  })

  it('share commits: far fewer than 137 journal rows', async () => {
    const ledger = await freshLedger(137 * PRICE)
    const before = await inStore(ledger, (store) => [...store.journal.rowsAfter(0)].length)
    const { stub } = ledger
    const message = single(eventItem(PRICE))
    const rows = await rowsWrittenBy(ledger, () =>
      Promise.all(Array.from({ length: 500 }, () => ask(stub, 'ingest', message))),
    )
    const commits = (await inStore(ledger, (store) => [...store.journal.rowsAfter(0)].length)) - before
    expect(commits).toBeLessThan(137 / 2)
    // Each commit writes a journal row and a wallet row. Using up the lot writes one more row.
    expect(rows).toBeLessThanOrEqual(2 * commits + 1)
  })
})

describe('the same key 100 times at once', () => {
  it('burns once and returns 100 identical results', async () => {
    const ledger = await freshLedger(137 * PRICE)
    const item = single(eventItem(PRICE, { key: 'k' }))
    const results = await Promise.all(Array.from({ length: 100 }, () => ingest(env, ledger.name, item)))
    expect(countKinds(results)).toEqual({ done: 1, replayed: 99 })
    const answers = results.map((result) => JSON.stringify({ ...result, kind: 'answered' }))
    expect(new Set(answers).size).toBe(1)
    expect(await storedBalances(ledger)).toEqual({ customer: 136 * PRICE })
    expect(await journalEntries(ledger)).toHaveLength(2)
  })
})
