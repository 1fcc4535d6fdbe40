import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import {
  changeEntitlement,
  checkEntitlement,
  ingest,
  openLedger,
  shareEntitlements,
} from '../../src/ledger/client/client.ts'
import type { Entitlement, EntitlementRules } from '../../src/ledger/model/limits.ts'
import type { LedgerName, WalletOwner } from '../../src/ledger/model/vocabulary.ts'
import { failNextTransaction, type Moment, powerCut } from '../faults/injection.ts'
import { brokenD1, d1Double } from '../support/d1.ts'
import { CUSTOMER, hardEvents, rules, team, user } from '../support/entitlements.ts'
import {
  ACCOUNT,
  ask,
  freshLedger,
  inStore,
  rowsWrittenBy,
  runAlarm,
  storeOf,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { batch, CALLER, type EventOptions, eventItem, grant, single } from '../support/messages.ts'

vi.setConfig({ testTimeout: 30_000 })

const CREDITS = 1_000_000_000

async function entitled(ledger: TestLedger, owner: WalletOwner, rule: EntitlementRules, feature_id = 'chat') {
  return changed(
    await changeEntitlement(env, ledger.name, {
      caller: CALLER,
      change: { kind: 'create', id: `ent_${crypto.randomUUID()}`, place: { feature_id, owner }, rules: rule },
    }),
  )
}

async function replaced(ledger: TestLedger, { id }: Entitlement, rule: EntitlementRules) {
  return changed(
    await changeEntitlement(env, ledger.name, {
      caller: CALLER,
      change: { kind: 'replace', id, place: {}, rules: rule },
    }),
  )
}

function changed(result: Awaited<ReturnType<typeof changeEntitlement>>): Entitlement {
  if (result.kind === 'refused') throw new Error(JSON.stringify(result))
  return result.answer
}

async function burn(ledger: TestLedger, options: EventOptions = {}, credits = 5): Promise<string> {
  const result = await ingest(env, ledger.name, single(eventItem(credits, options)))
  return result.kind === 'refused' ? result.refusal.code : result.kind
}

/** Returns the used quantity that the entitlement's counter has. */
function used(ledger: TestLedger, { counter }: Entitlement): Promise<string | undefined> {
  return inStore(ledger, (store) => store.limitCounter(counter)?.used.toString())
}

/** Returns the counters for which the ledger has already notified that the limit is reached. */
function marked(ledger: TestLedger): Promise<number[]> {
  return runInDurableObject(ledger.stub, (_, { storage }) =>
    storage.sql
      .exec<{ counter: number }>('SELECT counter FROM limit_marks')
      .toArray()
      .map(({ counter }) => counter),
  )
}

/** Returns the used quantities in the last checkpoint, by counter. */
function checkpointed(ledger: TestLedger): Promise<Record<string, string>> {
  return runInDurableObject(ledger.stub, (_, { storage }) =>
    Object.fromEntries(
      storage.sql
        .exec<{ counter: number; used: string }>('SELECT counter, used FROM limit_counters WHERE counter > 0')
        .toArray()
        .map((row) => [String(row.counter), row.used]),
    ),
  )
}

describe('rows written', () => {
  it('one event with a key and three limits: 2, as without any', async () => {
    const ledger = await freshLedger(CREDITS)
    for (const owner of [CUSTOMER, team('red'), user('ann')]) await entitled(ledger, owner, hardEvents(1000))
    const ann = { user_id: 'ann', team_id: 'red' }
    await burn(ledger, ann)
    expect(await rowsWrittenBy(ledger, () => burn(ledger, { ...ann, key: 'k' }))).toBe(2)
  })

  it('100 events in a request write the same rows with a limit as without it', async () => {
    const ledger = await freshLedger(CREDITS)
    await entitled(ledger, CUSTOMER, hardEvents(1000))
    await burn(ledger)
    const items = Array.from({ length: 100 }, () => eventItem(5))
    const rows = await rowsWrittenBy(ledger, () =>
      ingest(env, ledger.name, batch(items, { key: 'batch', fingerprint: 'f' })),
    )
    expect(rows).toBe(2)
  })

  it('an event that a limit refuses, and a check: none', async () => {
    const ledger = await freshLedger(CREDITS)
    await entitled(ledger, CUSTOMER, hardEvents(1))
    await burn(ledger)
    expect(await rowsWrittenBy(ledger, () => burn(ledger, { key: 'k' }))).toBe(0)
    const { event } = eventItem(5)
    const question = { subject: { feature_id: 'chat' }, event }
    expect(
      await rowsWrittenBy(ledger, () =>
        checkEntitlement(env, ledger.name, { caller: CALLER, question, hold_ms: null }),
      ),
    ).toBe(0)
  })

  it('a check of a wallet in which a lot has expired: none', async () => {
    const ledger = await freshLedger()
    const expires_at_ms = Date.now() + 20
    await ask(ledger.stub, 'credit', grant(100, { expires_at_ms }))
    await vi.waitUntil(() => Date.now() > expires_at_ms)
    const question = { subject: { feature_id: 'chat' }, event: eventItem(5).event }
    const check = () => checkEntitlement(env, ledger.name, { caller: CALLER, question, hold_ms: null })
    expect(await check()).toMatchObject({ answer: { reason: 'insufficient_credits', balance: 0 } })
    expect(await rowsWrittenBy(ledger, check)).toBe(0)
  })

  it('a definition: 6 with its indexes and the journal, 5 when it is replaced, 3 when it is deleted', async () => {
    const ledger = await freshLedger(CREDITS)
    let made: Entitlement | undefined
    expect(
      await rowsWrittenBy(ledger, async () => {
        made = await entitled(ledger, CUSTOMER, hardEvents(1))
      }),
    ).toBe(6)
    const row = made
    if (!row) throw new Error('nothing was made')
    expect(await rowsWrittenBy(ledger, () => replaced(ledger, row, hardEvents(2)))).toBe(5)
    const change = { kind: 'delete', id: row.id } as const
    expect(
      await rowsWrittenBy(ledger, () => changeEntitlement(env, ledger.name, { caller: CALLER, change })),
    ).toBe(3)
  })

  it('a checkpoint: one for each counter that changed and one for the cursor, for any number of events', async () => {
    const ledger = await freshLedger(CREDITS)
    for (const owner of [CUSTOMER, user('ann'), user('bob')]) await entitled(ledger, owner, hardEvents(1000))
    await runAlarm(ledger)
    for (let i = 0; i < 20; i++) await burn(ledger, { user_id: 'ann' })
    // The alarm writes four rows: the cursor of the flush, the cursor of the checkpoint, the counter of ann, and the
    // counter of the customer.
    expect(await rowsWrittenBy(ledger, () => runAlarm(ledger))).toBe(4)
    await burn(ledger, { user_id: 'ann', feature_id: 'images' })
    expect(await rowsWrittenBy(ledger, () => runAlarm(ledger))).toBe(1)
  })
})

describe('the counted use', () => {
  it('exists after a restart, from the journal alone', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(3))
    await burn(ledger)
    await burn(ledger)
    expect(await checkpointed(ledger)).toEqual({})
    await evictDurableObject(ledger.stub)
    expect(await used(ledger, row)).toBe('2')
    expect(await burn(ledger)).toBe('done')
    await evictDurableObject(ledger.stub)
    expect(await burn(ledger)).toBe('limit_reached')
  })

  it('exists after a restart, from the checkpoint and the journal after it', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9))
    await burn(ledger)
    await runAlarm(ledger)
    expect(await checkpointed(ledger)).toEqual({ [row.counter]: '1' })
    await burn(ledger)
    await evictDurableObject(ledger.stub)
    expect(await used(ledger, row)).toBe('2')
    await runAlarm(ledger)
    await evictDurableObject(ledger.stub)
    expect(await used(ledger, row)).toBe('2')
  })

  it('is checkpointed by a restarted object without counts of its own', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9))
    await burn(ledger)
    await evictDurableObject(ledger.stub)
    await runAlarm(ledger)
    expect(await checkpointed(ledger)).toEqual({ [row.counter]: '1' })
    expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(false)
  })

  it('is checkpointed while D1 is down, and survives', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9))
    await burn(ledger)
    await withD1(ledger, brokenD1(), () => runAlarm(ledger))
    expect(await checkpointed(ledger)).toEqual({ [row.counter]: '1' })
    await burn(ledger)
    await evictDurableObject(ledger.stub)
    expect(await used(ledger, row)).toBe('2')
  })

  it('while a flush waits for D1 is in the checkpoint before its journal row counts as flushed', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9))
    await burn(ledger)
    const slow = d1Double({
      batch: async (statements: D1PreparedStatement[]) => {
        const results = await env.DB.batch(statements)
        await runInDurableObject(ledger.stub, (instance) => ask(instance, 'ingest', single(eventItem(5))))
        return results
      },
    })
    // A new event arrives during every flush, so one event is still unflushed when the alarm ends.
    await withD1(ledger, slow, () => runAlarm(ledger))
    const before = await used(ledger, row)
    await evictDurableObject(ledger.stub)
    expect(await used(ledger, row)).toBe(before)
  })

  it('remains after the journal rows that counted it are freed', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9, { period: 'TOTAL' }))
    await burn(ledger)
    await burn(ledger)
    await runAlarm(ledger)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + readConfig(env).idempotency_window_ms + 1000 })
    await runAlarm(ledger)
    await evictDurableObject(ledger.stub)
    const rows = await runInDurableObject(ledger.stub, (_, { storage }) =>
      Number(storage.sql.exec('SELECT count(*) AS n FROM journal').one().n),
    )
    expect(rows).toBe(1)
    expect(await used(ledger, row)).toBe('2')
  })

  afterEach(() => {
    vi.useRealTimers()
  })
})

