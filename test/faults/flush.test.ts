import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { eraseSubject, ingest } from '../../src/ledger/client/client.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import { totalsOf } from '../../src/usage/cells/cells.ts'
import { brokenD1, d1FailingAt } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  runAlarm,
  storedPages,
  type TestLedger,
  watermark,
} from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant } from '../support/messages.ts'
import { expectChained } from '../support/stored-chain.ts'
import { acks, deliver, expectRolledUp, flushedDeltas } from '../support/usage.ts'
import { FlakyQueue, type QueueFault } from './flaky-queue.ts'
import { alarmOf, configure, failNextTransaction, gather, powerCut } from './injection.ts'

vi.setConfig({ testTimeout: 60_000 })

/**
 * Tests the flush from the ledger object through D1 and the queue to the rollups, with faults at every step. After each
 * fault, the pages in D1 must contain each acknowledged event once and no other event. The sums in the flush cursor, in
 * the columns of the pages and in the rollups must be equal.
 */

const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
afterEach(() => {
  vi.useRealTimers()
  log.mockClear()
})

class World {
  readonly ledger: TestLedger
  readonly queue: FlakyQueue
  /** The ids of all events that the ledger acknowledged. */
  readonly acknowledged = new Set<string>()
  private round = 0
  private hashes: readonly string[] = []

  private constructor(ledger: TestLedger, queue: FlakyQueue) {
    this.ledger = ledger
    this.queue = queue
  }

  /** Creates a ledger with events of several users, teams and hours. Flushes only some of them to D1. */
  static async begin(): Promise<World> {
    const ledger = await freshLedger(1_000_000_000)
    const world = new World(ledger, await FlakyQueue.behind(ledger))
    const bought = { type: 'PURCHASE', lot_kind: 'paid', price: { micro: 7, pico: 3 } } as const
    await ask(ledger.stub, 'credit', grant(100_000, { owner: { kind: 'user', id: 'ann' }, ...bought }))
    await world.use(12)
    await runAlarm(ledger)
    await world.use(9)
    return world
  }

  async use(events: number): Promise<IngestResult> {
    this.round++
    const items = Array.from({ length: events }, (_, i) =>
      eventItem(1000 + i, {
        timestamp_ms: Date.now() - (i % 5) * 3_600_000,
        feature_id: i % 2 ? 'chat' : 'search',
        ...(i % 3 && { user_id: i % 3 === 1 ? 'ann' : `ben ${this.round}` }),
        ...(i % 4 === 0 && { team_id: 'red' }),
      }),
    )
    const result = await ingest(env, this.ledger.name, batch(items))
    if (result.kind === 'done' && result.shape === 'batch') {
      for (const item of result.answer.results) {
        if (item.status === 'accepted') this.acknowledged.add(item.id)
      }
    }
    return result
  }

  /** Runs the alarm. If a fault stops the object, a new object starts. */
  async alarm(): Promise<void> {
    try {
      await runAlarm(this.ledger)
    } catch (error) {
      expect(String(error)).toMatch(/the power failed/)
    }
    await this.queue.install()
  }

  /**
   * Delivers the arrived messages to the consumer in the given order, and checks that D1 and the rollups agree with the
   * ledger.
   */
  async expectWhole(
    order: (bodies: readonly unknown[]) => unknown[] = (bodies) => [...bodies],
  ): Promise<void> {
    const { ledger, acknowledged } = this
    const entries = await journalEntries(ledger)
    const pages = await storedPages(ledger)
    const flushed = pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
    expect(flushed.map(({ number }) => number)).toEqual(entries.map(({ number }) => number))
    const events = flushed.filter(({ event }) => event)
    expect(events).toHaveLength(acknowledged.size)
    const balances = new Map<number, number>()
    for (const page of pages) {
      expect(page.balance_before_micro).toBe(balances.get(page.wallet_number) ?? 0)
      balances.set(page.wallet_number, page.balance_after_micro)
    }
    const { cursor, last_row } = await inStore(ledger, ({ journal }) => ({
      cursor: journal.cursor,
      last_row: journal.lastRow,
    }))
    expect(cursor.row).toBe(last_row)
    expect((await watermark(ledger))?.flushed_row).toBe(last_row)
    const usage = totalsOf(await flushedDeltas(ledger))
    expect(usage.events).toBe(BigInt(acknowledged.size))
    expect(cursor.usage).toEqual(usage)
    expect(await pageSums(ledger)).toEqual(usage)
    const bodies = order(this.queue.arrived)
    for (const body of bodies) expect(await deliver([body])).toEqual(acks(1))
    await expectRolledUp(ledger, { events: acknowledged.size })
    const { hashes } = await expectChained(ledger)
    expect(hashes).toHaveLength(entries.length)
    // The hash of an entry must never change, even after lost messages, repeated messages or a restored D1.
    hashes.forEach((hash, i) => {
      expect(hash).toBe(this.hashes[i] ?? hash)
    })
    this.hashes = hashes
  }
}

