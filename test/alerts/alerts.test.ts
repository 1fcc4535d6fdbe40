import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { eraseSubject, ingest, readEntries } from '../../src/ledger/client/client.ts'
import { type AlertRules, MAX_ALERTS_A_WALLET } from '../../src/ledger/model/alerts.ts'
import { readNotifications } from '../../src/notifications/store.ts'
import { CUSTOMER, rules as entitlementRules, user } from '../support/entitlements.ts'
import { ask, freshLedger, inStore, rowsWrittenBy, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant, single } from '../support/messages.ts'

const CREDIT = 1_000_000
const PERCENT = 10_000
const DAY = 10_000
const START = Date.UTC(2027, 0, 31, 12)
const HOUR = 3_600_000

afterEach(() => {
  vi.useRealTimers()
})

function rules(options: Partial<AlertRules> = {}): AlertRules {
  return {
    type: 'balance_below',
    unit: 'credits',
    threshold: 50 * CREDIT,
    rearm_at: 55 * CREDIT,
    owner: CUSTOMER,
    cooldown_ms: 0,
    enabled: true,
    ...options,
  }
}

let made = 0

async function alert(ledger: TestLedger, options: Partial<AlertRules> = {}): Promise<string> {
  const id = `alr_${String(++made).padStart(6, '0')}`
  const result = await ask(ledger.stub, 'changeAlert', {
    change: { kind: 'create', id, rules: rules(options) },
  })
  expect(result.kind).toBe('done')
  return id
}

async function fired(ledger: TestLedger) {
  const read = await readNotifications(env, ledger.name, { caller: CALLER, after_sequence: 0, limit: 1000 })
  if (read.kind !== 'done') throw new Error('the notifications were not read')
  return read.notifications.filter(({ data }) => data.alert_id !== undefined)
}

const burn = (ledger: TestLedger, credits: number, options = {}) =>
  ingest(env, ledger.name, single(eventItem(credits * CREDIT, options)))

describe('an alert on a balance', () => {
  it('fires once while the wallet hovers at the threshold, and again after it was above rearm_at', async () => {
    const ledger = await freshLedger(51 * CREDIT)
    const alert_id = await alert(ledger)
    for (let i = 0; i < 10; i++) {
      await burn(ledger, 2)
      await ask(ledger.stub, 'credit', grant(2 * CREDIT))
    }
    const [first, ...others] = await fired(ledger)
    expect(others).toEqual([])
    expect(first).toMatchObject({
      type: 'credits.low',
      data: { alert_id, threshold: { credits: 50 }, value_before: 51, value_after: 49 },
    })
    await ask(ledger.stub, 'credit', grant(100 * CREDIT))
    await burn(ledger, 120)
    expect(await fired(ledger)).toHaveLength(2)
  })

  it('survives a restart in its state', async () => {
    const ledger = await freshLedger(60 * CREDIT)
    await alert(ledger)
    await burn(ledger, 20)
    await evictDurableObject(ledger.stub)
    await burn(ledger, 5)
    expect(await fired(ledger)).toHaveLength(1)
  })

  it('in percent counts from the original credits of the open lots', async () => {
    const ledger = await freshLedger(100 * CREDIT)
    await alert(ledger, { unit: 'percent', threshold: 20 * PERCENT, rearm_at: 22 * PERCENT })
    await burn(ledger, 80)
    expect(await fired(ledger)).toEqual([])
    await burn(ledger, 1)
    expect((await fired(ledger)).map(({ data }) => [data.threshold, data.value_after])).toEqual([
      [{ percent: 20 }, 19],
    ])
  })

  it('does not fire for a value that is past the threshold when the alert is made', async () => {
    const ledger = await freshLedger(10 * CREDIT)
    await alert(ledger)
    await burn(ledger, 1)
    expect(await fired(ledger)).toEqual([])
  })
})

describe('an alert on spending', () => {
  it('fires once in a period, and counts only its feature if it names one', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger(1000 * CREDIT)
    const spending = {
      type: 'spend_above',
      period: 'DAILY',
      threshold: 10 * CREDIT,
      rearm_at: 9 * CREDIT,
    } as const
    const all = await alert(ledger, spending)
    const images = await alert(ledger, { ...spending, feature_id: 'images' })
    await ingest(
      env,
      ledger.name,
      batch([eventItem(6 * CREDIT), eventItem(6 * CREDIT, { feature_id: 'images' })]),
    )
    await burn(ledger, 9, { feature_id: 'images' })
    expect((await fired(ledger)).map(({ data }) => [data.alert_id, data.value_after])).toEqual([
      [all, 12],
      [images, 15],
    ])
    vi.setSystemTime(START + 24 * HOUR)
    await burn(ledger, 11)
    expect((await fired(ledger)).map(({ data }) => data.alert_id)).toEqual([all, images, all])
  })
})

