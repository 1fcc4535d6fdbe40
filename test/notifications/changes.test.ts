import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ingest, setLedgerAccount } from '../../src/ledger/client/client.ts'
import type { NotificationType } from '../../src/ledger/model/notifications.ts'
import { type NotificationView, readNotifications } from '../../src/notifications/store.ts'
import { MAX_MICRO_CREDITS, microCredits } from '../../src/pricing/money.ts'
import { CUSTOMER, rules } from '../support/entitlements.ts'
import { ACCOUNT, ask, freshLedger, rowsWrittenBy, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant, single } from '../support/messages.ts'

const CREDIT = 1_000_000
const START = Date.UTC(2027, 0, 31, 12)
const HOUR = 3_600_000

afterEach(() => {
  vi.useRealTimers()
})

async function notificationsOf(ledger: TestLedger, type?: NotificationType): Promise<NotificationView[]> {
  const read = await readNotifications(env, ledger.name, { caller: CALLER, after_sequence: 0, limit: 1000 })
  if (read.kind !== 'done') throw new Error('the notifications were not read')
  return read.notifications.filter((one) => type === undefined || one.type === type)
}

const unpriced = (model: string) =>
  eventItem(0, { model, charge: { kind: 'unpriced', price_version: 'test' } })

describe('a burn', () => {
  it('of any amount adds no notification', async () => {
    const ledger = await freshLedger(10 * CREDIT)
    const before = (await notificationsOf(ledger)).length
    await ingest(env, ledger.name, batch([eventItem(5), eventItem(7, { user_id: 'ann' })]))
    expect(await notificationsOf(ledger)).toHaveLength(before)
  })

  it('that takes the last available credit exhausts the wallet, once until there are credits again', async () => {
    const ledger = await freshLedger(10)
    await ingest(env, ledger.name, single(eventItem(10)))
    await ingest(env, ledger.name, single(eventItem(0)))
    await ask(ledger.stub, 'credit', grant(5))
    await ingest(env, ledger.name, batch([eventItem(3), eventItem(2)]))
    const [first, second, ...others] = await notificationsOf(ledger, 'credits.exhausted')
    expect(first?.data).toMatchObject({ available_before: 0.00001, available_after: 0, balance_after: 0 })
    expect(second?.data).toMatchObject({ available_before: 0.000005, wallet_id: first?.data.wallet_id })
    expect(others).toEqual([])
  })

  it('without a price is notified for the first event of its model, until all are rated', async () => {
    const ledger = await freshLedger(100)
    await ingest(env, ledger.name, batch([unpriced('a'), unpriced('a'), unpriced('b')]))
    await ingest(env, ledger.name, single(unpriced('a')))
    const first = await notificationsOf(ledger, 'event.unrated')
    expect(first.map(({ data }) => data.model)).toEqual(['a', 'b'])
    const unrated = await ask(ledger.stub, 'unrated', {
      before_entry: null,
      limit: 10,
      amended: [],
    })
    if (unrated.kind !== 'done') throw new Error('the events were not listed')
    const items = unrated.answer.events
      .filter(({ event }) => event?.model === 'a')
      .map(({ number }) => ({ entry: number, charge: eventItem(4).event?.charge }))
      .flatMap(({ entry, charge }) => (charge ? [{ entry, charge }] : []))
    await ask(ledger.stub, 'rerate', { items })
    expect((await notificationsOf(ledger, 'event.rated')).map(({ data }) => data)).toEqual([
      { provider: 'OPENAI', model: 'a', events: 3, amount: 0.000012 },
    ])
    await ingest(env, ledger.name, single(unpriced('a')))
    expect(await notificationsOf(ledger, 'event.unrated')).toHaveLength(3)
  })
})