describe('a commit that fails', () => {
  it('counts nothing when the disk is full, and then counts again', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(1))
    await failNextTransaction(ledger)
    // The event is the only request of its commit, so the ledger does not commit it again alone.
    await expect(burn(ledger)).rejects.toThrow('the disk is full')
    expect(await used(ledger, row)).toBeUndefined()
    expect(await burn(ledger)).toBe('done')
    expect(await used(ledger, row)).toBe('1')
  })

  it.each<[Moment, string]>([
    ['inside the transaction', '1'],
    ['before the reply', '1'],
  ])('when power fails %s has counted the burned amount', async (moment, expected) => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9))
    await powerCut(ledger, moment)
    // The Worker repeats the call with the same idempotency key, because the object stops during the first call.
    await burn(ledger, { key: 'k' })
    expect(await used(ledger, row)).toBe(expected)
  })
})

describe('a checkpoint that fails', () => {
  it.each(['before it is written', 'after it is written'] as const)(
    'because power fails %s loses nothing and counts nothing twice',
    async (moment) => {
      const ledger = await freshLedger(CREDITS)
      const row = await entitled(ledger, CUSTOMER, hardEvents(9))
      await burn(ledger)
      await burn(ledger)
      await runInDurableObject(ledger.stub, (instance, state) => {
        const store = storeOf(instance)
        const write = store.writeCheckpoint.bind(store)
        store.writeCheckpoint = () => {
          if (moment === 'after it is written') write()
          state.abort('the power failed')
          throw new Error('the power failed')
        }
      })
      await runAlarm(ledger).catch(() => undefined)
      expect(await used(ledger, row)).toBe('2')
      await runAlarm(ledger)
      expect(await checkpointed(ledger)).toEqual({ [row.counter]: '2' })
      await evictDurableObject(ledger.stub)
      expect(await used(ledger, row)).toBe('2')
    },
  )

  it('because the disk is full keeps the flush waiting, since a flushed row may be freed', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(9))
    await burn(ledger)
    await runInDurableObject(ledger.stub, (instance) => {
      const store = storeOf(instance)
      const write = store.writeCheckpoint.bind(store)
      store.writeCheckpoint = () => {
        store.writeCheckpoint = write
        throw new Error('the disk is full')
      }
    })
    await runAlarm(ledger)
    expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(true)
    await runAlarm(ledger)
    expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(false)
    expect(await checkpointed(ledger)).toEqual({ [row.counter]: '1' })
  })
})