describe('an alert on a limit', () => {
  it('fires at its share of the limit, once a window, also for a hold', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger(1000 * CREDIT)
    const limit = { limit_type: 'SOFT', limit: String(100 * CREDIT), period: 'DAILY' } as const
    await ask(ledger.stub, 'changeEntitlement', {
      change: {
        kind: 'create',
        id: 'ent_of_ann',
        place: { feature_id: 'chat', owner: user('ann') },
        rules: entitlementRules(limit),
      },
    })
    const id = await alert(ledger, {
      type: 'limit_used',
      unit: 'percent',
      threshold: 80 * PERCENT,
      rearm_at: 72 * PERCENT,
      owner: user('ann'),
      feature_id: 'chat',
    })
    await burn(ledger, 79, { user_id: 'ann' })
    expect(await fired(ledger)).toEqual([])
    await burn(ledger, 1, { user_id: 'ann' })
    await burn(ledger, 15, { user_id: 'ann' })
    expect((await fired(ledger)).map(({ type, data }) => [type, data])).toMatchObject([
      [
        'limit.threshold',
        { alert_id: id, user_id: 'ann', entitlement_id: 'ent_of_ann', value_before: 79, value_after: 80 },
      ],
    ])
    vi.setSystemTime(START + 24 * HOUR)
    await burn(ledger, 90, { user_id: 'ann' })
    expect(await fired(ledger)).toHaveLength(2)
  })
})

describe('999 alerts on limits', () => {
  const USERS = 999

  /** Creates a ledger with 999 users, who each have a limit on `chat` and an alert at 80 % of this limit. */
  async function ledgerOfLimits(): Promise<TestLedger> {
    const ledger = await freshLedger(10_000 * CREDIT)
    const limit = { limit_type: 'SOFT', limit: String(100 * CREDIT), period: 'DAILY' } as const
    await ask(ledger.stub, 'changeEntitlement', {
      change: {
        kind: 'create',
        id: 'ent_1',
        place: { feature_id: 'chat', owner: user('u1') },
        rules: entitlementRules(limit),
      },
    })
    const threshold = { unit: 'percent', threshold: 80 * PERCENT, rearm_at: 72 * PERCENT } as const
    const first = await alert(ledger, {
      type: 'limit_used',
      ...threshold,
      owner: user('u1'),
      feature_id: 'chat',
    })
    await inStore(ledger, ({ alerts, entitlements }) => {
      const known = alerts.all().get(first)
      const row = entitlements.byId('ent_1')
      if (!known || !row) throw new Error('the alert and its limit were not written')
      for (let i = 2; i <= USERS; i++) {
        const owner = user(`u${i}`)
        const id = `alr_limit_${i}`
        alerts.write(id, { ...known, id, owner })
        entitlements.write({ ...row, id: `ent_${i}`, number: i, counter: i, revision: i, owner })
      }
      alerts.forget()
    })
    return ledger
  }

  it('make a burn check only the alerts of its own limits', async () => {
    const ledger = await ledgerOfLimits()
    await burn(ledger, 1, { user_id: 'u5' })
    const looked_up = await inStore(ledger, ({ entitlements }) => {
      const looked_up: unknown[] = []
      const of = entitlements.of.bind(entitlements)
      entitlements.of = (subject, key_id) => {
        looked_up.push(subject.user_id)
        return of(subject, key_id)
      }
      return looked_up
    })
    for (let i = 0; i < 5; i++) await burn(ledger, 10, { user_id: 'u5' })
    expect(await fired(ledger)).toEqual([])
    await burn(ledger, 40, { user_id: 'u5' })
    // The six burns read entitlements twice each: once for the admission, and once for the alert on the limit.
    expect(looked_up.length).toBeLessThanOrEqual(12)
    expect(new Set(looked_up)).toEqual(new Set(['u5']))
    expect((await fired(ledger)).map(({ data }) => [data.alert_id, data.value_after])).toEqual([
      ['alr_limit_5', 91],
    ])
    // After one alert has fired, burns of another user still find their own alert.
    await burn(ledger, 85, { user_id: 'u6' })
    await burn(ledger, 1, { user_id: 'u6' })
    expect((await fired(ledger)).map(({ data }) => data.alert_id)).toEqual(['alr_limit_5', 'alr_limit_6'])
    expect(looked_up.length).toBeLessThanOrEqual(16)
  })

  it('follow a limit that is replaced, and one that is made after its alert', async () => {
    const ledger = await ledgerOfLimits()
    const limit = { limit_type: 'SOFT', limit: String(50 * CREDIT) } as const
    const place = { feature_id: 'chat', owner: user('later') }
    await alert(ledger, {
      ...{ type: 'limit_used', unit: 'percent', threshold: 80 * PERCENT, rearm_at: 72 * PERCENT },
      ...place,
    })
    await burn(ledger, 45, { user_id: 'later' })
    for (const period of ['DAILY', 'MONTHLY'] as const) {
      const rules = entitlementRules({ ...limit, period })
      await ask(ledger.stub, 'changeEntitlement', {
        change:
          period === 'DAILY'
            ? { kind: 'create', id: 'ent_later', place, rules }
            : { kind: 'replace', id: 'ent_later', place, rules },
      })
      await burn(ledger, 45, { user_id: 'later' })
    }
    expect((await fired(ledger)).map(({ data }) => [data.entitlement_id, data.value_after])).toEqual([
      ['ent_later', 90],
      ['ent_later', 90],
    ])
  })
})

