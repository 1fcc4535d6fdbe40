import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { credit, eraseSubject, ingest, rewriteLedgerPages } from '../../src/ledger/client/client.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { reconcileLedger } from '../../src/projection/reconcile/reconcile.ts'
import { d1FailingAt } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  journalEntries,
  runAlarm,
  storedPages,
  type TestLedger,
  watermark,
  withD1,
} from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant, metadataOf } from '../support/messages.ts'
import { expectChained } from '../support/stored-chain.ts'

vi.setConfig({ testTimeout: 30_000 })

const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
afterEach(() => {
  log.mockClear()
})

/**
 * Creates a ledger with two wallets and two flushes. The entries have users, teams and metadata, and all of them are in
 * D1.
 */
async function usedLedger(): Promise<TestLedger> {
  const ledger = await freshLedger(1_000_000_000)
  await credit(env, ledger.name, grant(5_000_000, { owner: { kind: 'user', id: 'ann' }, reason: 'welcome' }))
  await use(ledger)
  await runAlarm(ledger)
  await use(ledger)
  await runAlarm(ledger)
  return ledger
}

async function use(ledger: TestLedger): Promise<void> {
  const metadata = metadataOf({ conversation: 'of ann' })
  const items = [{ user_id: 'ann', metadata }, { user_id: 'ben' }, { team_id: 'red' }, {}]
  await ingest(env, ledger.name, batch(items.map((item, i) => eventItem(1000 + i, item))))
}

const query = (ledger: TestLedger, sql: string, ...values: unknown[]) =>
  env.DB.prepare(sql)
    .bind(ledgerKey(ledger.name), ...values)
    .run()

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

describe('the hash chain', () => {
  it('runs over the entries of all wallets by number, from the ledger and its first entry on', async () => {
    const ledger = await usedLedger()
    const { first_entry, entries } = await expectChained(ledger)
    expect(first_entry).toBe(1)
    expect(entries.map(({ c }) => c.n)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1))
  })

  it('has personal data only in commitments, which their salts open', async () => {
    const ledger = await usedLedger()
    const { entries } = await expectChained(ledger)
    const contents = JSON.stringify(entries.map(({ c }) => c))
    expect(contents).not.toMatch(/ann|ben|red|welcome|conversation|key_/)
    const personal = await personalTexts(ledger)
    expect(personal[1]).toBe('{"o":{"kind":"user","id":"ann"},"d":"welcome"}')
    for (const [i, { c, s }] of entries.entries()) expect(c.pc).toBe(digest(`${s}\n${personal[i]}`))
    expect(new Set(entries.map(({ s }) => s)).size).toBe(entries.length)
  })

  it('begins after the entries of the version before it', async () => {
    const ledger = await freshLedger(1_000_000_000)
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      const body = storage.sql.exec<{ body: string }>('SELECT body FROM journal WHERE row_id = 1').one().body
      storage.sql.exec(
        'UPDATE journal SET format = 1, body = ? WHERE row_id = 1',
        body.replace(/,"s":"[^"]+"/, ''),
      )
      storage.sql.exec("UPDATE meta SET value = '2' WHERE key = 'chain_first_entry'")
    })
    await evictDurableObject(ledger.stub)
    await runAlarm(ledger)
    const unchained = await env.DB.prepare(
      'SELECT chain_first_entry, chain_hash FROM ledgers WHERE ledger_id = ?',
    )
      .bind(ledgerKey(ledger.name))
      .first()
    expect(unchained).toEqual({ chain_first_entry: null, chain_hash: null })
    await use(ledger)
    await runAlarm(ledger)
    const { first_entry, hashes } = await expectChained(ledger)
    expect([first_entry, hashes.length]).toEqual([2, 4])
    expect((await storedPages(ledger)).flatMap((page) => page.entries).map(({ number }) => number)).toEqual([
      1, 2, 3, 4, 5,
    ])
  })

  it('is the same when pages are written again', async () => {
    const ledger = await usedLedger()
    const before = await expectChained(ledger)
    await query(ledger, "UPDATE ledger_pages SET body = '[]' WHERE ledger_id = ? AND flush_entry = 7")
    expect(await rewriteLedgerPages(env, ledger.name, { from_entry: 7, to_entry: 10 })).toEqual({
      kind: 'done',
      rewritten: true,
    })
    expect(await expectChained(ledger)).toEqual(before)
  })

  it('is not written without the hash of the entry before the range', async () => {
    const ledger = await usedLedger()
    await query(ledger, 'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry < 7')
    const pages = await storedPages(ledger)
    const rewrite = (from_entry: number) =>
      rewriteLedgerPages(env, ledger.name, { from_entry, to_entry: from_entry === 7 ? 10 : 6 })
    expect(await rewrite(7)).toEqual({ kind: 'done', rewritten: false })
    expect(await storedPages(ledger)).toEqual(pages)
    expect(log).not.toHaveBeenCalled()
    expect(await rewrite(1)).toEqual({ kind: 'done', rewritten: true })
    expect(await rewrite(7)).toEqual({ kind: 'done', rewritten: true })
  })
})