describe('credits', () => {
  it('are notified when they are granted, refunded or expire, once for the lots of one wallet', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger()
    const ann = { kind: 'user', id: 'ann' } as const
    const bought = { type: 'PURCHASE', lot_kind: 'paid', price: { micro: 1_500_000, pico: 0 } } as const
    await ask(ledger.stub, 'credit', grant(50 * CREDIT, { owner: ann, ...bought }))
    for (let i = 0; i < 12; i++) {
      await ask(ledger.stub, 'credit', grant(CREDIT, { owner: ann, expires_at_ms: START + HOUR }))
    }
    vi.setSystemTime(START + HOUR)
    await runAlarm(ledger)
    const all = await notificationsOf(ledger)
    expect(all[0]).toMatchObject({
      type: 'credits.purchased',
      data: { user_id: 'ann', amount: 50, balance_after: 50, price_usd: 1.5, expires_at: null, kind: 'paid' },
    })
    expect(all.filter(({ type }) => type === 'credits.granted')).toHaveLength(12)
    const expired = all.filter(({ type }) => type === 'credits.expired')
    expect(expired.map(({ data }) => data)).toEqual([
      expect.objectContaining({ user_id: 'ann', amount: 12, balance_after: 50, lots: 12 }),
    ])
    expect(expired[0]?.data.lot_ids).toHaveLength(10)
  })

  it('that expire in one commit can exceed the largest balance', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger()
    const daily = { every: 'day', rollover_max: null } as const
    const lasting = { recurring: daily, expires_at_ms: START + HOUR }
    await ask(ledger.stub, 'credit', grant(MAX_MICRO_CREDITS, lasting))
    vi.setSystemTime(START + (9 * 24 + 1) * HOUR)
    await runAlarm(ledger)
    const [expired, ...others] = await notificationsOf(ledger, 'credits.expired')
    expect(expired?.data).toMatchObject({ amount: 10 * 8e9, balance_after: 0, lots: 10 })
    expect(others).toEqual([])
  })

  it('of a refund are notified', async () => {
    const ledger = await freshLedger()
    await ask(ledger.stub, 'credit', grant(50, { type: 'PURCHASE', price: { micro: 1, pico: 0 } }))
    const past = { number: 1, type: 'PURCHASE', wallet: 1, at_ms: 1, amount: microCredits(50) } as const
    const lots = [[1, microCredits(50)]] as const
    await ask(ledger.stub, 'move', { movement: { type: 'REFUND', past: { ...past, lots }, amount: null } })
    expect((await notificationsOf(ledger, 'credits.refunded')).map(({ data }) => data)).toMatchObject([
      { of: 'purchase', amount: -0.00005, balance_after: 0 },
    ])
  })
})

describe('a limit', () => {
  it('is reached once a window, also by a hold', async () => {
    const ledger = await freshLedger(CREDIT)
    await ask(ledger.stub, 'changeEntitlement', {
      change: {
        kind: 'create',
        id: 'ent_1',
        place: { feature_id: 'chat', owner: CUSTOMER },
        rules: rules({ limit_type: 'HARD', limit: '100', unit: 'credits', period: 'DAILY' }),
      },
    })
    await ingest(env, ledger.name, batch([eventItem(60), eventItem(30)]))
    expect(await notificationsOf(ledger, 'limit.reached')).toEqual([])
    const first = await ingest(env, ledger.name, single(eventItem(10)))
    expect(first.kind).toBe('done')
    const [reached, ...others] = await notificationsOf(ledger, 'limit.reached')
    expect(reached?.data).toMatchObject({
      entitlement_id: 'ent_1',
      feature_id: 'chat',
      level: 'customer',
      limit: 0.0001,
      used: 0.0001,
      unit: 'credits',
    })
    expect(others).toEqual([])
    // The reached limit refuses this event, so nothing is written.
    expect(await rowsWrittenBy(ledger, () => ingest(env, ledger.name, single(eventItem(1))))).toBe(0)
    expect(await notificationsOf(ledger, 'limit.reached')).toHaveLength(1)
  })
})

describe('holds', () => {
  it('that expire together are one notification of their wallet', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(START)
    const ledger = await freshLedger(CREDIT)
    const size = { kind: 'credits', credits: microCredits(10) } as const
    for (let i = 0; i < 3; i++) {
      await ask(ledger.stub, 'hold', {
        request: { op: 'open', feature_id: 'chat', lifetime_ms: HOUR, size },
      })
    }
    vi.setSystemTime(START + HOUR)
    await runAlarm(ledger)
    expect((await notificationsOf(ledger, 'hold.expired')).map(({ data }) => data)).toMatchObject([
      { holds: 3, released: 0.00003, hold_ids: [expect.any(String), expect.any(String), expect.any(String)] },
    ])
  })
})

describe('a customer', () => {
  it('that is suspended is notified once', async () => {
    const ledger = await freshLedger()
    const suspended = { ...ACCOUNT, status: 'SUSPENDED', revision: 2 } as const
    await setLedgerAccount(env, ledger.name, suspended)
    await setLedgerAccount(env, ledger.name, suspended)
    expect((await notificationsOf(ledger)).map(({ type }) => type)).toEqual(['customer.suspended'])
  })
})