describe('an alert that waits for a time', () => {
  it('names each lot that expires once, and lots of one check together', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger()
    for (const hours of [100, 101, 300]) {
      await ask(ledger.stub, 'credit', grant(5 * CREDIT, { expires_at_ms: START + hours * HOUR }))
    }
    await alert(ledger, { type: 'lot_expiring', unit: 'days', threshold: 3 * DAY, rearm_at: 3 * DAY })
    await runAlarm(ledger)
    expect(await fired(ledger)).toEqual([])
    vi.setSystemTime(START + 30 * HOUR)
    await runAlarm(ledger)
    await runAlarm(ledger)
    expect((await fired(ledger)).map(({ data }) => data)).toMatchObject([
      { lots: 2, expiring: 10, first_expires_at: new Date(START + 100 * HOUR).toISOString() },
    ])
    await ask(ledger.stub, 'credit', grant(5 * CREDIT, { expires_at_ms: START + 40 * HOUR }))
    await runAlarm(ledger)
    expect(await fired(ledger)).toHaveLength(2)
  })

  it('names a used-up lot again if returned credits reopen it after a later notification', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger()
    const expiring = () => ask(ledger.stub, 'credit', grant(5 * CREDIT, { expires_at_ms: START + 40 * HOUR }))
    await alert(ledger, { type: 'lot_expiring', unit: 'days', threshold: 3 * DAY, rearm_at: 3 * DAY })
    await expiring()
    await runAlarm(ledger)
    await burn(ledger, 5)
    // Reads the burn before the alarm flushes it to D1.
    const read = await readEntries(env, ledger.name, {
      caller: CALLER,
      filter: { type: 'BURN' },
      before_entry: null,
      limit: 1,
    })
    const [entry] = 'answer' in read ? read.answer.entries : []
    if (!entry) throw new Error('the burn was not read')
    await expiring()
    await runAlarm(ledger)
    await ask(ledger.stub, 'move', { movement: { type: 'VOID', past: pastEntry(entry) } })
    await runAlarm(ledger)
    const lots = (await fired(ledger)).map(({ data }) => data.lot_ids)
    expect(lots).toHaveLength(3)
    expect(lots[2]).toEqual(lots[0])
    expect(lots[1]).not.toEqual(lots[0])
  })

  it('forecasts the runway from the spending of the last days', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger(1000 * CREDIT)
    await alert(ledger, { type: 'runway_below', unit: 'days', threshold: 5 * DAY, rearm_at: 6 * DAY })
    for (let day = 1; day <= 6; day++) {
      await burn(ledger, 100)
      vi.setSystemTime(START + day * 24 * HOUR)
      await runAlarm(ledger)
    }
    expect(
      (await fired(ledger)).map(({ type, data }) => [type, data.value_before, data.value_after]),
    ).toEqual([['runway.below', 5, 4]])
  })
})

describe('50 alerts on the wallet', () => {
  it('add no row to a burn that crosses no threshold', async () => {
    const ledger = await freshLedger(1000 * CREDIT)
    await burn(ledger, 1)
    const before = await rowsWrittenBy(ledger, () => burn(ledger, 1))
    for (let i = 0; i < MAX_ALERTS_A_WALLET; i++) {
      const type = i % 2 ? 'balance_below' : 'spend_above'
      const threshold = (i % 2 ? i : 500 + i) * CREDIT
      await alert(ledger, { type, threshold, rearm_at: threshold, ...(i % 2 === 0 && { period: 'MONTHLY' }) })
    }
    expect(await rowsWrittenBy(ledger, () => burn(ledger, 1))).toBe(before)
    expect(await fired(ledger)).toEqual([])
    const more = await ask(ledger.stub, 'changeAlert', {
      change: { kind: 'create', id: 'alr_more', rules: rules() },
    })
    expect(more).toMatchObject({ kind: 'refused', refusal: { code: 'too_many_open' } })
  })

  it('write one row for each that fires', async () => {
    const ledger = await freshLedger(1000 * CREDIT)
    await burn(ledger, 1)
    const before = await rowsWrittenBy(ledger, () => burn(ledger, 1))
    await alert(ledger)
    expect(await rowsWrittenBy(ledger, () => burn(ledger, 950))).toBe(before + 1)
  })
})

describe('an erasure', () => {
  it('deletes the alerts of the user', async () => {
    const ledger = await freshLedger()
    await ask(ledger.stub, 'credit', grant(5, { owner: user('ann') }))
    await alert(ledger, { owner: user('ann') })
    const kept = await alert(ledger)
    const erased = await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })
    expect(erased.kind).toBe('erased')
    expect(await inStore(ledger, ({ alerts }) => [...alerts.all().keys()])).toEqual([kept])
  })
})
