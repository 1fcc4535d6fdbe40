import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
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
  partOf,
  runAlarm,
  storedPages,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'
import { captureUsage, deliver } from '../support/usage.ts'

/** Tests the reconciliation of ledgers during concurrent changes and in special states. */

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

/** Returns a D1 that runs `happen` before it answers the first statement of this kind. */
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
  if (result.kind === 'refused') throw new Error('the ledger did not answer')
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

it('days are compared even if the rollups have changed since the books were read', async () => {
  const ledger = await usedLedger()
  const books = await booksOf(ledger)
  await ledger.use()
  await env.DB.prepare('DELETE FROM rollup_days WHERE ledger_id = ?').bind(ledger.ledger_id).run()
  expect(await checkRollups(env.DB, ledger.ledger_id, books)).toMatchObject([{ kind: 'usage_of_days' }])
})

it('ledgers that do not answer do not delay the check of others', async () => {
  const ledger = await usedLedger()
  // Adds more ledgers than one call checks. They precede all others and were never opened.
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
  // The damage is in pages that were already checked, so only a check from the beginning would find it.
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

it('pages rewritten during an erasure do not restore the id', async () => {
  const ledger = await usedLedger()
  const down = d1Double({ batch: () => Promise.reject(new Error('D1 is gone')) })
  // The journal has the alias by then, but D1 still has the id.
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