describe('a change of an entitlement', () => {
  it('keeps the counter while unit, period and anchor stay, and binds the next event', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(2))
    await burn(ledger)
    await burn(ledger)
    expect(await burn(ledger)).toBe('limit_reached')
    const wider = await replaced(ledger, row, hardEvents(3, { metadata: { plan: 'pro' } }))
    expect(wider).toMatchObject({
      counter: row.counter,
      number: row.number,
      created_at_ms: row.created_at_ms,
    })
    expect(await burn(ledger)).toBe('done')
    expect(await burn(ledger)).toBe('limit_reached')
    await replaced(ledger, row, hardEvents(3, { limit_type: 'SOFT' }))
    expect(await burn(ledger)).toBe('done')
    expect(await used(ledger, row)).toBe('4')
  })

  it.each<[string, Partial<EntitlementRules>]>([
    ['unit', { unit: 'tokens', limit: '1000000' }],
    ['period', { period: 'HOURLY' }],
    ['anchor', { anchor_ms: 3_600_000 }],
    ['time zone', { time_zone: 'Europe/Berlin' }],
  ])('begins a new counter when the %s changes', async (_, change) => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(1))
    await burn(ledger)
    const other = await replaced(ledger, row, hardEvents(1, change))
    expect(other.counter).not.toBe(row.counter)
    expect(await burn(ledger)).toBe('done')
    expect(await used(ledger, row)).toBe('1')
    await runAlarm(ledger)
    expect(Object.keys(await checkpointed(ledger))).toEqual([String(other.counter)])
  })

  it('that deletes it removes its limit, and a new one counts from zero', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(1))
    await burn(ledger)
    await changeEntitlement(env, ledger.name, { caller: CALLER, change: { kind: 'delete', id: row.id } })
    expect(await burn(ledger)).toBe('done')
    const again = await entitled(ledger, CUSTOMER, hardEvents(1))
    expect(await burn(ledger)).toBe('done')
    expect(await burn(ledger)).toBe('limit_reached')
    expect(again.counter).toBeGreaterThan(row.counter)
    await runAlarm(ledger)
    expect(await checkpointed(ledger)).toEqual({ [again.counter]: '1' })
    expect(await marked(ledger)).toEqual([again.counter])
  })

  it('is kept over a restart', async () => {
    const ledger = await freshLedger(CREDITS)
    await entitled(ledger, user('ann'), rules({ enabled: false }))
    await evictDurableObject(ledger.stub)
    expect(await burn(ledger, { user_id: 'ann' })).toBe('feature_not_allowed')
    expect(await burn(ledger, { user_id: 'bob' })).toBe('done')
  })
})

