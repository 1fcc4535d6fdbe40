import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest, readBooks } from '../../src/ledger/client/client.ts'
import { Projector } from '../../src/ledger/flush/projector.ts'
import type { Books } from '../../src/ledger/model/messages/ledger.ts'
import { checkRollups } from '../../src/projection/reconcile/check-rollups.ts'
import type { Difference } from '../../src/projection/reconcile/difference.ts'
import { reconcileLedger } from '../../src/projection/reconcile/reconcile.ts'
import { reconcileDue } from '../../src/projection/reconcile/reconcile-all.ts'
import { writeReconciliation } from '../../src/projection/reconcile/store.ts'
import { DAY_MS } from '../../src/time/durations.ts'
import { unpackTotals } from '../../src/usage/cells/cells.ts'
import { expireDays } from '../../src/usage/rollups/upkeep.ts'
import { unique } from '../support/customers.ts'
import { d1Double } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  ledgersLosing,
  partOf,
  runAlarm,
  storedPages,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'
import { captureUsage, deliver } from '../support/usage.ts'

/**
 * Tests the reconciliation of ledgers during concurrent changes and in unusual states, for example with ledgers that do
 * not respond.
 */

interface UsedLedger extends TestLedger {
  readonly ledger_id: string
  /** Adds some events, flushes them and rolls them up. */
  readonly use: () => Promise<void>
}

async function usedLedger(): Promise<UsedLedger> {
  const ledger = await freshLedger(1_000_000_000)
  const sent = await captureUsage(ledger)
  const use = async () => {
    await ingest(env, ledger.name, batch([eventItem(1000, { user_id: 'ann' }), eventItem(2000)]))
    await runAlarm(ledger)
    await deliver(sent.splice(0))
  }
  const used = Object.assign(Object.create(ledger), { ledger_id: ledgerKey(ledger.name), use })
  await used.use()
  return used
}

/** Returns a D1 database that calls `happen` before it runs the first statement that contains `kind`. */
function interrupted(kind: string, happen: () => Promise<unknown>): D1Database {
  let waits = true
  const prepare = (query: string) => {
    const statement = env.DB.prepare(query)
    if (!query.includes(kind)) return statement
    return {
      bind: (...values: unknown[]) => ({
        all: async () => {
          if (waits) await happen()
          waits = false
          return statement.bind(...values).all()
        },
      }),
    }
  }
  return d1Double({ prepare })
}

async function booksOf(ledger: TestLedger): Promise<Books> {
  const result = await readBooks(env, ledger.name)
  if (result.kind === 'refused') throw new Error('the ledger did not respond')
  return result.answer
}

async function checkedRollups(ledger: UsedLedger, db: D1Database): Promise<Difference[]> {
  return checkRollups(db, ledger.ledger_id, await booksOf(ledger))
}

it('usage that the consumer folds while the days are read causes no difference', async () => {
  const ledger = await usedLedger()
  expect(await checkedRollups(ledger, interrupted('by_day', ledger.use))).toEqual([])
})

it('old days that are deleted while the days are read cause no difference', async () => {
  const ledger = await usedLedger()
  const expire = () => expireDays(env.DB, 1, Date.now() + 3 * DAY_MS, '', () => undefined)
  expect(await checkedRollups(ledger, interrupted('by_day', expire))).toEqual([])
})

