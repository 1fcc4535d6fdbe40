import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { eraseSubject, notify } from '../../src/ledger/client/client.ts'
import type { Notice } from '../../src/ledger/model/notifications.ts'
import {
  forgetNotifications,
  readFlushedNotifications,
  readNotifications,
  unhandedLedgers,
} from '../../src/notifications/store.ts'
import { d1FailingAt } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  inStore,
  ledgerOf,
  rowsWrittenBy,
  runAlarm,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { CALLER, grant } from '../support/messages.ts'

const NOTICE: Notice = { type: 'api_key.created', data: { key_id: 'key_1' } }

async function add(ledger: TestLedger, id: string, notice: Notice = NOTICE): Promise<void> {
  expect(await notify(env, ledger.name, { id, notice })).toEqual({ kind: 'done' })
}

async function listed(ledger: TestLedger, after_sequence = 0, limit = 100): Promise<number[]> {
  const read = await readNotifications(env, ledger.name, { caller: CALLER, after_sequence, limit })
  if (read.kind !== 'done') throw new Error('the notifications were not read')
  return read.notifications.map(({ sequence }) => sequence)
}

/** Changes the ledger's row in D1 as if a webhook endpoint existed. The flush reads this row. */
async function listen(ledger: TestLedger): Promise<void> {
  await env.DB.prepare('UPDATE ledgers SET handed_notification = last_notification WHERE ledger_id = ?')
    .bind(ledgerKey(ledger.name))
    .run()
}

/**
 * Gives the object a queue that stores its messages, or fails if `fails` is true. Returns the list of stored messages.
 */
async function hintsOf(ledger: TestLedger, fails = false): Promise<unknown[]> {
  const hints: unknown[] = []
  await runInDurableObject(ledger.stub, (instance) => {
    const send = async (body: unknown) => {
      if (fails) throw new Error('Queue send failed: Internal Server Error')
      hints.push(body)
    }
    const NOTIFICATIONS: Queue = Object.create(env.NOTIFICATIONS, { send: { value: send } })
    if (!Reflect.set(instance, 'env', { ...env, NOTIFICATIONS })) throw new Error('the bindings stayed')
  })
  return hints
}

