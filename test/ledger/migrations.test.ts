import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest, notify, readBalance } from '../../src/ledger/client/client.ts'
import { LedgerStore } from '../../src/ledger/commit/store.ts'
import { EntriesBuilder, shortRow } from '../../src/ledger/idempotency/hash.ts'
import { MIGRATIONS, migrate } from '../../src/ledger/tables.ts'
import { KeysJournal } from '../support/keys-journal.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  runAlarm,
  type TestLedger,
  watermark,
} from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant, single } from '../support/messages.ts'
import { expectChained } from '../support/stored-chain.ts'

vi.setConfig({ testTimeout: 30_000 })

/** Tests that the data of an object from an older deployment is complete and usable after each migration. */

const CREDITS = 1_000_000

const TABLES = `
  SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`

const JOURNAL_COLUMNS_2 =
  'row_id, format, first_entry, last_entry, last_lot, last_wallet, last_hold, at_ms, limits, body'
const INSERT_JOURNAL_2 = `INSERT INTO journal (${JOURNAL_COLUMNS_2}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** Replaces the object's tables with the tables of version 2, with the data in the format of that version. */
function backToVersion2(storage: DurableObjectStorage): void {
  const { sql } = storage
  const meta = sql.exec("SELECT key, value FROM meta WHERE key IN ('identity', 'cursor')").toArray()
  const wallets = sql
    .exec('SELECT wallet_key, wallet_number, balance_micro, due_at_ms, state FROM wallets')
    .toArray()
  const journal = sql
    .exec<{ row_id: number; body: string }>(`SELECT ${JOURNAL_COLUMNS_2} FROM journal`)
    .toArray()
  storage.transactionSync(() => {
    for (const { name } of sql.exec(TABLES).toArray()) sql.exec(`DROP TABLE ${name}`)
    for (const migration of MIGRATIONS.slice(0, 2)) migration(sql)
    for (const { key, value } of meta) sql.exec('INSERT INTO meta VALUES (?, ?)', key, value)
    sql.exec("INSERT INTO meta VALUES ('schema_version', '2')")
    for (const row of wallets) sql.exec('INSERT INTO wallets VALUES (?, ?, ?, ?, ?)', ...Object.values(row))
    for (const row of journal) {
      sql.exec(INSERT_JOURNAL_2, ...Object.values(row))
      for (const [index, [key, fingerprint]] of keysOf(row.body)) {
        sql.exec('INSERT INTO idempotency_keys VALUES (?, ?, ?, ?)', key, fingerprint, row.row_id, index)
      }
    }
  })
}

function keysOf(body: string): [index: number, k: [key: string, fingerprint: string]][] {
  const records: { readonly k?: [string, string] }[] = JSON.parse(body)
  return records.flatMap(({ k }, index): [number, [string, string]][] => (k ? [[index, k]] : []))
}

/** Changes the tables back to version 2 and restarts the object, which then migrates them. */
async function redeploy(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (_, { storage }) => {
    backToVersion2(storage)
    expect(() => storage.sql.exec('SELECT month_events FROM journal')).toThrow()
  })
  await evictDurableObject(ledger.stub)
}

describe('an object of version 2', () => {
  it('keeps its journal, its balance and every key, and accepts new events', async () => {
    const ledger = await freshLedger(CREDITS)
    const one = single(eventItem(5, { key: 'one' }))
    const many = batch([eventItem(1, { key: 'a' }), eventItem(2), eventItem(3, { key: 'ключ' })], {
      key: 'whole',
      fingerprint: 'f',
    })
    const first = await ingest(env, ledger.name, one)
    await runAlarm(ledger)
    const whole = await ingest(env, ledger.name, many)
    const entries = await journalEntries(ledger)
    await redeploy(ledger)

    expect(await ingest(env, ledger.name, one)).toMatchObject({ ...first, kind: 'replayed' })
    expect(await ingest(env, ledger.name, many)).toMatchObject({ ...whole, kind: 'replayed' })
    expect(await ingest(env, ledger.name, single(eventItem(9, { key: 'a' })))).toMatchObject({
      refusal: { code: 'idempotency_mismatch' },
    })
    expect(await journalEntries(ledger)).toEqual(entries)
    expect(await ingest(env, ledger.name, single(eventItem(4, { key: 'new' })))).toMatchObject({
      kind: 'done',
    })
    const balance = await readBalance(env, ledger.name, { caller: CALLER, owner: { kind: 'customer' } })
    expect(balance).toMatchObject({ answer: { balance: CREDITS - 15 } })
  })

  it('has the columns that requests read before the body, which a row of a quarter of a megabyte walks page by page', async () => {
    const ledger = await freshLedger(CREDITS)
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      backToVersion2(storage)
      migrate(storage)
      const columns = storage.sql
        .exec<{ name: string }>("SELECT name FROM pragma_table_info('journal')")
        .toArray()
      // These columns may follow the large body: a start reads them only in the last row, and a flush reads the body
      // anyway.
      const last = columns.slice(-4).map(({ name }) => name)
      expect(last).toEqual(['body', 'last_notification', 'salt', 'hash'])
    })
  })
})

/** Removes the columns and tables that later versions than version 8 added. */
function backToVersion8(sql: SqlStorage): void {
  for (const column of ['last_notification', 'salt', 'hash'])
    sql.exec(`ALTER TABLE journal DROP COLUMN ${column}`)
  sql.exec("DELETE FROM meta WHERE key = 'chain_first_entry'")
  for (const table of ['payment_intents', 'payers', 'alerts', 'limit_marks']) sql.exec(`DROP TABLE ${table}`)
}

/**
 * The state of the key buckets in the `meta` table of version 5. During a round, a second set of buckets is written, of
 * which the buckets before `next` are complete.
 */
interface Buckets5 {
  readonly bits: number
  readonly row: number
  readonly round?: { readonly bits: number; readonly row: number; readonly next: number }
}

/**
 * Stores the idempotency keys of the journal in the format of version 5. Keys in rows up to `row` are in buckets, and
 * keys in later rows are in runs.
 */
function backToVersion5({ sql }: DurableObjectStorage, buckets: Buckets5 | null): void {
  const journal = sql
    .exec<{ row_id: number; keys_total: number; key_hashes: ArrayBuffer }>(
      'SELECT row_id, keys_total, key_hashes FROM journal ORDER BY row_id',
    )
    .toArray()
  const keysTotal = (row: number) => journal.find(({ row_id }) => row_id === row)?.keys_total ?? 0
  const writeBucket = (bits: number, prefix: number, up_to: number) => {
    const builder = new EntriesBuilder()
    for (const { row_id, key_hashes } of journal) {
      const [low = 0, high = 0] = new Uint32Array(key_hashes)
      if (row_id <= up_to && high >>> (32 - bits) === prefix) builder.push(low, high, shortRow(row_id))
    }
    sql.exec('INSERT OR REPLACE INTO key_buckets VALUES (?, ?)', 2 ** bits + prefix, builder.toBlob())
    return builder.length
  }
  sql.exec('DROP TABLE key_segments')
  sql.exec('DROP INDEX unrated_models')
  sql.exec('ALTER TABLE limit_counters DROP COLUMN earlier')
  backToVersion8(sql)
  sql.exec("UPDATE meta SET value = '5' WHERE key = 'schema_version'")
  if (!buckets) return
  const { bits, row, round } = buckets
  const position = (up_to: number) => ({ row: up_to, keys_total: keysTotal(up_to) })
  let entries = 0
  // The number of buckets of the first set that the round has already replaced. They are not written.
  const replaced = round ? Math.floor(round.next * 2 ** (bits - round.bits)) : 0
  if (row > 0)
    for (let prefix = replaced; prefix < 2 ** bits; prefix++) entries += writeBucket(bits, prefix, row)
  let moved = 0
  for (let prefix = 0; prefix < (round?.next ?? 0); prefix++)
    moved += round ? writeBucket(round.bits, prefix, round.row) : 0
  const state = { bits, ...position(row), entries: row === 0 ? 0 : entries + moved }
  const round_state = round && { round: { ...round, ...position(round.row), entries: moved } }
  sql.exec("INSERT INTO meta VALUES ('key_buckets', ?)", JSON.stringify({ ...state, ...round_state }))
  sql.exec('DELETE FROM key_runs WHERE last_row <= ?', row)
}

describe('an object of version 5', () => {
  const KEYS = 300
  const all = Array.from({ length: KEYS }, (_, i) => `key-${i}`)
  const later = Array.from({ length: 100 }, (_, i) => `later-${i}`)
  const START_MS = Date.now() + 86_400_000
  const LIMITS = { memory_keys: 64, bucket_keys: 8, run_rows: 20, run_keys: 20 }

  it.each<[string, Buckets5 | null]>([
    ['without buckets', null],
    ['with buckets', { bits: 4, row: 200 }],
    ['in its first round', { bits: 0, row: 0, round: { bits: 3, row: 250, next: 4 } }],
    [
      'in a round that keeps the number of buckets',
      { bits: 3, row: 120, round: { bits: 3, row: 250, next: 5 } },
    ],
    ['in a round to more buckets', { bits: 2, row: 120, round: { bits: 4, row: 250, next: 7 } }],
    ['in a round to fewer buckets', { bits: 4, row: 120, round: { bits: 2, row: 250, next: 3 } }],
  ])('%s keeps every key, and deletes the buckets once their keys are forgotten', async (_, buckets) => {
    const ledger = await freshLedger()
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      const journalWith = (limits: Partial<typeof LIMITS>) =>
        new KeysJournal(storage, new LedgerStore(storage.sql), { limits })
      const before = journalWith({ ...LIMITS, memory_keys: 10_000 })
      for (const [i, key] of all.entries()) before.commit([key], START_MS + i)
      backToVersion5(storage, buckets)
      migrate(storage)

      const keys = journalWith(LIMITS)
      expect([...keys.remembered(all).keys()].sort()).toEqual([...all].sort())
      expect(keys.remembered(later).size).toBe(0)
      for (const [i, key] of later.entries()) keys.commit([key], START_MS + KEYS + i)
      expect(keys.remembered([...all, ...later]).size).toBe(KEYS + later.length)
      keys.restart()
      expect(keys.remembered([...all, ...later]).size).toBe(KEYS + later.length)

      keys.forgetBefore(START_MS + 150)
      expect([...keys.remembered(all).keys()].sort()).toEqual(all.slice(150).sort())
      const written_since = keys.count('key_segments')
      keys.forgetBefore(START_MS + KEYS)
      expect(keys.remembered(all).size).toBe(0)
      expect(keys.remembered(later).size).toBe(later.length)
      expect(keys.count('key_segments')).toBeLessThanOrEqual(written_since)
      const numbers = storage.sql.exec('SELECT first_bucket, bits FROM key_segments').toArray()
      const most = numbers.reduce((sum, { bits }) => sum + 2 ** Number(bits), 0)
      expect(keys.count('key_buckets')).toBeLessThanOrEqual(most)
      expect(storage.sql.exec('SELECT 1 FROM key_segments WHERE filter IS NULL').toArray()).toEqual([])
      expect(storage.sql.exec("SELECT 1 FROM meta WHERE key = 'key_buckets'").toArray()).toEqual([])
    })
  })
})

describe('an object of version 7', () => {
  it('keeps the counters of its limits', async () => {
    const ledger = await freshLedger()
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      const { sql } = storage
      sql.exec('ALTER TABLE limit_counters DROP COLUMN earlier')
      backToVersion8(sql)
      sql.exec("UPDATE meta SET value = '7' WHERE key = 'schema_version'")
      sql.exec("INSERT INTO limit_counters VALUES (1, 1000, '20000000000000000', '5')")
      migrate(storage)
      const store = new LedgerStore(sql)
      expect(store.limitCounter(1)).toEqual({
        window_start_ms: 1000,
        used: 20_000_000_000_000_000n,
        reserved: 5n,
      })
    })
  })
})

describe('an object of version 8', () => {
  it('numbers its notifications from 1, also after a restart', async () => {
    const ledger = await freshLedger()
    await ask(ledger.stub, 'credit', grant(5))
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      const { sql } = storage
      backToVersion8(sql)
      sql.exec("UPDATE meta SET value = '8' WHERE key = 'schema_version'")
    })
    await evictDurableObject(ledger.stub)
    await notify(env, ledger.name, { id: 'a', notice: { type: 'api_key.created', data: {} } })
    await evictDurableObject(ledger.stub)
    await notify(env, ledger.name, { id: 'b', notice: { type: 'api_key.created', data: {} } })
    expect(await inStore(ledger, ({ counters }) => counters.notification)).toBe(2)
  })
})

describe('an object of version 12', () => {
  /** Creates a ledger whose journal rows have no hashes, as in versions before the hash chain. */
  async function unhashed(): Promise<TestLedger> {
    const ledger = await freshLedger()
    await ask(ledger.stub, 'credit', grant(5))
    await runAlarm(ledger)
    await ask(ledger.stub, 'credit', grant(6))
    await runInDurableObject(ledger.stub, (_, { storage: { sql } }) => {
      for (const column of ['salt', 'hash']) sql.exec(`ALTER TABLE journal DROP COLUMN ${column}`)
      sql.exec("UPDATE meta SET value = '12' WHERE key = 'schema_version'")
    })
    await env.DB.prepare('UPDATE ledgers SET flushed_hash = NULL WHERE ledger_id = ?')
      .bind(ledgerKey(ledger.name))
      .run()
    await evictDurableObject(ledger.stub)
    return ledger
  }

  const hashes = (ledger: TestLedger) =>
    runInDurableObject(ledger.stub, (_, { storage }) =>
      storage.sql
        .exec<{ hash: string | null }>('SELECT hash FROM journal ORDER BY row_id')
        .toArray()
        .map(({ hash }) => hash),
    )

  it('hashes the rows of its next commits, and flushes all', async () => {
    const ledger = await unhashed()
    await ask(ledger.stub, 'credit', grant(7))
    await runAlarm(ledger)
    await ask(ledger.stub, 'credit', grant(8))
    await runAlarm(ledger)
    const hash = expect.stringMatching(/^[\w-]{43}$/)
    expect(await hashes(ledger)).toEqual([null, null, null, hash, hash])
    expect(await watermark(ledger)).toMatchObject({ flushed_row: 5, flushed_entry: 4 })
    await expectChained(ledger)
  })

  it('refuses a row without a hash after one with a hash', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const ledger = await unhashed()
    await ask(ledger.stub, 'credit', grant(7))
    await ask(ledger.stub, 'credit', grant(8))
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      storage.sql.exec('UPDATE journal SET hash = NULL WHERE row_id = 5')
    })
    await evictDurableObject(ledger.stub)
    await runAlarm(ledger)
    expect(log.mock.calls.flat().join()).toMatch(/journal row 5 is not the one that was committed/)
    expect(await watermark(ledger)).toMatchObject({ flushed_entry: 1 })
    log.mockRestore()
  })
})
