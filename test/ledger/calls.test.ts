import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { changeHold, eraseSubject, noteCall, settleCall } from '../../src/ledger/client/client.ts'
import type { CallAnswer } from '../../src/ledger/model/messages/calls.ts'
import type { Idempotency, PricedEvent } from '../../src/ledger/model/vocabulary.ts'
import { microCredits } from '../../src/pricing/money.ts'
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
import { freshLedger, journalEntries, rowsWrittenBy, runAlarm } from '../support/ledgers.ts'
import { CALLER, costOf, metadataOf } from '../support/messages.ts'

/**
 * Tests the ledger operations of a provider call: the hold before the call, the notes while the call runs, and the
 * charge at its end.
 */

afterEach(() => {
  vi.useRealTimers()
})

describe('the hold of a call', () => {
  it('is its largest use, and is freed when the call is released', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    expect(call).toMatchObject({ credits: 100_000, output_tokens: 100 })
    expect(await reserved(ledger)).toBe(100_000)
    expect(await settle(ledger, call, null)).toEqual({ event_id: null, credits: 0, balance_after: CREDITS })
    expect(await reserved(ledger)).toBe(0)
  })

  it('is refused when the wallet cannot pay its largest use, unless it may be smaller', async () => {
    const ledger = await freshLedger(50_500)
    expect(await refusal(ledger)).toMatchObject({ code: 'insufficient_credits', required: '0.1' })
    // The wallet has 50,500 micro-credits. The input and the first output token cost 1,000 together, and 49 more output
    // tokens cost 1,000 each.
    expect(await opened(ledger, { least: use(1_000, 1) })).toMatchObject({
      credits: 50_000,
      output_tokens: 50,
    })
  })

  it('of a use without a price is empty, but needs a wallet that can spend something', async () => {
    const charge = { kind: 'unpriced', price_version: 'test', ceiling_cost: null } as const
    const most = { ...use(0), charge }
    const least = { ...use(0, 1), charge }
    const ledger = await freshLedger(1)
    expect(await opened(ledger, { most })).toMatchObject({ credits: 0, output_tokens: 100 })
    const paid = await opened(ledger, { most: use(1) })
    for (const opening of [{ most }, { most, least }]) {
      expect(await refusal(ledger, opening)).toMatchObject({
        code: 'insufficient_credits',
        required: '0.000001',
        available_balance: '0',
      })
    }
    await settle(ledger, paid, null)
    expect(await opened(ledger, { most, least })).toMatchObject({ credits: 0, output_tokens: 100 })
  })

  it('is refused when the wallet cannot pay the smallest use', async () => {
    const ledger = await freshLedger(999)
    expect(await refusal(ledger, { least: use(1_000, 1) })).toMatchObject({
      code: 'insufficient_credits',
      required: '0.001',
    })
  })

  it('is opened once for a message that is repeated, even if the wallet could not pay twice', async () => {
    const ledger = await freshLedger(120_000)
    const idempotency: Idempotency = { key: 'k1', fingerprint: 'f1' }
    const opening = { id: crypto.randomUUID(), idempotency }
    const call = await opened(ledger, opening)
    await noteCall(env, ledger.name, { hold: call.hold, event: use(10_000), lifetime_ms: MINUTE_MS })
    expect(await opened(ledger, opening)).toEqual(call)
    expect(await reserved(ledger)).toBe(100_000)
    expect(await refusal(ledger, { ...opening, id: crypto.randomUUID() })).toMatchObject({
      code: 'already_processed',
    })
  })

  it('may be zero, for a call without a price', async () => {
    const ledger = await freshLedger(1)
    const unpriced: PricedEvent = { ...use(0), charge: { kind: 'unpriced', price_version: 'test' } }
    const call = await opened(ledger, { most: unpriced })
    expect(call.credits).toBe(0)
    await settle(ledger, call, unpriced)
    expect((await journalEntries(ledger)).at(-1)?.event).toMatchObject({ unrated: true })
  })

  it('lets exactly as many calls run at once as the wallet can pay for', async () => {
    const ledger = await freshLedger(750_000)
    const results = await Promise.all(Array.from({ length: 50 }, () => open(ledger)))
    expect(results.filter(({ kind }) => kind === 'done')).toHaveLength(7)
  })
})

