import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { readBalance } from '../../src/ledger/client/client.ts'
import { MIGRATIONS, type Migration, migrate } from '../../src/ledger/tables.ts'
import { freshLedger, type TestLedger } from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'

/**
 * Tests objects whose tables have another version. An object exists for years and sees many deployments. Its tables are
 * migrated, or the object refuses requests if its tables are newer than the code.
 */

const nextVersion: Migration = (sql) => {
  sql.exec("ALTER TABLE wallets ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")
}
const brokenVersion: Migration = (sql) => {
  sql.exec('CREATE TABLE half_done (n INTEGER) STRICT')
  throw new Error('the migration has a bug')
}

function inStorage<T>(ledger: TestLedger, use: (storage: DurableObjectStorage) => T): Promise<T> {
  return runInDurableObject(ledger.stub, (_, { storage }) => use(storage))
}

function versionOf({ sql }: DurableObjectStorage): unknown {
  return sql.exec("SELECT value FROM meta WHERE key = 'schema_version'").one().value
}

function tablesOf({ sql }: DurableObjectStorage): unknown[] {
  return sql
    .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name")
    .toArray()
}

function balance(ledger: TestLedger): Promise<unknown> {
  return readBalance(env, ledger.name, { caller: CALLER, owner: { kind: 'customer' } })
}

describe('the tables of a ledger object', () => {
  it('have the version of the code that created them', async () => {
    const ledger = await freshLedger(1000)
    expect(await inStorage(ledger, versionOf)).toBe(String(MIGRATIONS.length))
  })

  it('of an older version are upgraded, version by version, with their content', async () => {
    const ledger = await freshLedger(1000)
    const versions = [
      ...MIGRATIONS,
      nextVersion,
      (sql: SqlStorage) => void sql.exec('CREATE TABLE third (n INT)'),
    ]
    const wallets = await inStorage(ledger, (storage) => {
      migrate(storage, versions)
      return storage.sql.exec('SELECT wallet_key, balance_micro, colour FROM wallets').toArray()
    })
    expect(wallets).toEqual([{ wallet_key: 'customer', balance_micro: 1000, colour: 'grey' }])
    expect(await inStorage(ledger, versionOf)).toBe(String(versions.length))
    await inStorage(ledger, (storage) => migrate(storage, versions))
  })

  it('do not change when a migration fails', async () => {
    const ledger = await freshLedger(1000)
    const before = await inStorage(ledger, tablesOf)
    await inStorage(ledger, (storage) => {
      expect(() => migrate(storage, [...MIGRATIONS, nextVersion, brokenVersion])).toThrow('has a bug')
    })
    expect(await inStorage(ledger, tablesOf)).toEqual(before)
    expect(await inStorage(ledger, versionOf)).toBe(String(MIGRATIONS.length))
    expect(await balance(ledger)).toMatchObject({ answer: { balance: 1000 } })
  })

  it.each([
    ['a newer version', "UPDATE meta SET value = '99' WHERE key = 'schema_version'", /version 99, .* deploy/],
    ['no version', "DELETE FROM meta WHERE key = 'schema_version'", /have no version/],
    ['an unknown version', "UPDATE meta SET value = 'x' WHERE key = 'schema_version'", /have no version/],
  ])('of %s are refused at the next start, and stay unchanged', async (_, change, message) => {
    const ledger = await freshLedger(1000)
    await inStorage(ledger, ({ sql }) => void sql.exec(change))
    await evictDurableObject(ledger.stub)
    await expect(balance(ledger)).rejects.toThrow(message)
  })
})