describe('the rows of a feature', () => {
  const ANN = { user_id: 'ann', team_id: 'red' }

  it('apply in the order user, team, customer, for any order of creation', async () => {
    const ledger = await freshLedger(CREDITS)
    const owners = { customer: CUSTOMER, user: user('ann'), team: team('red') }
    const rows: Record<string, Entitlement> = {}
    for (const [level, owner] of Object.entries(owners))
      rows[level] = await entitled(ledger, owner, hardEvents(0))
    for (const level of ['user', 'team', 'customer']) {
      const result = await ingest(env, ledger.name, single(eventItem(5, ANN)))
      expect(result).toMatchObject({ refusal: { code: 'limit_reached', level } })
      const row = rows[level]
      if (row) await replaced(ledger, row, hardEvents(9))
    }
    expect(await burn(ledger, ANN)).toBe('done')
  })

  it('are switched on or off by the most specific row', async () => {
    const ledger = await freshLedger(CREDITS)
    await entitled(ledger, CUSTOMER, rules({ enabled: false }))
    expect(await burn(ledger, ANN)).toBe('feature_not_allowed')
    await entitled(ledger, team('red'), rules())
    expect(await burn(ledger, ANN)).toBe('done')
    await entitled(ledger, user('ann'), rules({ enabled: false }))
    expect([await burn(ledger, ANN), await burn(ledger, { team_id: 'red' })]).toEqual([
      'feature_not_allowed',
      'done',
    ])
  })

  it('are distinct for ids that look like the names of levels', async () => {
    const ledger = await freshLedger(CREDITS)
    await entitled(ledger, user('team:red'), hardEvents(0))
    await entitled(ledger, team('customer'), hardEvents(0))
    expect(await burn(ledger, { user_id: 'red', team_id: 'red' })).toBe('done')
    expect(await burn(ledger, { user_id: 'customer' })).toBe('done')
    expect(await burn(ledger, { user_id: 'team:red' })).toBe('limit_reached')
  })
})

