import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import { LedgerStore } from '../../src/ledger/commit/store.ts'
import type { CustomerLedger } from '../../src/ledger/object.ts'
import { ask, freshLedger, runAlarm, storeOf, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem, grant, metadataOf, single } from '../support/messages.ts'

vi.setConfig({ testTimeout: 30_000 })

/**
 * Tests that a request to a large ledger costs as much as a request to a small one. The tests count the rows that are
 * read, because a request that reads the whole journal or all wallets would read more rows in a large ledger.
 */

const CREDITS = 1_000_000_000

async function ledgerWith(commits: number): Promise<TestLedger> {
  const ledger = await freshLedger(CREDITS)
  for (let i = 0; i < commits; i++) {
    await ingest(env, ledger.name, single(eventItem(1, { key: `k${i}` })))
    const owner = { kind: 'user', id: `u${i}` } as const
    const expires_at_ms = Date.now() + 86_400_000
    if (i % 3 === 0) await ask(ledger.stub, 'credit', grant(1000, { owner, expires_at_ms }))
  }
  return ledger
}

/** Returns the object's SQL storage and a function that returns the number of rows that it has read. */
function counting(sql: SqlStorage): { readonly sql: SqlStorage; readonly rows: () => number } {
  const cursors: { readonly rowsRead: number }[] = []
  const exec: SqlStorage['exec'] = <T extends Record<string, SqlStorageValue>>(
    query: string,
    ...bindings: SqlStorageValue[]
  ) => {
    const cursor = sql.exec<T>(query, ...bindings)
    cursors.push(cursor)
    return cursor
  }
  const counted: SqlStorage = Object.create(sql, {
    exec: { value: exec },
    databaseSize: { get: () => sql.databaseSize },
  })
  return { sql: counted, rows: () => cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0) }
}

/** Runs `work` inside the object, and returns the number of rows that it reads. */
function rowsRead(
  ledger: TestLedger,
  work: (instance: CustomerLedger, sql: SqlStorage) => unknown,
): Promise<number> {
  return runInDurableObject(ledger.stub, async (instance, { storage }) => {
    const { sql, rows } = counting(storage.sql)
    if (!Reflect.set(storeOf(instance), 'sql', sql)) throw new Error('the store kept its SQL')
    await work(instance, sql)
    Reflect.set(storeOf(instance), 'sql', storage.sql)
    return rows()
  })
}

const OWNER = { owner: { kind: 'customer' } } as const
const NEWEST = { filter: {}, before_entry: null, limit: 1 }

const paths: readonly (readonly [name: string, work: Parameters<typeof rowsRead>[1]])[] = [
  ['a start', (_, sql) => new LedgerStore(sql)],
  ['an event', (object) => ask(object, 'ingest', single(eventItem(1, { key: 'one more' })))],
  ['a replay', (object) => ask(object, 'ingest', single(eventItem(1, { key: 'k3' })))],
  ['a batch', (object) => ask(object, 'ingest', batch([eventItem(1), eventItem(1, { key: 'b' })]))],
  ['a balance', (object) => ask(object, 'balance', OWNER)],
  ['the newest entry', (object) => ask(object, 'entries', NEWEST)],
]

describe('a ledger of 20 commits and one of 200 read the same number of rows', async () => {
  const small = await ledgerWith(20)
  const large = await ledgerWith(200)

  it.each(paths)('for %s, before a flush', async (_, work) => {
    expect(await rowsRead(large, work)).toBe(await rowsRead(small, work))
  })

  it('for an alarm that has nothing to do', async () => {
    await Promise.all([runAlarm(small), runAlarm(large)])
    const alarm = (object: CustomerLedger) => object.alarm()
    expect(await rowsRead(large, alarm)).toBe(await rowsRead(small, alarm))
  })

  it.each(paths)('for %s, after a flush', async (_, work) => {
    expect(await rowsRead(large, work)).toBe(await rowsRead(small, work))
  })
})

describe('a journal that D1 has not received for long', () => {
  it('is read in small parts, by a flush and by a list', async () => {
    const ledger = await freshLedger(CREDITS)
    const metadata = metadataOf({ note: 'x'.repeat(2000) })
    for (let i = 0; i < 5; i++) {
      await ingest(env, ledger.name, batch(Array.from({ length: 1000 }, () => eventItem(1, { metadata }))))
    }
    const rows = await runInDurableObject(ledger.stub, (instance) => {
      return [...storeOf(instance).journal.rowsAfter(0)].length
    })
    expect(rows).toBeGreaterThan(40)
    expect(await rowsRead(ledger, (object) => ask(object, 'entries', NEWEST))).toBeLessThan(15)
    const first = await rowsRead(ledger, (instance) => {
      const [row] = storeOf(instance).journal.rowsAfter(0)
      return row
    })
    expect(first).toBeLessThan(15)
  })
})