/** Returns the personal data of each journal entry, as the JSON text that the entry's commitment covers. */
async function personalTexts(ledger: TestLedger): Promise<string[]> {
  return (await journalEntries(ledger)).map(({ owner: o, event, description: d, metadata: mt }) => {
    const e = event && { u: event.user_id, g: event.team_id, ki: event.key_id }
    return JSON.stringify({ o, e, d, mt }).replace(',"e":{}', '').replace('"e":{}', '')
  })
}

describe('two histories of one ledger', () => {
  /**
   * Creates a ledger whose history in D1 differs from its object. Flushes the commit `commit`, restores the object to
   * the state before it, and commits `other` instead.
   */
  async function forked(commit: Commit, other: Commit): Promise<TestLedger> {
    const ledger = await usedLedger()
    const backup = await tablesOf(ledger)
    await commit(ledger)
    await withD1(ledger, d1FailingAt(2, 'after its effect'), () => runAlarm(ledger))
    await restore(ledger, backup)
    await other(ledger)
    // Sets the time of the flush in D1 an hour later, so that the time alone does not show the difference between the
    // two histories.
    await query(ledger, 'UPDATE ledgers SET flushed_at_ms = flushed_at_ms + 3600000 WHERE ledger_id = ?')
    return ledger
  }

  const hold: Commit = async (ledger) => {
    const size = { kind: 'credits', credits: microCredits(1_000_000) } as const
    await ask(ledger.stub, 'hold', {
      caller: CALLER,
      request: { op: 'open', feature_id: 'chat', lifetime_ms: 3_600_000, size },
    })
  }

  it.each([
    { what: 'entries', commit: use, entry: 14 },
    { what: 'a hold, which has no entry', commit: hold, entry: 10 },
  ])('whose last commits have $what are detected by the next flush, which writes nothing', async (fork) => {
    const ledger = await forked(fork.commit, fork.commit)
    const before = await storedPages(ledger)
    expect(await watermark(ledger)).toMatchObject({ flushed_row: 5, flushed_entry: fork.entry })
    log.mockClear()
    await runAlarm(ledger)
    expect(log.mock.calls.flat().join()).toMatch(/D1 has another history of the ledger: row 5 has the hash/)
    expect(await storedPages(ledger)).toEqual(before)
    expect(await watermark(ledger)).toMatchObject({ flushed_row: 5, flushed_entry: fork.entry })
  })

  it('are detected by the hashes of entries if those of rows are equal', async () => {
    const ledger = await usedLedger()
    await use(ledger)
    await withD1(ledger, d1FailingAt(2, 'after its effect'), () => runAlarm(ledger))
    // Imitates an erasure, which changes the body of a journal row and removes its salt, so that the hash of the row
    // can no longer be verified.
    await rewriteRow(ledger, `salt = NULL, body = replace(body, '"s":"', '"s":"x')`)
    await use(ledger)
    log.mockClear()
    await runAlarm(ledger)
    expect(log.mock.calls.flat().join()).toMatch(/D1 has another history of the ledger: entry 14/)
    expect(await watermark(ledger)).toMatchObject({ flushed_entry: 14 })
  })
})