it('old days are deleted even if a run ends between two generations of their ledger', async () => {
  const ledger = await usedLedger()
  const name = 'zzzz'
  // A run reads 2,000 watermarks: here 1,999 ledgers without days, and the retired generation of the last ledger.
  await env.DB.batch([
    env.DB.prepare(
      `INSERT INTO rollup_watermarks
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)
      SELECT 'zzz' || i, 1, 'active', 1, 0, 0, totals, expired, 0 FROM n, rollup_watermarks WHERE ledger_id = ?`,
    ).bind(ledger.ledger_id),
    env.DB.prepare(
      `INSERT INTO rollup_watermarks
      SELECT ?2, 1, 'retired', 1, 0, 0, totals, expired, 0 FROM rollup_watermarks WHERE ledger_id = ?1`,
    ).bind(ledger.ledger_id, name),
    env.DB.prepare('UPDATE rollup_days SET ledger_id = ?2, generation = 2 WHERE ledger_id = ?1').bind(
      ledger.ledger_id,
      name,
    ),
    env.DB.prepare('UPDATE rollup_watermarks SET ledger_id = ?2, generation = 2 WHERE ledger_id = ?1').bind(
      ledger.ledger_id,
      name,
    ),
  ])
  for (let after = 'zzz', runs = 0; runs === 0 || after !== ''; runs++) {
    await expireDays(env.DB, 1, Date.now() + 3 * DAY_MS, after, (reached) => {
      after = reached
    })
    expect(runs).toBeLessThan(10)
  }
  const { results } = await env.DB.prepare('SELECT day FROM rollup_days WHERE ledger_id = ?').bind(name).all()
  expect(results).toEqual([])
  await env.DB.prepare("DELETE FROM rollup_watermarks WHERE ledger_id GLOB 'zzz*'").run()
})

it.each(['not JSON', '[]', '{"v":9}'])(
  'a damaged day (%s) does not keep old days of other ledgers',
  async (by_day) => {
    const [broken, other] = [await usedLedger(), await usedLedger()]
    await env.DB.prepare('UPDATE rollup_days SET by_day = ? WHERE ledger_id = ?')
      .bind(by_day, broken.ledger_id)
      .run()
    for (let after = '', runs = 0; runs === 0 || after !== ''; runs++) {
      await expireDays(env.DB, 1, Date.now() + 3 * DAY_MS, after, (reached) => {
        after = reached
      })
      expect(runs).toBeLessThan(1_000)
    }
    const { results } = await env.DB.prepare(
      'SELECT DISTINCT ledger_id FROM rollup_days WHERE ledger_id IN (?, ?)',
    )
      .bind(broken.ledger_id, other.ledger_id)
      .all()
    expect(results).toEqual([{ ledger_id: broken.ledger_id }])
  },
)

it('days are compared even if the rollups have changed since the books were read', async () => {
  const ledger = await usedLedger()
  const books = await booksOf(ledger)
  await ledger.use()
  await env.DB.prepare('DELETE FROM rollup_days WHERE ledger_id = ?').bind(ledger.ledger_id).run()
  expect(await checkRollups(env.DB, ledger.ledger_id, books)).toMatchObject([{ kind: 'usage_of_days' }])
})

it('ledgers that do not respond do not delay the check of others', async () => {
  const ledger = await usedLedger()
  // Adds 45 ledgers to D1 that were never opened, which is more than one call checks. Their ids sort before all other
  // ids.
  const ghosts = Array.from({ length: 45 }, (_, i) => `0-${unique('ghost')}-${i}`)
  const insert = env.DB.prepare(
    'INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms) VALUES (?, 0, 0, 0)',
  )
  await env.DB.batch(ghosts.map((ghost) => insert.bind(ghost)))
  const looked = new Set<string>()
  for (let call = 0; call < 3; call++) {
    const now_ms = Date.now()
    const { results } = await reconcileDue(env, { since_ms: now_ms - 60_000, full: false, now_ms })
    for (const { ledger_id } of results) looked.add(ledger_id)
  }
  expect(looked).toContain(ledger.ledger_id)
  await env.DB.batch(
    ghosts.map((ghost) => env.DB.prepare('DELETE FROM ledgers WHERE ledger_id = ?').bind(ghost)),
  )
})

it('a full check continues where the last call stopped', async () => {
  const ledger = await usedLedger()
  const books = await booksOf(ledger)
  await ledger.use()
  const now_ms = Date.now()
  const checked = { entry: books.flushed_entry, usage: unpackTotals(books.usage) }
  await writeReconciliation(env.DB, ledger.ledger_id, {
    status: 'CHECKING',
    checked_at_ms: now_ms - 1,
    full_at_ms: now_ms - 1,
    checked,
    differences: [],
  })
  // Damages a page that was already checked, so only a check from the beginning would find the damage.
  await env.DB.prepare('UPDATE ledger_pages SET events = 7 WHERE ledger_id = ? AND flush_entry = 1')
    .bind(ledger.ledger_id)
    .run()
  const { results } = await reconcileDue(env, { since_ms: now_ms - 600_000, full: true, now_ms })
  expect(results).toContainEqual(expect.objectContaining({ ledger_id: ledger.ledger_id, status: 'OK' }))
})