/** Returns the sums of the columns of the ledger's pages, computed in D1. */
async function pageSums(ledger: TestLedger): Promise<Record<string, bigint>> {
  const usd = (name: string) =>
    `cast(sum(${name}_micro) AS TEXT) AS ${name}_micro, sum(${name}_pico) AS ${name}_pico`
  const row = await env.DB.prepare(
    `SELECT sum(events) AS events, cast(sum(burned_micro) AS TEXT) AS burned, ${usd('cost')}, ${usd('price')},
      ${usd('paid')} FROM ledger_pages WHERE ledger_id = ?`,
  )
    .bind(ledgerKey(ledger.name))
    .first<Record<string, number | string>>()
  const sum = (name: string) => BigInt(row?.[name] ?? 0)
  const pico = (name: string) => sum(`${name}_micro`) * 1_000_000n + sum(`${name}_pico`)
  return {
    events: sum('events'),
    credits_micro: sum('burned'),
    cost_pico: pico('cost'),
    price_pico: pico('price'),
    paid_pico: pico('paid'),
  }
}

describe('nothing breaks', () => {
  it('and pages, cursor, messages and rollups agree, paid revenue included', async () => {
    const world = await World.begin()
    await world.alarm()
    await world.expectWhole()
    const { paid_pico } = await inStore(world.ledger, ({ journal }) => journal.cursor.usage)
    expect(paid_pico).toBeGreaterThan(0n)
    expect(JSON.stringify(world.queue.arrived)).not.toMatch(/ann|ben|red/)
  })
})

describe('D1 loses the connection for one statement', () => {
  for (const statement of [1, 2]) {
    for (const effect of ['before its effect', 'after its effect'] as const) {
      it(`${effect}, at batch ${statement} of the flush`, async () => {
        const world = await World.begin()
        await world.queue.install(d1FailingAt(statement, effect))
        await runAlarm(world.ledger)
        await world.queue.install()
        await world.use(4)
        await world.alarm()
        await world.alarm()
        await world.expectWhole()
      })
    }
  }
})

describe('D1 is down for ten minutes', () => {
  it('under load: everything is accepted, the alarm waits longer each time, and finally everything is flushed', async () => {
    const world = await World.begin()
    await configure(world.ledger, { flush_delay_ms: 5_000 })
    vi.useFakeTimers({ toFake: ['Date'] })
    const from_ms = Date.now()
    await world.queue.install(brokenD1())
    const rings: number[] = []
    while (Date.now() < from_ms + 600_000) {
      await runAlarm(world.ledger)
      expect((await world.use(3)).kind).toBe('done')
      const next_ms = Math.max((await alarmOf(world.ledger)) ?? 0, Date.now() + 1)
      rings.push(next_ms - Date.now())
      vi.setSystemTime(next_ms)
    }
    expect(rings.length).toBeGreaterThan(6)
    expect(rings.length).toBeLessThan(20)
    expect(Math.max(...rings)).toBeLessThanOrEqual(300_000)
    await world.queue.install()
    await world.alarm()
    await world.expectWhole()
  })
})

const SENDING_FAULTS: readonly QueueFault[] = ['fails', 'fails after it was accepted', 'fails half way']

describe('the queue', () => {
  it.each(SENDING_FAULTS)('%s: the same message is sent again and counts once', async (fault) => {
    const world = await World.begin()
    world.queue.breaks(fault)
    await world.alarm()
    // D1 already has the pages of the flush, but the ledger's cursor advances only when the message is in the queue.
    expect(await inStore(world.ledger, ({ journal }) => journal.isDirty)).toBe(true)
    await world.use(5)
    await world.alarm()
    await world.alarm()
    const texts = world.queue.arrived.map((body) => JSON.stringify(body))
    expect(new Set(texts).size).toBe(texts.length - (fault === 'fails' ? 0 : 1))
    await world.expectWhole()
  })

  it('fails for ten minutes: D1 has the first flush, later ones wait, and then everything arrives', async () => {
    const world = await World.begin()
    await configure(world.ledger, { flush_delay_ms: 5_000 })
    vi.useFakeTimers({ toFake: ['Date'] })
    const from_ms = Date.now()
    while (Date.now() < from_ms + 600_000) {
      world.queue.breaks('fails')
      await runAlarm(world.ledger)
      expect((await world.use(3)).kind).toBe('done')
      vi.setSystemTime(Math.max((await alarmOf(world.ledger)) ?? 0, Date.now() + 1))
    }
    expect(await watermark(world.ledger)).toMatchObject({ flushed_row: 4 })
    await world.alarm()
    await world.expectWhole()
  })

  it('delivers late, out of order and three times: it is counted once', async () => {
    const world = await World.begin()
    for (let i = 0; i < 4; i++) {
      await world.alarm()
      await world.use(3)
    }
    await world.alarm()
    await world.expectWhole((bodies) => [...bodies.toReversed(), ...bodies, ...bodies.toReversed()])
  })
})