describe('the hash of a journal row', () => {
  it('covers the hash before it, the salt, the numbers and the body', async () => {
    const ledger = await usedLedger()
    await use(ledger)
    const rows = await runInDurableObject(ledger.stub, (_, { storage }) =>
      storage.sql.exec<HashedRow>('SELECT * FROM journal ORDER BY row_id').toArray(),
    )
    expect(rows).toHaveLength(5)
    let before = ''
    for (const { row_id, first_entry, last_entry, at_ms, salt, hash, body } of rows) {
      expect(salt).toMatch(/^[\w-]{22}$/)
      expect(hash).toBe(
        digest(`${before}\n${salt}\n${row_id} ${first_entry} ${last_entry} ${at_ms}\n${body}`),
      )
      before = hash
    }
    expect(new Set(rows.map(({ salt }) => salt)).size).toBe(5)
  })

  it.each([
    ['its body', `body = replace(body, '"a":-', '"a":-1')`],
    ['an entry number', 'first_entry = first_entry - 1'],
    ['its time', 'at_ms = at_ms + 1'],
    // A rotation always changes a random text. A replaced character could have been the new one already.
    ['its hash', 'hash = substr(hash, 2) || substr(hash, 1, 1)'],
    ['its salt', 'salt = substr(salt, 2) || substr(salt, 1, 1)'],
  ])('shows that %s was changed between the commit and the flush', async (_, change) => {
    const ledger = await usedLedger()
    await use(ledger)
    await rewriteRow(ledger, change)
    const before = await storedPages(ledger)
    await use(ledger)
    await runAlarm(ledger)
    expect(log.mock.calls.flat().join()).toMatch(/journal row 5 is not the one that was committed/)
    expect(await storedPages(ledger)).toEqual(before)
    expect(await watermark(ledger)).toMatchObject({ flushed_row: 4, flushed_entry: 10 })
  })

  it('shows that a row was deleted between the commit and the flush', async () => {
    const ledger = await usedLedger()
    for (const _ of [5, 6, 7]) await use(ledger)
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      storage.sql.exec('DELETE FROM journal WHERE row_id = 6')
    })
    await runAlarm(ledger)
    expect(log.mock.calls.flat().join()).toMatch(/journal row 7 is not the one that was committed/)
    expect(await watermark(ledger)).toMatchObject({ flushed_row: 4 })
  })

  it('stays without its salt when an erasure rewrites the row', async () => {
    const ledger = await usedLedger()
    await use(ledger)
    const hashes = () =>
      runInDurableObject(ledger.stub, (_, { storage }) =>
        storage.sql.exec<HashedRow>('SELECT * FROM journal WHERE row_id <= 5 ORDER BY row_id').toArray(),
      )
    const before = await hashes()
    await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })
    const after = await hashes()
    expect(after.map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash))
    expect(after.map(({ salt }) => salt === null)).toEqual([false, true, true, true, true])
    await use(ledger)
    await runAlarm(ledger)
    expect(await watermark(ledger)).toMatchObject({ flushed_entry: 18 })
  })
})

type Commit = (ledger: TestLedger) => Promise<void>

interface HashedRow {
  readonly [column: string]: SqlStorageValue
  readonly row_id: number
  readonly first_entry: number
  readonly last_entry: number
  readonly at_ms: number
  readonly salt: string | null
  readonly hash: string
  readonly body: string
}

