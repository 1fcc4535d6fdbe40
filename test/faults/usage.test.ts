import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, describe, expect, inject, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest } from '../../src/ledger/client/client.ts'
import { readRollup } from '../../src/usage/rollups/read.ts'
import { rebuildLedger } from '../../src/usage/rollups/rebuild.ts'
import { brokenD1, d1Double, d1FailingAt } from '../support/d1.ts'
import { freshLedger, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'
import { acks, captureUsage, deliver, deliverDead, expectRolledUp, rollupRows } from '../support/usage.ts'

vi.setConfig({ testTimeout: 120_000 })

/**
 * Tests faults between the queue and its consumer. Messages arrive repeatedly, late, out of order or never; the
 * consumer stops between reading and writing; D1 does not respond. After each fault, the rollups must agree with the
 * pages and count each event once.
 */

const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
afterEach(() => {
  log.mockClear()
})

interface Busy {
  readonly ledger: TestLedger
  /** The queue messages that the ledger has sent: one for each flush, in order. */
  readonly sent: readonly unknown[]
}

const NOW_MS = Date.now()

async function use(ledger: TestLedger, events: number, salt = 0): Promise<void> {
  const items = Array.from({ length: events }, (_, i) =>
    eventItem(1000 + i, {
      timestamp_ms: NOW_MS - ((i * 7 + salt) % 60) * 3_600_000,
      model: `model ${(i + salt) % 4}`,
      ...(i % 3 > 0 && { user_id: `user ${(i + salt) % 9}` }),
      ...(i % 2 > 0 && { team_id: `team ${i % 3}` }),
    }),
  )
  await ingest(env, ledger.name, batch(items))
  await runAlarm(ledger)
}

/** Creates a ledger, and flushes it `flushes` times with ten new events each time. */
async function flushed(flushes: number): Promise<Busy> {
  const ledger = await freshLedger(1_000_000_000)
  const sent = await captureUsage(ledger)
  for (let i = 0; i < flushes; i++) await use(ledger, EVENTS, i)
  expect(sent).toHaveLength(flushes)
  return { ledger, sent }
}

const EVENTS = 10

describe('a queue that delivers', () => {
  it('a message three times, one after the other', async () => {
    const { ledger, sent } = await flushed(2)
    for (let i = 0; i < 3; i++) expect(await deliver(sent)).toEqual(acks(2))
    await expectRolledUp(ledger, { events: 2 * EVENTS })
  })

  it('a message three times in one batch', async () => {
    const { ledger, sent } = await flushed(2)
    expect(await deliver([...sent, ...sent, ...sent])).toEqual(acks(6))
    await expectRolledUp(ledger, { events: 2 * EVENTS })
  })

  it('messages out of order, in one batch and in several', async () => {
    const { ledger, sent } = await flushed(5)
    const order = [3, 0, 4, 1, 2].map((i) => sent[i])
    expect(await deliver(order.slice(0, 2))).toEqual(acks(2))
    expect(await deliver(order.slice(2))).toEqual(acks(3))
    await expectRolledUp(ledger, { events: 5 * EVENTS })
  })

  it('a message after newer ones were folded, whose gap was filled from pages', async () => {
    const { ledger, sent } = await flushed(4)
    expect(await deliver(sent.slice(3))).toEqual(acks(1))
    await expectRolledUp(ledger, { events: 4 * EVENTS })
    expect(await deliver(sent.slice(0, 3))).toEqual(acks(3))
    await expectRolledUp(ledger, { events: 4 * EVENTS })
  })

  it('only every third message', async () => {
    const { ledger, sent } = await flushed(6)
    expect(await deliver(sent.filter((_, i) => i % 3 === 2))).toEqual(acks(2))
    await expectRolledUp(ledger, { events: 6 * EVENTS })
  })

  it('a message before D1 has its pages: it is retried, and counted then', async () => {
    const { ledger, sent } = await flushed(1)
    const ledger_id = ledgerKey(ledger.name)
    const setFlushed = (entry: number) =>
      env.DB.prepare('UPDATE ledgers SET flushed_entry = ? WHERE ledger_id = ?').bind(entry, ledger_id).run()
    await setFlushed(0)
    expect(await deliver(sent)).toEqual(['retry'])
    await setFlushed(1 + EVENTS)
    expect(await deliver(sent)).toEqual(acks(1))
    await expectRolledUp(ledger, { events: EVENTS })
  })
})

describe('a message that was cut at another entry', () => {
  it('than the rollups counts only its remaining entries', async () => {
    const { ledger, sent } = await flushed(3)
    await deliver(sent.slice(0, 2))
    const [first, , last] = sent.map((body) => JSON.parse(JSON.stringify(body)))
    // Imitates an older deployment that sent the three flushes as one message.
    const wide = { ...last, after_entry: first.after_entry }
    expect(await deliver([wide])).toEqual(acks(1))
    await expectRolledUp(ledger, { events: 3 * EVENTS })
  })

  it('in the middle of a flush continues from there', async () => {
    const { ledger, sent } = await flushed(2)
    const [first] = sent.map((body) => JSON.parse(JSON.stringify(body)))
    const nothing = { h: 0, s: [], k: [], u: [], c: [] }
    // Delivers a message that covers only a part of the first flush: the grant, which is not usage.
    const grant = { ...first, v: 1, to_entry: 1, cells: nothing, at_ms: null }
    expect(await deliver([grant])).toEqual(acks(1))
    expect(await deliver(sent.slice(1))).toEqual(acks(1))
    await expectRolledUp(ledger, { events: 2 * EVENTS })
  })
})

describe('a consumer that stops in the middle', () => {
  // The consumer makes three calls to D1 for each batch of messages: it reads the sizes of the newest rows, reads the
  // rows, and writes all changes.
  const STEPS = [1, 2, 3]
  const cases = STEPS.flatMap((step) => [
    { step, effect: 'before its effect' as const },
    { step, effect: 'after its effect' as const },
  ])

  it.each(cases)(
    'at D1 batch $step, $effect: its messages are delivered again and count once',
    async ({ step, effect }) => {
      const { ledger, sent } = await flushed(3)
      await deliver(sent.slice(0, 1))
      const bindings = { ...env, DB: d1FailingAt(step, effect) }
      const answers = await deliver(sent.slice(1), { bindings })
      expect(answers).toEqual(['retry', 'retry'])
      expect(await deliver(sent.slice(1), { attempts: 2 })).toEqual(acks(2))
      await expectRolledUp(ledger, { events: 3 * EVENTS })
    },
  )

  it('after its write and before its acknowledgement: its messages are duplicates', async () => {
    const { ledger, sent } = await flushed(2)
    await deliver(sent)
    const rows = await rollupRows(ledger)
    expect(await deliver(sent, { attempts: 2 })).toEqual(acks(2))
    expect(await rollupRows(ledger)).toEqual(rows)
  })
})

describe('a batch of which a part fails', () => {
  /** Returns a D1 database that refuses every batch with rows of one ledger, as if a row were too large. */
  function d1Refusing(ledger_id: string): D1Database {
    const refused = new WeakSet<D1PreparedStatement>()
    const prepare = (query: string) => {
      const statement = env.DB.prepare(query)
      return Object.create(statement, {
        bind: {
          value: (...values: unknown[]) => {
            const bound = statement.bind(...values)
            if (/^\s*INSERT/.test(query) && JSON.stringify(values).includes(ledger_id)) refused.add(bound)
            return bound
          },
        },
      })
    }
    const run = async (statements: D1PreparedStatement[]) => {
      if (statements.some((statement) => refused.has(statement))) throw new Error('D1_ERROR: too large')
      return env.DB.batch(statements)
    }
    return d1Double({ prepare, batch: run })
  }

  it('does not delay the other ledgers', async () => {
    const all = await Promise.all([flushed(1), flushed(2), flushed(1)])
    const [first, second, third] = all
    const DB = d1Refusing(ledgerKey(second.ledger.name))
    const bodies = [...first.sent, ...second.sent, ...third.sent]
    expect(await deliver(bodies, { bindings: { ...env, DB } })).toEqual(['ack', 'retry', 'retry', 'ack'])
    await expectRolledUp(first.ledger, { events: EVENTS })
    await expectRolledUp(third.ledger, { events: EVENTS })
    expect(await readRollup(env.DB, ledgerKey(second.ledger.name))).toBeNull()
    await deliver(second.sent)
    await expectRolledUp(second.ledger, { events: 2 * EVENTS })
  })

  it('a ledger whose pages are broken does not delay the others', async () => {
    const [broken, sound] = await Promise.all([flushed(3), flushed(1)])
    const query = 'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry = 1'
    await env.DB.prepare(query).bind(ledgerKey(broken.ledger.name)).run()
    expect(await deliver([...broken.sent.slice(1), ...sound.sent])).toEqual(['retry', 'retry', 'ack'])
    await expectRolledUp(sound.ledger, { events: EVENTS })
  })
})

describe('a row of rollups that is broken at rest', () => {
  it('does not delay the other ledgers, is never overwritten, and is repaired by a rebuild', async () => {
    const [broken, sound] = await Promise.all([flushed(3), flushed(1)])
    const ledger_id = ledgerKey(broken.ledger.name)
    await deliver(broken.sent.slice(0, 2))
    await env.DB.prepare(`UPDATE rollup_days SET by_hour = '{"h":1}' WHERE ledger_id = ?`)
      .bind(ledger_id)
      .run()
    const rows = await rollupRows(broken.ledger)
    expect(await deliver([...broken.sent.slice(2), ...sound.sent])).toEqual(['retry', 'ack'])
    expect(await rollupRows(broken.ledger)).toEqual(rows)
    await expectRolledUp(sound.ledger, { events: EVENTS })
    expect(await rebuildLedger(env.DB, ledger_id)).toMatchObject({ done: true })
    expect(await deliver(broken.sent.slice(2))).toEqual(acks(1))
    await expectRolledUp(broken.ledger, { events: 3 * EVENTS })
  })
})

describe('a poison message between good ones', () => {
  it.each([
    ['that is empty', null],
    ['of a later version', { v: 2, ledger_id: 'x' }],
    [
      'of a ledger that does not exist',
      {
        v: 1,
        ledger_id: 'nobody',
        after_entry: 0,
        to_entry: 1,
        at_ms: 1,
        cells: { h: 0, s: [], k: [], u: [], c: [] },
      },
    ],
  ])('%s delays neither of them, and ends among the dead letters', async (_, poison) => {
    const { ledger, sent } = await flushed(2)
    expect(await deliver([sent[0], poison, sent[1]])).toEqual(['ack', 'retry', 'ack'])
    await expectRolledUp(ledger, { events: 2 * EVENTS })
    expect(await deliverDead([poison])).toEqual(acks(1))
    const letter = await env.DB.prepare('SELECT body FROM dead_letters ORDER BY failed_at_ms DESC').first(
      'body',
    )
    expect(letter).toBe(JSON.stringify(poison))
  })
})

describe('while D1 is down for ten minutes', () => {
  it('messages wait, and are counted once when it is back', async () => {
    const { ledger, sent } = await flushed(3)
    const bindings = { ...env, DB: brokenD1() }
    for (let attempts = 1; attempts <= 7; attempts++) {
      expect(await deliver(sent, { bindings, attempts })).toEqual(['retry', 'retry', 'retry'])
    }
    expect(await deliver(sent, { attempts: 8 })).toEqual(acks(3))
    await expectRolledUp(ledger, { events: 3 * EVENTS })
  })

  it('a message is not given up: the queue tries it for longer than that', async () => {
    const { retryDelay } = await import('../../src/usage/queue/consume.ts')
    const TRIES = 10
    const waits = Array.from({ length: TRIES }, (_, i) => retryDelay(i + 1))
    expect(waits.reduce((sum, seconds) => sum + seconds, 0)).toBeGreaterThan(2 * 600)
    expect(Math.max(...waits)).toBeLessThanOrEqual(300)
  })
})

describe('two consumers at once', () => {
  it('on the same messages of a ledger count them once', async () => {
    const { ledger, sent } = await flushed(3)
    const answers = await Promise.all([deliver(sent), deliver(sent), deliver(sent)])
    expect(answers).toEqual([acks(3), acks(3), acks(3)])
    await expectRolledUp(ledger, { events: 3 * EVENTS })
  })

  it('on different messages of a ledger count each once', async () => {
    const { ledger, sent } = await flushed(6)
    await Promise.all([0, 1, 2].map((i) => deliver(sent.filter((_, j) => j % 3 === i))))
    await deliver(sent)
    await expectRolledUp(ledger, { events: 6 * EVENTS })
  })
})

describe('any of these faults, in any order', () => {
  it('rollups equal the pages, and a rebuild makes the same bytes', async () => {
    const { seed, runs } = inject('fuzz')
    const messages = 8
    const step = fc.record({
      picks: fc.array(fc.nat(messages - 1), { minLength: 1, maxLength: 6 }),
      how: fc.constantFrom('well', 'well', 'at once', 'fails before', 'fails after', 'dead', 'rebuild'),
      at: fc.integer({ min: 1, max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const { ledger, sent } = await flushed(messages)
        const ledger_id = ledgerKey(ledger.name)
        for (const { picks, how, at } of steps) {
          const bodies = picks.map((i) => sent[i])
          if (how === 'at once') await Promise.all([deliver(bodies), deliver([...bodies].reverse())])
          else if (how === 'dead') await deliverDead(bodies)
          else if (how === 'rebuild') await rebuildLedger(env.DB, ledger_id, at * EVENTS)
          else if (how === 'well') await deliver(bodies)
          else {
            const effect = how === 'fails before' ? 'before its effect' : 'after its effect'
            await deliver(bodies, { bindings: { ...env, DB: d1FailingAt(at, effect) } })
          }
        }
        expect(await deliver(sent)).toEqual(acks(messages))
        await expectRolledUp(ledger, { events: messages * EVENTS })
        const rows = await rollupRows(ledger)
        while (!(await rebuildLedger(env.DB, ledger_id)).done);
        expect(await rollupRows(ledger)).toEqual(rows)
      }),
      { numRuns: runs ?? 12, ...(seed !== undefined && { seed }) },
    )
  })
})
