import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest, readBalance } from '../../src/ledger/client/client.ts'
import { MIGRATIONS, migrate } from '../../src/ledger/tables.ts'
import { freshLedger, journalEntries, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, CALLER, eventItem, single } from '../support/messages.ts'

vi.setConfig({ testTimeout: 30_000 })

/** What an object of an older deployment holds is there, and works, after each migration. */

const CREDITS = 1_000_000

const TABLES = `
  SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`

const JOURNAL_COLUMNS_2 =
  'row_id, format, first_entry, last_entry, last_lot, last_wallet, last_hold, at_ms, limits, body'
const INSERT_JOURNAL_2 = `INSERT INTO journal (${JOURNAL_COLUMNS_2}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** Writes the object's state anew in the tables of version 2, as a deployment of then would have left it. */
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

/** As after a deployment: the object starts with the tables of version 2. */
async function redeploy(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (_, { storage }) => {
    backToVersion2(storage)
    expect(() => storage.sql.exec('SELECT month_events FROM journal')).toThrow()
  })
  await evictDurableObject(ledger.stub)
}

describe('an object of version 2', () => {
  it('keeps its journal, its balance and every key, and goes on', async () => {
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

  it('has its small columns before the body, which a row of a quarter of a megabyte walks page by page', async () => {
    const ledger = await freshLedger(CREDITS)
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      backToVersion2(storage)
      migrate(storage)
      const columns = storage.sql
        .exec<{ name: string }>("SELECT name FROM pragma_table_info('journal')")
        .toArray()
      expect(columns.at(-1)?.name).toBe('body')
    })
  })
})