describe('a user is erased', () => {
  const erase = ({ ledger }: World) =>
    eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })

  it('while the queue is down: only after everything is sent, and without a name in any message', async () => {
    const world = await World.begin()
    world.queue.breaks('fails', 'fails')
    expect(await erase(world)).toMatchObject({ kind: 'refused', refusal: { code: 'unavailable' } })
    await world.alarm()
    expect(await erase(world)).toMatchObject({ kind: 'erased' })
    await world.use(6)
    await world.alarm()
    expect(JSON.stringify(world.queue.arrived)).not.toMatch(/ann|ben|erased/)
    await world.expectWhole()
  })

  it('and D1 fails in the middle: nothing is flushed or sent until D1 has deleted the name', async () => {
    const world = await World.begin()
    await world.alarm()
    // Nothing is unflushed, so the first batch that fails is the batch in which the erasure deletes the name.
    await world.queue.install(d1FailingAt(1, 'before its effect'))
    expect(await erase(world)).toMatchObject({ kind: 'refused', refusal: { code: 'unavailable' } })
    expect(await inStore(world.ledger, ({ erasures }) => erasures.all())).toMatchObject([
      { forgotten: false },
    ])
    await world.use(8)
    const sends = world.queue.sends
    await world.queue.install(brokenD1())
    for (let i = 0; i < 3; i++) await runAlarm(world.ledger)
    expect(world.queue.sends).toBe(sends)
    await world.queue.install()
    await world.alarm()
    await world.alarm()
    expect(await inStore(world.ledger, ({ erasures }) => erasures.all())).toEqual([])
    await world.expectWhole()
  })
})

describe('the object ends', () => {
  it('before its commit: the events of the request do not exist, and no other is missing', async () => {
    const world = await World.begin()
    await powerCut(world.ledger, 'inside the transaction')
    expect((await world.use(3)).kind).toBe('refused')
    await world.queue.install()
    await world.alarm()
    await world.expectWhole()
  })

  it('after its commit and before the reply: the events exist once, even after a retry with the same key', async () => {
    const world = await World.begin()
    const event = eventItem(5, { key: 'k', user_id: 'ann' })
    await powerCut(world.ledger, 'before the reply')
    const message = batch([event])
    expect(await ask(world.ledger.stub, 'ingest', message).catch(String)).toMatch(/the power failed/)
    await world.queue.install()
    await world.alarm()
    const retried = await ingest(env, world.ledger.name, batch([event]))
    if (retried.kind !== 'done' || retried.shape !== 'batch') throw new Error('the retry got no result')
    expect(retried.answer.results).toMatchObject([{ status: 'duplicate' }])
    for (const item of retried.answer.results)
      if (item.status === 'duplicate') world.acknowledged.add(item.id)
    await world.alarm()
    await world.expectWhole()
  })

  it.each(['power cut before', 'power cut after'] as const)(
    'between D1 and the cursor, %s the queue has it: it is sent again, and counts once',
    async (fault) => {
      const world = await World.begin()
      world.queue.breaks(fault)
      await world.alarm()
      expect(await inStore(world.ledger, ({ journal }) => journal.isDirty)).toBe(true)
      await world.use(2)
      await world.alarm()
      await world.alarm()
      expect(world.queue.sends).toBeGreaterThanOrEqual(3)
      await world.expectWhole()
    },
  )

  it('with a journal that D1 does not have and without an alarm: its start arms one', async () => {
    const world = await World.begin()
    await runInDurableObject(world.ledger.stub, (_, { storage }) => storage.deleteAlarm())
    await evictDurableObject(world.ledger.stub)
    await world.queue.install()
    expect(await alarmOf(world.ledger)).not.toBeNull()
    await world.alarm()
    await world.expectWhole()
  })
})