it('large pages are read a few at a time', async () => {
  const ledger = await usedLedger()
  for (let flush = 0; flush < 5; flush++) await ledger.use()
  await env.DB.prepare(
    "UPDATE ledger_pages SET body = body || replace(hex(zeroblob(600000)), '0', ' '), events = events + 1 WHERE ledger_id = ?",
  )
    .bind(ledger.ledger_id)
    .run()
  const sizes: number[] = []
  const db = d1Double({
    prepare: (query: string) => {
      const statement = env.DB.prepare(query)
      if (!query.includes('bytes_before')) return statement
      return {
        bind: (...values: unknown[]) => ({
          all: async () => {
            const result = await statement.bind(...values).all<{ body?: string }>()
            sizes.push(result.results.reduce((sum, { body = '' }) => sum + body.length, 0))
            return result
          },
        }),
      }
    },
  })
  const bindings = { ...env, DB: db }
  const result = await reconcileLedger(bindings, ledger.name, { full: true, now_ms: Date.now() })
  expect(result).toMatchObject({ status: 'REPAIRED' })
  expect(Math.max(...sizes)).toBeGreaterThan(1_200_000)
  expect(Math.max(...sizes)).toBeLessThan(4_000_000)
})

it('a ledger far ahead of D1 is checked after its flush', async () => {
  const ledger = await usedLedger()
  await ingest(env, ledger.name, batch([eventItem(1000)]))
  const flushes = (done: boolean) =>
    runInDurableObject(ledger.stub, (instance) => {
      const projector = partOf(instance, 'projector', Projector)
      projector.catchUp = done ? Projector.prototype.catchUp : async () => false
    })
  const check = () => reconcileLedger(env, ledger.name, { full: true, now_ms: Date.now() })
  await flushes(false)
  expect(await check()).toMatchObject({ kind: 'unavailable' })
  await flushes(true)
  expect(await check()).toMatchObject({ kind: 'done', status: 'OK' })
})

it('a ledger that is unavailable is logged with the reason', async () => {
  const ledger = await usedLedger()
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const now_ms = Date.now() + DAY_MS
  const run = (LEDGER = env.LEDGER) =>
    reconcileDue({ ...env, LEDGER }, { since_ms: now_ms - 60_000, full: false, now_ms })
  for (let more = true; more; ) more = (await run(ledgersLosing('books'))).more
  const lines = warned.mock.calls.map(([line]) => JSON.parse(String(line)))
  warned.mockRestore()
  const expected = {
    level: 'warn',
    event: 'ledger_not_reconciled',
    ledger: ledger.ledger_id,
    code: 'unavailable',
  }
  expect(lines).toContainEqual(expected)
})

it('pages rewritten during an erasure do not restore the id', async () => {
  const ledger = await usedLedger()
  const down = d1Double({ batch: () => Promise.reject(new Error('D1 is gone')) })
  // The erasure replaces the id with an alias in the journal, but fails before it reaches D1, which still has the id.
  const erased = await withD1(ledger, down, () =>
    ask(ledger.stub, 'eraseSubject', { kind: 'user', id: 'ann' }),
  )
  expect(erased).toEqual({ kind: 'refused', refusal: { code: 'unavailable' } })
  await env.DB.prepare('DELETE FROM ledger_pages WHERE ledger_id = ?').bind(ledger.ledger_id).run()
  const rewritten = await ask(ledger.stub, 'rewritePages', { from_entry: 1, to_entry: 3 })
  expect(rewritten).toMatchObject({ kind: 'done', rewritten: true })
  const users = (await storedPages(ledger)).flatMap(({ entries }) =>
    entries.flatMap(({ event }) => event?.user_id ?? []),
  )
  expect(users).toEqual([expect.stringMatching(/^erased_/)])
})
