import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { changeHold, ingest } from '../../src/ledger/client/client.ts'
import type { HoldRequest, HoldResult } from '../../src/ledger/model/messages/holds.ts'
import type { Idempotency, WalletItemRef } from '../../src/ledger/model/vocabulary.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { freshLedger, rowsWrittenBy, type TestLedger } from '../support/ledgers.ts'
import { CALLER, eventItem, single } from '../support/messages.ts'

/**
 * Checks how many rows the requests for holds write, because the rows determine the cost. docs/storage-schema.md has
 * the same numbers. A third row would raise the cost by half. If a test fails, find the new write before you raise the
 * number.
 */

const HOUR = 3_600_000

async function richLedger(): Promise<TestLedger> {
  const ledger = await freshLedger(1_000_000_000)
  await ingest(env, ledger.name, single(eventItem(1)))
  return ledger
}

async function send(
  ledger: TestLedger,
  request: HoldRequest,
  idempotency?: Idempotency,
): Promise<HoldResult> {
  const result = await changeHold(env, ledger.name, {
    caller: CALLER,
    request,
    ...(idempotency && { idempotency }),
  })
  expect(result.kind).toBe('done')
  return result
}

function opening(lifetime_ms = HOUR): HoldRequest {
  const size = { kind: 'credits', credits: microCredits(1000) } as const
  return { op: 'open', feature_id: 'chat', lifetime_ms, size }
}

async function opened(ledger: TestLedger, lifetime_ms = HOUR): Promise<WalletItemRef> {
  const result = await send(ledger, opening(lifetime_ms))
  if (result.kind === 'refused' || result.of !== 'hold') throw new Error('no hold')
  return result.answer.hold
}

function capturing(hold: WalletItemRef, final = false): HoldRequest {
  return { op: 'capture', hold, final, what: { kind: 'credits', credits: microCredits(10) } }
}

/** Returns the number of rows that a request writes. The wallet has another open hold, which expires earlier. */
async function rowsOf(request: (hold: WalletItemRef) => HoldRequest, key?: string): Promise<number> {
  const ledger = await richLedger()
  await opened(ledger, HOUR / 2)
  const hold = await opened(ledger)
  const idempotency = key === undefined ? undefined : { key, fingerprint: key }
  return rowsWrittenBy(ledger, () => send(ledger, request(hold), idempotency))
}

const table: readonly (readonly [string, (hold: WalletItemRef) => HoldRequest, number, number])[] = [
  // Each request writes two rows: the journal row, which also contains the idempotency key, and the row of the wallet.
  ['hold', () => opening(), 2, 2],
  ['capture', (hold) => capturing(hold), 2, 2],
  ['final capture', (hold) => capturing(hold, true), 2, 2],
  ['release', (hold) => ({ op: 'release', hold }), 2, 2],
  ['extend', (hold) => ({ op: 'extend', hold, lifetime_ms: HOUR }), 2, 2],
]

it.each(table)('%s', async (_, request, rows, with_key) => {
  expect([await rowsOf(request), await rowsOf(request, 'k')]).toEqual([rows, with_key])
})

it('the first hold of a wallet, and one that ends before all others, write the due index too', async () => {
  const ledger = await richLedger()
  const first = await rowsWrittenBy(ledger, () => send(ledger, opening()))
  const earlier = await rowsWrittenBy(ledger, () => send(ledger, opening(HOUR / 2)))
  const later = await rowsWrittenBy(ledger, () => send(ledger, opening(2 * HOUR)))
  expect([first, earlier, later]).toEqual([3, 3, 2])
})

it('holds that are opened and captured one after the other write the due index once, and not back', async () => {
  const ledger = await richLedger()
  await send(ledger, capturing(await opened(ledger), true))
  const rows = await rowsWrittenBy(ledger, async () => {
    for (let i = 0; i < 10; i++) await send(ledger, capturing(await opened(ledger), true))
  })
  expect(rows / 10).toBe(4)
})

it('an event that settles its hold: no more than an event', async () => {
  const ledger = await richLedger()
  const hold = await opened(ledger)
  const rows = await rowsWrittenBy(ledger, () =>
    ingest(env, ledger.name, single(eventItem(5, { hold, key: 'k' }))),
  )
  expect(rows).toBe(2)
})

it('a refused hold, a capture of one that has ended, and replays: none', async () => {
  const ledger = await richLedger()
  const hold = await opened(ledger)
  const request = (what: HoldRequest, idempotency?: Idempotency) => () =>
    changeHold(env, ledger.name, { caller: CALLER, request: what, ...(idempotency && { idempotency }) })
  const idempotency = { key: 'k', fingerprint: 'f' }
  await request(capturing(hold, true), idempotency)()
  expect(await rowsWrittenBy(ledger, request(capturing(hold, true), idempotency))).toBe(0)
  expect(await rowsWrittenBy(ledger, request(capturing(hold)))).toBe(0)
  const size = { kind: 'credits', credits: microCredits(8_000_000_000_000_000) } as const
  const dear: HoldRequest = { op: 'open', feature_id: 'chat', lifetime_ms: HOUR, size }
  expect(await rowsWrittenBy(ledger, request(dear))).toBe(0)
})
