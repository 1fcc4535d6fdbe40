import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { ingest } from '../../src/ledger/client/client.ts'

import { KEY_LIMITS, PackedKeys } from '../../src/ledger/idempotency/store.ts'
import { detailOf } from '../../src/ledger/model/refusal.ts'
import { type KeysJournal, TINY } from '../support/keys-journal.ts'
import { ask, freshLedger, inStore, runAlarm, storedBalances, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem, grant, single } from '../support/messages.ts'
import { withKeysJournal } from '../support/with-keys-journal.ts'

vi.setConfig({ testTimeout: 60_000 })

/**
 * Tests the store of idempotency keys with limits that are smaller than in production. `npm run bench:keys` uses the
 * real limits with 20 million keys, and `test/properties/keys.test.ts` compares the store with a Map.
 */

// The limits of the tests. The bucket size is the same as in production, because the cost of a key depends on the
// number of buckets in a segment.
const SCALED = { memory_keys: 512, run_keys: 128, run_rows: 64 } as const

/** The time of the first commit. It is after the opening of the ledger, because times in the journal never decrease. */
const START_MS = Date.now() + 86_400_000

const keysOf = (from: number, count: number) => Array.from({ length: count }, (_, i) => `key-${from + i}`)

function commits(keys: KeysJournal, from: number, count: number, a_commit: number): void {
  for (let at = from; at < from + count; at += a_commit) {
    const fresh = keysOf(at, a_commit)
    expect(keys.remembered(fresh).size).toBe(0)
    keys.commit(fresh, START_MS + at)
  }
}

/** Checks that the store finds each key of this range with its own request, and finds no other keys. */
function expectRemembered(keys: KeysJournal, from: number, until: number, a_commit: number): void {
  for (let at = from; at < until; at += 500) {
    const asked = keysOf(at, Math.min(500, until - at))
    const at_ms = (key: string) => START_MS + Math.floor(Number(key.slice(4)) / a_commit) * a_commit
    expect([...keys.remembered(asked)].sort()).toEqual(
      asked.map((key): [string, string] => [key, `f:${key}@${at_ms(key)}`]).sort(),
    )
    expect(keys.remembered(asked.map((key) => `no ${key}`)).size).toBe(0)
  }
}

describe('a window of keys much larger than memory', () => {
  it('is found exactly, before and after a start, at a tenth of a row for each event', async () => {
    await withKeysJournal({ limits: SCALED }, (keys) => {
      const before = keys.rowsWritten
      commits(keys, 0, 40_000, 100)
      // Adds 0.01 rows for each key: the wallet row that each commit of 100 keys also writes.
      expect((keys.rowsWritten - before) / 40_000 + 0.01).toBeLessThanOrEqual(0.1)
      // The store writes a segment at the first commit after the index has 512 keys. Each segment therefore has 600
      // keys, in one bucket.
      expect(keys.count('key_segments')).toBe(66)
      expect(keys.count('key_buckets')).toBe(66)
      expectRemembered(keys, 0, 40_000, 100)
      keys.restart()
      expectRemembered(keys, 0, 40_000, 100)
    })
  })

  it('takes a bounded amount of memory', async () => {
    await withKeysJournal({ limits: SCALED }, (keys) => {
      let most = 0
      for (let at = 0; at < 20_000; at += 50) {
        commits(keys, at, 50, 50)
        const store = storeOf(keys)
        most = Math.max(most, store.memoryBytes)
      }
      // The index has 1,024 slots of 12 bytes, and the filters have 12 bits per key.
      expect(most).toBeLessThanOrEqual(1024 * 12 + 20_000 * 1.6)
      expect(most).toBeLessThanOrEqual(4096 * 12)
    })
  })

  it('is forgotten without a row for each key, and leaves little on disk', async () => {
    await withKeysJournal({ limits: SCALED }, (keys) => {
      commits(keys, 0, 40_000, 100)
      const [buckets, before] = [keys.count('key_buckets'), keys.rowsWritten]
      for (let at = 0; at <= 39_000; at += 1000) keys.forgetBefore(START_MS + at)
      expect((keys.rowsWritten - before) / 39_000).toBeLessThan(0.1)
      expectRemembered(keys, 39_000, 40_000, 100)
      for (let at = 0; at < 39_000; at += 500) expect(keys.remembered(keysOf(at, 500)).size).toBe(0)
      expect(keys.count('key_buckets')).toBeLessThan(buckets / 4)
      expect(keys.count('key_runs')).toBeLessThan(5)
    })
  })
})

