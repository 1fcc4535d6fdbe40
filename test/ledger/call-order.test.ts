import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { noteCall } from '../../src/ledger/client/client.ts'
import type { CallAnswer } from '../../src/ledger/model/messages/calls.ts'
import {
  balance,
  CREDITS,
  later,
  MINUTE_MS,
  open,
  opened,
  refusal,
  reserved,
  settle,
  use,
} from '../support/calls.ts'
import { freshLedger, journalEntries, rowsWrittenBy, type TestLedger } from '../support/ledgers.ts'

/** Tests requests about a provider call that arrive in an unexpected order, or at the same time as other requests. */

afterEach(() => {
  vi.useRealTimers()
})

describe('notes', () => {
  async function note(ledger: TestLedger, { hold }: CallAnswer, credits_micro: number, at_ms: number) {
    const event = { ...use(credits_micro), timestamp_ms: at_ms }
    const result = await noteCall(env, ledger.name, { hold, event, lifetime_ms: MINUTE_MS })
    expect(result.kind).toBe('done')
  }

  it.each([
    [
      'in order',
      [
        [5_000, 1],
        [30_000, 2],
        [60_000, 3],
      ],
      60_000,
    ],
    [
      'in reverse order',
      [
        [60_000, 3],
        [30_000, 2],
        [5_000, 1],
      ],
      60_000,
    ],
    [
      'in another order',
      [
        [5_000, 1],
        [60_000, 3],
        [30_000, 2],
      ],
      60_000,
    ],
    [
      'with equal times',
      [
        [5_000, 1],
        [60_000, 1],
        [30_000, 1],
      ],
      60_000,
    ],
    [
      'of which the newest one is smaller',
      [
        [60_000, 1],
        [5_000, 3],
        [30_000, 2],
      ],
      5_000,
    ],
  ] as const)('charge the newest estimate if they arrive %s', async (_, notes, expected) => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    const now_ms = Date.now()
    for (const [credits, ms] of notes) await note(ledger, call, credits, now_ms + ms)
    later(2 * MINUTE_MS)
    expect(await settle(ledger, call, null)).toMatchObject({ credits: expected })
  })

  it('extend the hold even if their estimate is older', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    const now_ms = Date.now()
    await note(ledger, call, 30_000, now_ms + 2)
    later(MINUTE_MS - 1_000)
    await note(ledger, call, 5_000, now_ms + 1)
    later(MINUTE_MS / 2)
    expect(await reserved(ledger)).toBe(100_000)
  })
})

describe('a settlement after the hold has expired and its note was charged', () => {
  /** Opens a call with a hold of 100,000 micro-credits, notes 30,000 of them, and lets the hold expire. */
  async function notedCall(ledger: TestLedger): Promise<CallAnswer> {
    const call = await opened(ledger, { user_id: 'u1' })
    const event = { ...use(30_000), warnings: ['estimated', 'running'] }
    await noteCall(env, ledger.name, { hold: call.hold, event, lifetime_ms: MINUTE_MS })
    later(2 * MINUTE_MS)
    expect(await reserved(ledger)).toBe(0)
    return call
  }

  it.each([
    ['of the reported use, also above the hold', 250_000, false, 250_000],
    ['of an estimate, at most the hold', 250_000, true, 100_000],
    ['of less than the note', 20_000, false, 30_000],
    ['of the same amount', 30_000, false, 30_000],
  ])('charges the rest %s, once', async (_, credits, capped, expected) => {
    const ledger = await freshLedger(CREDITS)
    const call = await notedCall(ledger)
    const first = await settle(ledger, call, use(credits), capped)
    expect(first).toMatchObject({ credits: expected, balance_after: CREDITS - expected })
    expect(await settle(ledger, call, use(credits), capped)).toEqual(first)
    expect(await settle(ledger, call, null)).toEqual(first)
    expect(await balance(ledger)).toBe(CREDITS - expected)
  })

  it('is an entry of its own, which names the event', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await notedCall(ledger)
    const { event_id } = await settle(ledger, call, use(90_000))
    const burns = (await journalEntries(ledger)).filter(({ type }) => type === 'BURN')
    expect(burns.map(({ amount }) => amount)).toEqual([-30_000, -60_000])
    expect(burns[1]).toMatchObject({
      description: `Rest of ${event_id}, which was charged by an estimate`,
      captured: { feature_id: 'chat', user_id: 'u1' },
    })
    expect(burns[1]?.event).toBeUndefined()
  })

  it('charges as much of the rest as the wallet can pay, and nothing if it is empty', async () => {
    const ledger = await freshLedger(100_000)
    const call = await notedCall(ledger)
    expect(await settle(ledger, call, use(250_000))).toMatchObject({ credits: 100_000, balance_after: 0 })
    expect(await settle(ledger, call, use(250_000))).toMatchObject({ credits: 100_000, balance_after: 0 })
  })

  it('does not charge a rest after a call that was settled before its hold expired', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    const first = await settle(ledger, call, use(40_000))
    later(2 * MINUTE_MS)
    expect(await settle(ledger, call, use(90_000))).toEqual(first)
    expect(await balance(ledger)).toBe(960_000)
  })
})

describe('a hold that replaces the hold of an earlier attempt', () => {
  const idempotency = { key: 'k1', fingerprint: 'f1' }

  it('takes over its credits and its key, also if other calls arrive at the same time', async () => {
    const ledger = await freshLedger(100_000)
    const { hold: replaces } = await opened(ledger, { idempotency })
    const others = () => [open(ledger), open(ledger, { idempotency }), open(ledger, { most: use(1) })]
    const [second, ...refused] = await Promise.all([
      ...[open(ledger, { replaces, idempotency })],
      ...others(),
      ...others(),
    ])
    expect(second?.kind).toBe('done')
    expect(refused.map(({ kind }) => kind)).toEqual(Array(6).fill('refused'))
    expect(await reserved(ledger)).toBe(100_000)
    if (second?.kind !== 'done') throw new Error('not opened')
    const { event_id } = await settle(ledger, second.answer, use(40_000))
    expect(await refusal(ledger, { idempotency })).toEqual({ code: 'already_processed', event_id })
    expect(await balance(ledger)).toBe(60_000)
  })

  it('is charged only once, even if the earlier hold is settled afterwards', async () => {
    const ledger = await freshLedger(CREDITS)
    const first = await opened(ledger, { idempotency })
    const second = await opened(ledger, { replaces: first.hold, idempotency })
    expect(await settle(ledger, first, null)).toMatchObject({ credits: 0 })
    expect(await reserved(ledger)).toBe(100_000)
    await settle(ledger, second, use(40_000))
    expect(await settle(ledger, first, null)).toMatchObject({ credits: 0 })
    expect([await balance(ledger), await reserved(ledger)]).toEqual([960_000, 0])
  })

  it('releases the earlier hold if the new one is refused, and its key is free', async () => {
    const ledger = await freshLedger(CREDITS)
    const { hold: replaces } = await opened(ledger, { idempotency })
    const most = use(2 * CREDITS)
    expect(await refusal(ledger, { replaces, idempotency, most })).toMatchObject({
      code: 'insufficient_credits',
    })
    expect(await reserved(ledger)).toBe(0)
    await opened(ledger, { idempotency })
  })

  it('costs no more rows than the first hold', async () => {
    const ledger = await freshLedger(CREDITS)
    const { hold: replaces } = await opened(ledger, { idempotency })
    expect(await rowsWrittenBy(ledger, () => opened(ledger, { replaces, idempotency }))).toBe(2)
  })
})