describe('at once', () => {
  it('100 events on a limit of 37: exactly 37 are burned', async () => {
    const ledger = await freshLedger(CREDITS)
    const row = await entitled(ledger, CUSTOMER, hardEvents(37))
    const codes = await Promise.all(Array.from({ length: 100 }, (_, i) => burn(ledger, { key: `k${i}` })))
    expect(codes.filter((code) => code === 'done')).toHaveLength(37)
    expect(codes.filter((code) => code === 'limit_reached')).toHaveLength(63)
    expect(await used(ledger, row)).toBe('37')
  })

  it('a batch is burned up to the limit, event by event', async () => {
    const ledger = await freshLedger(CREDITS)
    await entitled(ledger, CUSTOMER, rules({ limit_type: 'HARD', limit: '100', period: 'DAILY' }))
    const items = [60, 50, 40, 1].map((credits) => eventItem(credits))
    expect(await ingest(env, ledger.name, batch(items))).toMatchObject({
      answer: {
        results: [
          { status: 'accepted' },
          { status: 'rejected', code: 'limit_reached' },
          { status: 'accepted' },
          { status: 'rejected', code: 'limit_reached' },
        ],
      },
    })
  })
})

describe('the test ledger', () => {
  async function pair(): Promise<{ live: TestLedger; test: TestLedger }> {
    const live = await freshLedger(CREDITS)
    const name: LedgerName = { ...live.name, mode: 'test' }
    await openLedger(env, { ledger: name, signup_grant_micro: CREDITS, account: ACCOUNT })
    return { live, test: { name, stub: env.LEDGER.get(env.LEDGER.idFromName(ledgerKey(name))) } }
  }

  const share = ({ name }: TestLedger) => shareEntitlements(env, name.customer_id)

  it('has the definitions of the live one and counters of its own', async () => {
    const { live, test } = await pair()
    const row = await entitled(live, CUSTOMER, hardEvents(1))
    await share(live)
    expect(await burn(live)).toBe('done')
    expect(await burn(test)).toBe('done')
    expect(await burn(test)).toBe('limit_reached')
    expect([await used(live, row), await used(test, row)]).toEqual(['1', '1'])
  })

  it('takes over any number of replacements and deletions, each once', async () => {
    const { live, test } = await pair()
    const made: Entitlement[] = []
    for (let i = 0; i < 250; i++) made.push(await entitled(live, user(`u${i}`), hardEvents(1)))
    await share(live)
    const [first, second] = made
    if (!first || !second) throw new Error('nothing was made')
    await replaced(live, first, hardEvents(0))
    await changeEntitlement(env, live.name, { caller: CALLER, change: { kind: 'delete', id: second.id } })
    await entitled(live, user('u1'), hardEvents(2))
    await share(live)
    await share(live)
    expect(await burn(test, { user_id: 'u0' })).toBe('limit_reached')
    expect([await burn(test, { user_id: 'u1' }), await burn(test, { user_id: 'u1' })]).toEqual([
      'done',
      'done',
    ])
    expect(await burn(test, { user_id: 'u249' })).toBe('done')
    expect(await burn(test, { user_id: 'u249' })).toBe('limit_reached')
  })

  it('that was not opened accepts no definition', async () => {
    const live = await freshLedger(CREDITS)
    await entitled(live, CUSTOMER, hardEvents(1))
    await share(live)
    const name: LedgerName = { ...live.name, mode: 'test' }
    const stub = env.LEDGER.get(env.LEDGER.idFromName(ledgerKey(name)))
    expect(await inStore({ name, stub }, (store) => store.entitlements.last)).toMatchObject({ number: 0 })
  })
})