describe('a segment', () => {
  it('is written with the same keys and rows when the object starts again after each commit', async () => {
    const lived = (cut_off: boolean) =>
      withKeysJournal({ limits: { ...TINY, memory_keys: 64 } }, (keys) => {
        const before = keys.rowsWritten
        for (let at = 0; at < 400; at += 4) {
          commits(keys, at, 4, 4)
          if (cut_off) keys.restart()
        }
        expectRemembered(keys, 0, 400, 4)
        return { rows: keys.rowsWritten - before, buckets: keys.count('key_buckets') }
      })
    const [whole, pieces] = [await lived(false), await lived(true)]
    expect(pieces.buckets).toBeGreaterThan(32)
    expect(pieces.rows).toBeLessThanOrEqual(1.1 * whole.rows)
  })

  it('of more buckets than are deleted at a time is deleted in parts', async () => {
    await withKeysJournal({ limits: { memory_keys: 600, bucket_keys: 1, run_keys: 200 } }, (keys) => {
      commits(keys, 0, 600, 5)
      commits(keys, 600, 5, 5)
      expect(keys.count('key_segments')).toBe(1)
      const buckets = keys.count('key_buckets')
      expect(buckets).toBeGreaterThan(400)
      keys.forgetBefore(START_MS + 600)
      expect(keys.count('key_segments')).toBe(1)
      expect(keys.count('key_buckets')).toBe(buckets - 256)
      expect(keys.remembered(keysOf(0, 600)).size).toBe(0)
      // These commits write the next segment while a part of the deleted segment is still on disk.
      commits(keys, 605, 800, 5)
      expect(keys.count('key_segments')).toBe(2)
      expectRemembered(keys, 600, 1405, 5)
      keys.forgetBefore(START_MS + 605)
      expect(keys.count('key_segments')).toBe(1)
      expectRemembered(keys, 605, 1405, 5)
    })
  })

  it('whose transaction is undone leaves no trace', async () => {
    await withKeysJournal({ limits: TINY }, (keys) => {
      for (let at = 0; at < 400; at += 4) {
        keys.remembered(keysOf(at, 4))
        for (let i = 0; i < 3; i++) keys.commit(keysOf(at, 4), START_MS + at, true)
        commits(keys, at, 4, 4)
      }
      expectRemembered(keys, 0, 400, 4)
      keys.restart()
      expectRemembered(keys, 0, 400, 4)
    })
  })
})

describe('a ledger that is evicted after every few keys', () => {
  it('still writes segments, and its memory stays small', async () => {
    await withKeysJournal({ limits: { ...SCALED, memory_keys: 128, bucket_keys: 8 } }, (keys) => {
      let most = 0
      for (let at = 0; at < 6000; at += 5) {
        keys.restart()
        commits(keys, at, 5, 5)
        most = Math.max(most, storeOf(keys).memoryBytes)
      }
      expect(most).toBeLessThanOrEqual(1024 * 12)
      expect(keys.count('key_buckets')).toBeGreaterThan(500)
      expectRemembered(keys, 0, 6000, 5)
    })
  })
})

describe('a start', () => {
  it('reads runs and the last rows of the journal for the first key, for any number of rows', async () => {
    await withKeysJournal({ limits: { run_rows: 100 } }, (keys) => {
      for (let at = 0; at < 3050; at++) keys.commit([`key-${at}`], at)
      const before_start = keys.rowsRead
      keys.restart()
      expect(keys.rowsRead - before_start).toBeLessThan(5)
      const before = keys.rowsRead
      expect(keys.remembered(['key-7']).size).toBe(1)
      expect(keys.rowsRead - before).toBeLessThan(30 + 100 + 10)
    })
  })

  it('has less to read after commits without keys, too', async () => {
    await withKeysJournal({ limits: { run_rows: 100 } }, (keys) => {
      keys.commit(['the only one'], 0)
      for (let at = 1; at < 2050; at++) keys.commit([], at)
      keys.restart()
      const before = keys.rowsRead
      expect(keys.remembered(['the only one']).size).toBe(1)
      expect(keys.rowsRead - before).toBeLessThan(20 + 100 + 10)
    })
  })
})