describe('an alarm that the platform gave up after its tries', () => {
  /** Returns a ledger whose alarm is deleted, although its running object assumes that the alarm is set. */
  async function givenUp(): Promise<World> {
    const world = await World.begin()
    const rings_at_ms = (await alarmOf(world.ledger)) ?? 0
    await runInDurableObject(world.ledger.stub, (_, { storage }) => storage.deleteAlarm())
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(rings_at_ms + 120_000)
    return world
  }

  it('is set again by the next commit', async () => {
    const world = await givenUp()
    await world.use(1)
    expect(await alarmOf(world.ledger)).toBeGreaterThan(Date.now() - 1)
    await world.alarm()
    await world.expectWhole()
  })

  it('is set again by the cron, even if the ledger is not used', async () => {
    const world = await givenUp()
    await world.ledger.stub.wake()
    expect(await alarmOf(world.ledger)).toBeGreaterThan(Date.now() - 1)
    await world.alarm()
    await world.expectWhole()
  })
})

describe('a full disk', () => {
  it('in the middle of a group: a refused request leaves no trace, and all others are stored', async () => {
    const world = await World.begin()
    await failNextTransaction(world.ledger)
    await gather(world.ledger, 3)
    await Promise.all([world.use(2), world.use(3), world.use(1)])
    await world.alarm()
    await world.expectWhole()
  })
})

describe('D1 is restored from an older backup', () => {
  /**
   * Returns a ledger whose D1 data is set back to the state after the first flush. The users of later flushes and the
   * rollups are lost too.
   */
  async function restored(): Promise<World> {
    const world = await World.begin()
    const ledger_id = ledgerKey(world.ledger.name)
    const backup = await env.DB.prepare('SELECT * FROM ledgers WHERE ledger_id = ?').bind(ledger_id).first()
    const { results: subjects } = await env.DB.prepare(
      'SELECT kind, number FROM subjects WHERE ledger_id = ?',
    )
      .bind(ledger_id)
      .all<{ kind: string; number: number }>()
    for (let i = 0; i < 3; i++) {
      await world.alarm()
      await world.use(4)
    }
    await world.alarm()
    const last = subjects.filter(({ kind }) => kind === 'user').length
    const entry = Number(backup?.flushed_entry)
    const run = (query: string, ...bindings: unknown[]) =>
      env.DB.prepare(query)
        .bind(ledger_id, ...bindings)
        .run()
    await run('DELETE FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2', entry)
    await run("DELETE FROM subjects WHERE ledger_id = ?1 AND kind = 'user' AND number > ?2", last)
    await run(
      `UPDATE ledgers SET flushed_row = ?2, flushed_entry = ?3, flushed_at_ms = ?4, chain_hash = ?5,
        flushed_hash = ?6 WHERE ledger_id = ?1`,
      backup?.flushed_row,
      entry,
      backup?.flushed_at_ms,
      backup?.chain_hash,
      backup?.flushed_hash,
    )
    world.queue.arrived.length = 0
    return world
  }

  /**
   * Checks that the ledger has detected the restore, delivers all messages again, and checks that D1 and the rollups
   * agree with the ledger.
   */
  async function whole(world: World): Promise<void> {
    expect(log.mock.calls.flat().join()).toMatch(/d1_was_restored/)
    await world.expectWhole()
  }

  it('and its lost rows are rewritten with the next commit', async () => {
    const world = await restored()
    await world.use(2)
    await world.alarm()
    await whole(world)
  })

  it('and its lost rows are rewritten by the cron, even if the ledger is not used', async () => {
    const world = await restored()
    const { flushed_row } = (await watermark(world.ledger)) ?? { flushed_row: 0 }
    await world.ledger.stub.wake(flushed_row)
    expect(await alarmOf(world.ledger)).not.toBeNull()
    await world.alarm()
    await whole(world)
  })

  it('and the journal no longer has the lost rows: nothing is written over the gap, and the log states why', async () => {
    const world = await restored()
    await runInDurableObject(world.ledger.stub, (_, { storage }) => {
      storage.sql.exec('DELETE FROM journal WHERE row_id <= 4')
    })
    const before = await storedPages(world.ledger)
    expect((await world.use(2)).kind).toBe('done')
    await world.alarm()
    expect(await storedPages(world.ledger)).toEqual(before)
    expect(await inStore(world.ledger, ({ journal }) => journal.isDirty)).toBe(true)
    expect(log.mock.calls.flat().join()).toMatch(/the rows in between are missing/)
  })

  it('a cron with an outdated watermark changes nothing', async () => {
    const world = await World.begin()
    await world.alarm()
    const { cursor } = await inStore(world.ledger, ({ journal }) => ({ cursor: journal.cursor }))
    await world.ledger.stub.wake(1)
    expect(await inStore(world.ledger, ({ journal }) => journal.cursor)).toEqual(cursor)
    await world.expectWhole()
  })
})