/** Changes the fifth journal row directly, as a person with access to the object's storage could. */
async function rewriteRow(ledger: TestLedger, change: string): Promise<void> {
  await runInDurableObject(ledger.stub, (_, { storage }) => {
    storage.sql.exec(`UPDATE journal SET ${change} WHERE row_id = 5`)
  })
  await evictDurableObject(ledger.stub)
}

type Tables = readonly { readonly name: string; readonly rows: Record<string, SqlStorageValue>[] }[]

const TABLES = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`

function tablesOf(ledger: TestLedger): Promise<Tables> {
  return runInDurableObject(ledger.stub, (_, { storage: { sql } }) =>
    sql
      .exec<{ name: string }>(TABLES)
      .toArray()
      .map(({ name }) => ({ name, rows: sql.exec(`SELECT * FROM ${name}`).toArray() })),
  )
}

/** Replaces the object's tables with an earlier copy, as a point-in-time recovery does. */
async function restore(ledger: TestLedger, tables: Tables): Promise<void> {
  await runInDurableObject(ledger.stub, (_, { storage: { sql } }) => {
    for (const { name, rows } of tables) {
      sql.exec(`DELETE FROM ${name}`)
      for (const row of rows) {
        const columns = Object.keys(row)
        const places = columns.map(() => '?').join()
        sql.exec(`INSERT INTO ${name} (${columns.join()}) VALUES (${places})`, ...Object.values(row))
      }
    }
  })
  await evictDurableObject(ledger.stub)
}

describe('reconciliation', () => {
  const reconcile = (ledger: TestLedger) =>
    reconcileLedger(env, ledger.name, { full: true, now_ms: Date.now() })

  it.each(['hash_before', 'hash_after'])('repairs a wrong %s of a page', async (column) => {
    const ledger = await usedLedger()
    const before = await expectChained(ledger)
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK' })
    const place = column === 'hash_before' ? 'first_entry = 7' : 'last_entry = 10'
    await query(ledger, `UPDATE ledger_pages SET ${column} = 'x' WHERE ledger_id = ? AND ${place}`)
    const repaired = await reconcile(ledger)
    expect(repaired).toMatchObject({ status: 'REPAIRED' })
    const kinds = repaired.kind === 'done' ? repaired.differences.map(({ kind }) => kind) : []
    expect(new Set(kinds)).toEqual(new Set(['hash_chain']))
    expect(await expectChained(ledger)).toEqual(before)
  })
})

describe('an erased user', () => {
  it('does not change the chain, and deletes the salt by which the id could be guessed', async () => {
    const ledger = await usedLedger()
    const before = await expectChained(ledger)
    await use(ledger)
    const erased = await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })
    expect(erased).toMatchObject({ kind: 'erased' })
    const after = await expectChained(ledger)
    expect(after.hashes.slice(0, before.hashes.length)).toEqual(before.hashes)
    const salted = after.entries.filter(({ s }) => s !== undefined).map(({ c }) => c.n)
    expect(salted).toEqual([1, 4, 5, 6, 8, 9, 10, 12, 13, 14])
    const salts = before.entries.filter(({ c }) => [2, 3, 7].includes(c.n)).map(({ s }) => String(s))
    const stored = await runInDurableObject(ledger.stub, (_, { storage }) =>
      storage.sql
        .exec<{ body: string }>('SELECT body FROM journal')
        .toArray()
        .map(({ body }) => body)
        .join(),
    )
    for (const salt of salts) expect(stored).not.toContain(salt)
  })

  it('has the same hashes when pages are written again from the erased journal', async () => {
    const ledger = await usedLedger()
    await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })
    await runAlarm(ledger)
    const before = await expectChained(ledger)
    await rewriteLedgerPages(env, ledger.name, { from_entry: 1, to_entry: 10 })
    expect((await expectChained(ledger)).hashes).toEqual(before.hashes)
  })
})
