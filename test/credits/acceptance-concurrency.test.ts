import { expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { GPT_4O, granted, type Json, listed, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

/**
 * Sends a thousand concurrent requests of every kind over HTTP to one wallet, whose credits pay for only some of them.
 * Reads the balance meanwhile. Amounts are micro-credits as BigInt, so that sums are compared exactly.
 */

const REQUESTS = 1000
const CREDITS = 3000
const CALLERS = 50

type Step = (key: string, holds: string[]) => Promise<Response>

const post = (key: string, path: string, body: unknown) => api(path, { key, body })

const open: Step = (key) => post(key, '/v1/holds', { feature_id: 'chat', user_id: 'u', credits: 12.5 })
const burn: Step = (key) => post(key, '/v1/events/ingest', { ...GPT_4O, user_id: 'u' })
const batch: Step = (key) =>
  post(key, '/v1/events/ingest', {
    events: [
      { ...GPT_4O, user_id: 'u' },
      { ...GPT_4O, user_id: 'u' },
    ],
  })
const capture: Step = (key, holds) =>
  post(key, `/v1/holds/${holds.at(-1)}/capture`, { credits: 4.000001, final: holds.length % 3 === 0 })
const above: Step = (key, holds) =>
  post(key, `/v1/holds/${holds.at(-1)}/capture`, { credits: 20, final: true })
const byEvent: Step = (key, holds) =>
  post(key, `/v1/holds/${holds.at(-1)}/capture`, { event: GPT_4O, final: true })
const settle: Step = (key, holds) =>
  post(key, '/v1/events/ingest', { ...GPT_4O, user_id: 'u', hold_id: holds.at(-1) })
const release: Step = (key, holds) => post(key, `/v1/holds/${holds.at(-1)}/release`, {})
const extend: Step = (key, holds) =>
  post(key, `/v1/holds/${holds.at(-1)}/extend`, { expires_in_seconds: 900 })
const balance: Step = (key) => api('/v1/credits/balance?user_id=u', { key })
const check: Step = (key) =>
  post(key, '/v1/entitlements/check', { feature_id: 'chat', user_id: 'u', action: { type: 'API_CALL' } })

/** The requests that each caller repeats in this order. Each caller starts at a different position in the list. */
const ROUND: readonly Step[] = [
  open,
  balance,
  capture,
  burn,
  open,
  extend,
  above,
  check,
  batch,
  open,
  balance,
  byEvent,
  open,
  capture,
  release,
  burn,
  open,
  settle,
  balance,
  open,
]

it('a thousand mixed requests on one wallet never overspend it, and the books balance', async () => {
  const { api_key: key } = await createCustomer()
  for (const amount of [500, 1000, 1500]) await granted(key, { user_id: 'u', amount })
  const statuses = new Map<number, number>()
  const samples: Json[] = []
  let running = CALLERS
  const call = async (caller: number) => {
    const holds: string[] = []
    for (let i = 0; i < REQUESTS / CALLERS; i++) {
      const step = ROUND[(caller + i) % ROUND.length] ?? open
      // Replaces a step that needs a hold with `open` if the caller has no hold.
      const ready = [open, burn, batch, balance, check].includes(step) || holds.length > 0
      const made = ready ? step : open
      const response = await made(key, holds)
      const answer = await jsonOf(response)
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
      if (made === open && response.status === 201) holds.push(textField(answer, 'hold_id'))
      if (made === balance) samples.push(answer)
    }
  }
  const sample = async () => {
    while (running > 0) {
      samples.push(await read(key, '/v1/credits/balance?user_id=u'))
      // Waits, because everything runs in one thread, and the timers of the group commit run only while the thread is
      // idle.
      await scheduler.wait(1)
    }
  }
  await Promise.all([
    sample(),
    ...Array.from({ length: CALLERS }, (_, caller) => call(caller).finally(() => running--)),
  ])

  // The wallet refuses requests without enough credits with 402, and requests for an ended hold with 409. No request
  // fails with another status.
  expect([...statuses.keys()].sort()).toEqual([200, 201, 402, 409])
  expect(samples.length).toBeGreaterThan(100)
  for (const sample of samples) {
    const [left, held, free] = [sample.balance, sample.reserved_balance, sample.available_balance].map(micro)
    expect(left).toBeGreaterThanOrEqual(0n)
    expect(free).toBeGreaterThanOrEqual(0n)
    expect(left).toBe((held ?? 0n) + (free ?? 0n))
  }

  const rows = await listed(key, '/v1/credits/transactions', '?user_id=u&limit=100')
  const sum = rows.reduce((total, row) => total + micro(row.amount), 0n)
  const spent = rows.reduce((total, row) => total - (row.type === 'BURN' ? micro(row.amount) : 0n), 0n)
  for (const [index, row] of rows.entries()) {
    expect(micro(row.balance_before) + micro(row.amount)).toBe(micro(row.balance_after))
    const before = rows[index + 1]
    if (before) expect(micro(row.balance_before)).toBe(micro(before.balance_after))
  }
  const end = await read(key, '/v1/credits/balance?user_id=u')
  const lots = await listed(key, '/v1/credits/lots', '?user_id=u&limit=100')
  const holds = await listed(key, '/v1/holds', '?user_id=u&limit=100')
  expect(sum).toBe(micro(end.balance))
  expect(lots.reduce((total, lot) => total + micro(lot.remaining), 0n)).toBe(micro(end.balance))
  expect(lots.reduce((total, lot) => total + micro(lot.reserved), 0n)).toBe(micro(end.reserved_balance))
  expect(holds.reduce((total, hold) => total + micro(hold.remaining), 0n)).toBe(micro(end.reserved_balance))
  expect(spent + micro(end.balance)).toBe(BigInt(CREDITS) * 1_000_000n)
}, 120_000)

function micro(credits: unknown): bigint {
  const [, sign = '', whole = '0', decimals = ''] =
    /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(Number(credits).toFixed(6)) ?? []
  return BigInt(`${sign}${whole}${decimals.padEnd(6, '0')}`)
}