describe('notifications', () => {
  it('are numbered from 1 without a gap, in the object and in D1, and keep their numbers after a restart', async () => {
    const ledger = await freshLedger()
    await Promise.all(['a', 'b', 'c'].map((id) => add(ledger, id)))
    expect(await listed(ledger)).toEqual([1, 2, 3])
    await runAlarm(ledger)
    await evictDurableObject(ledger.stub)
    await Promise.all(['d', 'e'].map((id) => add(ledger, id)))
    expect(await listed(ledger)).toEqual([1, 2, 3, 4, 5])
    expect(await listed(ledger, 2, 2)).toEqual([3, 4])
    expect(await listed(ledger, 5)).toEqual([])
    await runAlarm(ledger)
    expect(await listed(ledger)).toEqual([1, 2, 3, 4, 5])
    const [first] = await readFlushedNotifications(env, ledger.name, { after_sequence: 0, limit: 1 })
    expect(first).toMatchObject({
      id: expect.stringMatching(/^ntf_[0-9a-z]{26}$/),
      type: 'api_key.created',
      sequence: 1,
      customer_id: ledger.name.customer_id,
      mode: 'live',
      data: { key_id: 'key_1' },
    })
  })

  it('are written once for each id, also after a restart and a flush', async () => {
    const ledger = await freshLedger()
    await Promise.all([add(ledger, 'once'), add(ledger, 'once')])
    await runAlarm(ledger)
    await evictDurableObject(ledger.stub)
    await add(ledger, 'once')
    expect(await listed(ledger)).toEqual([1])
  })

  it('cost the commit no row', async () => {
    const ledger = await freshLedger()
    await add(ledger, 'first')
    expect(await rowsWrittenBy(ledger, () => add(ledger, 'second'))).toBe(1)
  })

  it('have no gap after a failed commit, a failure of D1, or a flush whose response is lost', async () => {
    const ledger = await freshLedger()
    await add(ledger, 'a')
    await inStore(ledger, (store) => {
      const write = store.journal.write.bind(store.journal)
      let left = 1
      store.journal.write = (draft) => {
        if (left-- > 0) throw new Error('the disk is full')
        return write(draft)
      }
    })
    expect(await notify(env, ledger.name, { id: 'b', notice: NOTICE }).catch(() => 'failed')).not.toEqual({
      kind: 'done',
    })
    await add(ledger, 'c')
    expect(await listed(ledger)).toEqual([1, 2])
    await withD1(ledger, d1FailingAt(1, 'before its effect'), () => runAlarm(ledger))
    await withD1(ledger, d1FailingAt(1, 'after its effect'), () => runAlarm(ledger))
    await add(ledger, 'd')
    await runAlarm(ledger)
    expect(await listed(ledger)).toEqual([1, 2, 3])
  })

  it('have the same numbers after D1 was restored from an older backup', async () => {
    const ledger = await freshLedger()
    const ledger_id = ledgerKey(ledger.name)
    await add(ledger, 'a')
    await runAlarm(ledger)
    const backup = await env.DB.prepare('SELECT * FROM ledgers WHERE ledger_id = ?').bind(ledger_id).first()
    await add(ledger, 'b')
    await runAlarm(ledger)
    await add(ledger, 'c')
    const read = () => readFlushedNotifications(env, ledger.name, { after_sequence: 0, limit: 10 })
    const before = await read()
    await env.DB.batch([
      env.DB.prepare('DELETE FROM notifications WHERE ledger_id = ? AND sequence > 1').bind(ledger_id),
      env.DB.prepare(
        'UPDATE ledgers SET flushed_row = ?2, flushed_at_ms = ?3, flushed_hash = ?4, last_notification = 1 WHERE ledger_id = ?1',
      ).bind(ledger_id, backup?.flushed_row, backup?.flushed_at_ms, backup?.flushed_hash),
    ])
    await ledger.stub.wake(Number(backup?.flushed_row))
    await runAlarm(ledger)
    const after = await read()
    expect(after.map(({ sequence }) => sequence)).toEqual([1, 2, 3])
    expect(after.slice(0, 2)).toEqual(before)
  })

  it('are deleted after their retention, in portions', async () => {
    const ledger = await freshLedger()
    for (const id of ['a', 'b', 'c']) await add(ledger, id)
    await runAlarm(ledger)
    const places: string[] = []
    const options = { after: '', reach: (place: string) => places.push(place) }
    await forgetNotifications(env, Date.now() - 60_000, options)
    expect(await listed(ledger)).toEqual([1, 2, 3])
    expect(await forgetNotifications(env, Date.now() + 60_000, options)).toBeGreaterThanOrEqual(3)
    expect(await listed(ledger)).toEqual([])
    expect(places.at(-1)).toBe('')
    await add(ledger, 'd')
    expect(await listed(ledger)).toEqual([4])
  })

  it('belong to one ledger', async () => {
    const [mine, other] = [await freshLedger(), await freshLedger()]
    await add(mine, 'a')
    await runAlarm(mine)
    expect(await listed(other)).toEqual([])
    expect(
      await readFlushedNotifications(env, ledgerOf(mine.name.customer_id, 'test').name, {
        after_sequence: 0,
        limit: 10,
      }),
    ).toEqual([])
  })

  it('name no erased user', async () => {
    const ledger = await freshLedger()
    await ask(ledger.stub, 'credit', grant(5, { owner: { kind: 'user', id: 'ann' } }))
    const data = { user_id: 'ann', credits: 5 }
    await add(ledger, 'flushed', { type: 'credits.low', data })
    await runAlarm(ledger)
    await add(ledger, 'unflushed', { type: 'credits.low', data })
    const erased = await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })
    if (erased.kind !== 'erased') throw new Error('the user was not erased')
    const read = () => readNotifications(env, ledger.name, { caller: CALLER, after_sequence: 0, limit: 10 })
    expect(JSON.stringify(await read())).not.toContain('"ann"')
    await runAlarm(ledger)
    expect(await read()).toMatchObject({
      notifications: expect.arrayContaining([
        expect.objectContaining({ type: 'credits.low', data: { user_id: erased.alias, credits: 5 } }),
      ]),
    })
  })
})

describe('the hint of a flush', () => {
  it('is sent only if an endpoint waits, and the sweep replaces a lost one', async () => {
    const ledger = await freshLedger()
    await add(ledger, 'a')
    const none = await hintsOf(ledger)
    await runAlarm(ledger)
    expect(none).toEqual([])
    await listen(ledger)
    await add(ledger, 'b')
    await add(ledger, 'c')
    const hints = await hintsOf(ledger)
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    expect(hints).toEqual([{ v: 1, ledger_id, from_sequence: 2, to_sequence: 3 }])
    const place = ledger_id.slice(0, -1)
    expect(await unhandedLedgers(env.DB, place, 1)).toEqual([
      { ledger_id, handed_notification: 1, last_notification: 3 },
    ])
  })

  it('does not stop the flush when the queue is down', async () => {
    const ledger = await freshLedger()
    await add(ledger, 'a')
    await runAlarm(ledger)
    await listen(ledger)
    await add(ledger, 'b')
    await hintsOf(ledger, true)
    await runAlarm(ledger)
    expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(false)
  })
})