describe('many duplicates at once', () => {
  it('are read with one read of their journal row', async () => {
    await withKeysJournal({}, (keys) => {
      keys.commit(keysOf(0, 1000), 0)
      keys.restart()
      keys.remembered(['other'])
      const before = keys.rowsRead
      expect(keys.remembered(keysOf(0, 1000)).size).toBe(1000)
      expect(keys.rowsRead - before).toBeLessThanOrEqual(2)
    })
  })
})

describe('a window that is full', () => {
  const WINDOW_MS = readConfig(env).idempotency_window_ms

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 365 * 86_400_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  async function fullLedger(): Promise<TestLedger> {
    const ledger = await freshLedger(1000)
    await inStore(ledger, ({ journal }) => {
      const keys: unknown = Reflect.get(journal, 'keys')
      if (!Reflect.set(Object(keys), 'limits', { ...KEY_LIMITS, window_keys: 3 }))
        throw new Error('no limits')
    })
    for (const key of ['a', 'b', 'c']) await ingest(env, ledger.name, single(eventItem(1, { key })))
    return ledger
  }

  const FULL = { kind: 'refused', refusal: { code: 'overloaded', keys_full: true } } as const

  it('refuses a new key, replays the old ones, and burns without a key', async () => {
    const ledger = await fullLedger()
    expect(await ingest(env, ledger.name, single(eventItem(1, { key: 'd' })))).toEqual(FULL)
    expect(
      await ask(ledger.stub, 'credit', { ...grant(5), idempotency: { key: 'g', fingerprint: 'f' } }),
    ).toEqual(FULL)
    expect(await ingest(env, ledger.name, single(eventItem(1, { key: 'a' })))).toMatchObject({
      kind: 'replayed',
    })
    expect(await ingest(env, ledger.name, single(eventItem(2, { key: 'a' })))).toMatchObject({
      refusal: { code: 'idempotency_mismatch' },
    })
    expect(await ingest(env, ledger.name, single(eventItem(1)))).toMatchObject({ kind: 'done' })
    expect(await storedBalances(ledger)).toEqual({ customer: 1000 - 4 })
    expect(detailOf(FULL.refusal)).toContain('batches')
  })

  it('accepts batches with one key for all their events, and rejects events with a new key of their own inside them', async () => {
    const ledger = await fullLedger()
    const mixed = batch([eventItem(1), eventItem(1, { key: 'd' }), eventItem(1, { key: 'b' })], {
      key: 'whole',
      fingerprint: 'f',
    })
    const first = await ingest(env, ledger.name, mixed)
    expect(first).toMatchObject({
      kind: 'done',
      answer: {
        results: [
          { status: 'accepted' },
          { status: 'rejected', code: 'overloaded' },
          { status: 'duplicate' },
        ],
      },
    })
    expect(await ingest(env, ledger.name, mixed)).toMatchObject({ kind: 'replayed' })
    expect(await storedBalances(ledger)).toEqual({ customer: 1000 - 4 })
  })

  it('has room again when older keys are forgotten', async () => {
    const ledger = await fullLedger()
    await runAlarm(ledger)
    vi.setSystemTime(Date.now() + WINDOW_MS + 1)
    await ingest(env, ledger.name, single(eventItem(1)))
    await runAlarm(ledger)
    expect(await ingest(env, ledger.name, single(eventItem(1, { key: 'a' })))).toMatchObject({ kind: 'done' })
  })
})

function storeOf(keys: KeysJournal): PackedKeys {
  const store: unknown = Reflect.get(keys.journal, 'keys')
  if (!(store instanceof PackedKeys)) throw new Error('the journal has no packed keys')
  return store
}