describe('the charge of a call', () => {
  it('is its usage, below and above its hold', async () => {
    const ledger = await freshLedger(CREDITS)
    const small = await settle(ledger, await opened(ledger), use(40_000))
    expect(small).toMatchObject({ credits: 40_000, balance_after: 960_000 })
    const large = await settle(ledger, await opened(ledger), use(250_000))
    expect(large).toMatchObject({ credits: 250_000, balance_after: 710_000 })
    expect(await reserved(ledger)).toBe(0)
  })

  it('ends at the hold if it is an estimate', async () => {
    const ledger = await freshLedger(CREDITS)
    expect(await settle(ledger, await opened(ledger), use(250_000), true)).toMatchObject({ credits: 100_000 })
  })

  it('takes the whole balance if it is lower, and returns the missing amount', async () => {
    const ledger = await freshLedger(150_000)
    expect(await settle(ledger, await opened(ledger), use(250_000))).toMatchObject({
      credits: 150_000,
      balance_after: 0,
    })
    const [entry] = (await journalEntries(ledger)).slice(-1)
    expect(entry?.event?.warnings).toEqual(['shortfall of 0.1 credits'])
  })

  it('is made once, even if it is sent several times', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    const first = await settle(ledger, call, use(40_000))
    expect(await settle(ledger, call, use(40_000))).toEqual(first)
    expect(await settle(ledger, call, null)).toEqual(first)
    expect(await balance(ledger)).toBe(960_000)
  })

  it('is the noted estimate, marked as an estimate, once the hold has expired; a later release changes nothing', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger, { user_id: 'u1' })
    for (const credits of [5_000, 30_000]) {
      const event = { ...use(credits), warnings: ['estimated', 'running'] }
      const noted = await noteCall(env, ledger.name, { hold: call.hold, event, lifetime_ms: MINUTE_MS })
      expect(noted.kind).toBe('done')
    }
    later(2 * MINUTE_MS)
    expect(await settle(ledger, call, null)).toMatchObject({ credits: 30_000, balance_after: 970_000 })
    const entries = await journalEntries(ledger)
    expect(entries.filter(({ type }) => type === 'BURN')).toHaveLength(1)
    expect(entries.at(-1)?.event).toMatchObject({
      feature_id: 'chat',
      user_id: 'u1',
      warnings: ['estimated', 'running'],
    })
    expect(await reserved(ledger)).toBe(0)
  })

  it('is at most the hold if it is an estimate and the hold has expired', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    later(2 * MINUTE_MS)
    expect(await settle(ledger, call, use(500_000), true)).toMatchObject({ credits: 100_000 })
  })

  it('waits for a call whose hold is extended without a note', async () => {
    const ledger = await freshLedger(CREDITS)
    const { hold } = await opened(ledger)
    later(MINUTE_MS / 2)
    const extended = await noteCall(env, ledger.name, { hold, event: null, lifetime_ms: 3 * MINUTE_MS })
    expect(extended.kind).toBe('done')
    later(2 * MINUTE_MS)
    expect(await reserved(ledger)).toBe(100_000)
    later(2 * MINUTE_MS)
    expect(await reserved(ledger)).toBe(0)
    expect(await balance(ledger)).toBe(CREDITS)
  })

  it('is zero once the hold has expired without a note, and the full cost if its settlement still arrives', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    later(2 * MINUTE_MS)
    expect(await reserved(ledger)).toBe(0)
    expect(await balance(ledger)).toBe(CREDITS)
    expect(await settle(ledger, call, use(90_000))).toMatchObject({ credits: 90_000 })
    expect((await journalEntries(ledger)).at(-1)?.event?.warnings).toEqual(['hold_not_open'])
  })

  it('is never more than the hold when it is a note', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger)
    await noteCall(env, ledger.name, { hold: call.hold, event: use(400_000), lifetime_ms: MINUTE_MS })
    later(2 * MINUTE_MS)
    expect(await reserved(ledger)).toBe(0)
    expect(await settle(ledger, call, null)).toMatchObject({ credits: 100_000 })
  })

  it('is the whole note if nothing was held, as far as the wallet can pay it', async () => {
    const unpriced: PricedEvent = { ...use(0), charge: { kind: 'unpriced', price_version: 'test' } }
    for (const [available, charged] of [
      [CREDITS, 30_000],
      [20_000, 20_000],
    ] as const) {
      const ledger = await freshLedger(available)
      const call = await opened(ledger, { most: unpriced })
      await noteCall(env, ledger.name, { hold: call.hold, event: use(30_000), lifetime_ms: MINUTE_MS })
      later(2 * MINUTE_MS)
      expect(await settle(ledger, call, null)).toMatchObject({ credits: charged })
      const { event } = (await journalEntries(ledger)).at(-1) ?? {}
      expect(event?.warnings).toEqual(charged < 30_000 ? ['shortfall of 0.01 credits'] : undefined)
      // The price of a credit is 0.001 USD.
      expect(event?.price).toEqual({ micro: charged / 1_000, pico: 0 })
      vi.useRealTimers()
    }
  })
})

it('a call of a user who is erased while it runs is charged to the alias, without metadata', async () => {
  const ledger = await freshLedger(CREDITS)
  const of_ada = { ...use(40_000), user_id: 'ada', team_id: 'crew', metadata: metadataOf({ name: 'Ada' }) }
  const call = await opened(ledger, { user_id: 'ada', team_id: 'crew' })
  await settle(ledger, await opened(ledger, { user_id: 'ada', team_id: 'crew' }), of_ada)
  const [before] = (await journalEntries(ledger)).slice(-1)
  expect(before).toMatchObject({ event: { user_id: 'ada', team_id: 'crew' }, metadata: '{"name":"Ada"}' })
  await runAlarm(ledger)
  const erased = await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ada' })
  if (erased.kind !== 'erased') throw new Error(JSON.stringify(erased))

  expect(await settle(ledger, call, of_ada)).toMatchObject({ credits: 40_000, balance_after: 920_000 })
  const [entry] = (await journalEntries(ledger)).slice(-1)
  expect(entry).toMatchObject({ event: { user_id: erased.alias, team_id: 'crew' } })
  expect(entry?.metadata).toBeUndefined()
})

describe('the key of a call', () => {
  const idempotency: Idempotency = { key: 'k1', fingerprint: 'f1' }

  it('is refused while the call runs, and afterwards with its event', async () => {
    const ledger = await freshLedger(CREDITS)
    const call = await opened(ledger, { idempotency })
    expect(await refusal(ledger, { idempotency })).toEqual({ code: 'already_processed', event_id: null })
    const { event_id } = await settle(ledger, call, use(40_000))
    expect(await refusal(ledger, { idempotency })).toEqual({ code: 'already_processed', event_id })
    expect(await balance(ledger)).toBe(960_000)
  })

  it('is free again after a call that cost nothing, as often as needed', async () => {
    const ledger = await freshLedger(CREDITS)
    for (let i = 0; i < 3; i++) await settle(ledger, await opened(ledger, { idempotency }), null)
    const call = await opened(ledger, { idempotency })
    expect(await refusal(ledger, { idempotency })).toEqual({ code: 'already_processed', event_id: null })
    const { event_id } = await settle(ledger, call, use(1))
    expect(await refusal(ledger, { idempotency })).toEqual({ code: 'already_processed', event_id })
  })

  it('is free for a call with another body after a call that cost nothing, and only then', async () => {
    const ledger = await freshLedger(CREDITS)
    const other = { ...idempotency, fingerprint: 'f2' }
    const mismatch = { code: 'idempotency_mismatch' }
    const released = await opened(ledger, { idempotency })
    expect(await refusal(ledger, { idempotency: other })).toEqual(mismatch)
    await settle(ledger, released, null)
    expect(await refusal(ledger, { idempotency: other, most: use(CREDITS + 1) })).toMatchObject({
      code: 'insufficient_credits',
    })
    const corrected = await opened(ledger, { idempotency: other })
    expect(await refusal(ledger, { idempotency: other })).toEqual({
      code: 'already_processed',
      event_id: null,
    })
    expect(await refusal(ledger, { idempotency })).toEqual(mismatch)
    const { event_id } = await settle(ledger, corrected, use(1))
    expect(await refusal(ledger, { idempotency: other })).toEqual({ code: 'already_processed', event_id })
    expect(await refusal(ledger, { idempotency })).toEqual(mismatch)
  })

  it('is refused for a call if it was used for a hold of a client, even after the hold was released', async () => {
    const ledger = await freshLedger(CREDITS)
    const size = { kind: 'credits', credits: microCredits(1) } as const
    const open = { op: 'open', feature_id: 'chat', size, lifetime_ms: MINUTE_MS } as const
    const result = await changeHold(env, ledger.name, { caller: CALLER, request: open, idempotency })
    if (result.kind === 'refused' || result.of !== 'hold') throw new Error('not opened')
    const { hold } = result.answer
    await changeHold(env, ledger.name, { caller: CALLER, request: { op: 'release', hold } })
    expect(await refusal(ledger, { idempotency: { ...idempotency, fingerprint: 'f2' } })).toEqual({
      code: 'idempotency_mismatch',
    })
  })

  it('is unused after a refusal, and refused for another call', async () => {
    const ledger = await freshLedger(CREDITS)
    expect(await refusal(ledger, { idempotency, most: use(CREDITS + 1) })).toMatchObject({
      code: 'insufficient_credits',
    })
    await opened(ledger, { idempotency })
    const other = { key: 'k1', fingerprint: 'f2' }
    expect(await refusal(ledger, { idempotency: other })).toEqual({ code: 'idempotency_mismatch' })
  })
})

it('a call writes as many rows as a hold and its capture, and a note as many as an extension', async () => {
  const ledger = await freshLedger(CREDITS)
  await opened(ledger)
  let call: CallAnswer | undefined
  const idempotency: Idempotency = { key: 'k1', fingerprint: 'f1' }
  const opening = await rowsWrittenBy(ledger, async () => {
    call = await opened(ledger, { idempotency, lifetime_ms: 2 * MINUTE_MS })
  })
  if (!call) throw new Error('not opened')
  const { hold, credits } = call
  const note = {
    hold,
    event: { ...use(1), charge: { kind: 'priced', cost: costOf(1), price_version: 't' } } as const,
  }
  const noting = await rowsWrittenBy(ledger, () =>
    noteCall(env, ledger.name, { ...note, lifetime_ms: 2 * MINUTE_MS }),
  )
  const settling = await rowsWrittenBy(ledger, () =>
    settleCall(env, ledger.name, {
      hold,
      key_id: CALLER.key_id,
      event: use(1),
      capped: false,
      held: credits,
    }),
  )
  expect([opening, noting, settling]).toEqual([2, 2, 2])
})
