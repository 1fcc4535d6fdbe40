import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { unpackRow } from '../../src/ledger/journal/packing.ts'
import { LedgerIds, tagOf } from '../../src/ledger/model/ledger-ids.ts'
import type { CreditResult } from '../../src/ledger/model/messages/credits.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import type { WalletOwner } from '../../src/ledger/model/vocabulary.ts'
import type { Wallet } from '../../src/ledger/model/wallet.ts'
import type { CustomerLedger } from '../../src/ledger/object.ts'
import { microCredits } from '../../src/pricing/money.ts'
import {
  ask,
  freshLedger,
  inStore,
  runAlarm,
  storedPages,
  type TestLedger,
  watermark,
} from '../support/ledgers.ts'
import { type Command, commands, type RequestSpec } from './commands.ts'
import { Judge, type Request, type Snapshot } from './judge.ts'
import { balanceOf } from './reference-ledger.ts'

/**
 * Rules 1, 2, 4 and 6 on the real object, its SQLite and D1: requests alone and together, the clock forwards and
 * backwards, alarms, and the object losing its memory between any two of them. After each step what the object holds
 * is compared with the reference, and after each alarm what D1 holds.
 */

const WINDOW_MS = readConfig(env).idempotency_window_ms

// Far enough ahead that alarms, which the platform sets by the real clock, only ring when a test rings them.
const START_MS = Date.now() + 365 * 86_400_000

/** What the ledger had seen expire was shown again by reads, which went by the machine's clock. */
const READ_AFTER_THE_CLOCK_WENT_BACK: readonly Command[] = [
  {
    op: 'requests',
    requests: [
      {
        op: 'credit',
        type: 'GRANT',
        owner: 'user:bob',
        amount: 1,
        paid: false,
        priority: 0,
        expires_in_ms: 1,
        key: null,
      },
    ],
  },
  { op: 'clock', by_ms: 1 },
  {
    op: 'requests',
    requests: [{ op: 'event', amount: 0, user: null, team: null, stale: false, key: null }],
  },
  { op: 'clock', by_ms: -60_000 },
  { op: 'read', owner: 'user:bob' },
]

/** The alarm settled ann's wallet first, by the time of a lot that had been used up. */
const DUE_AT_ONCE_IN_TWO_WALLETS: readonly Command[] = [
  {
    op: 'requests',
    requests: [lot('user:ann', 60_000), lot('customer', 3_600_000), lot('user:ann', 3_600_000)],
  },
  {
    op: 'requests',
    requests: [{ op: 'event', amount: 1, user: 'ann', team: null, stale: false, key: null }],
  },
  { op: 'clock', by_ms: 86_400_000 },
  { op: 'alarm' },
]

function lot(owner: string, expires_in_ms: number): RequestSpec {
  return { op: 'credit', type: 'GRANT', owner, amount: 1, paid: false, priority: 0, expires_in_ms, key: null }
}

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterAll(() => {
  vi.useRealTimers()
})

it('the object, its tables and D1 agree with the reference through every life of a ledger', async () => {
  const { seed, runs } = inject('fuzz')
  await fc.assert(fc.asyncProperty<[readonly Command[]]>(commands, live), {
    numRuns: runs ?? 200,
    examples: [[READ_AFTER_THE_CLOCK_WENT_BACK], [DUE_AT_ONCE_IN_TWO_WALLETS]],
    ...(seed !== undefined && { seed }),
  })
  expect.hasAssertions()
}, 600_000)

async function live(life: readonly Command[]): Promise<void> {
  vi.setSystemTime(START_MS)
  const ledger = await freshLedger()
  const judge = new Judge(new LedgerIds(tagOf(ledger.name), START_MS), START_MS)
  let row = 0
  for (const command of [...life, { op: 'alarm' } as const]) {
    await step(ledger, judge, command)
    const { last_row, ...snapshot } = await look(ledger.stub, row)
    row = last_row
    judge.looked(snapshot)
    if (command.op === 'alarm') await projected(ledger, judge)
  }
}

async function step(ledger: TestLedger, judge: Judge, command: Command): Promise<void> {
  const { reference } = judge
  // Through one stub, so that what is sent first arrives first.
  const { stub } = ledger
  switch (command.op) {
    case 'requests': {
      const requests = command.requests.map((spec) => judge.requestOf(spec))
      const results = await Promise.all(requests.map((request) => send(stub, request)))
      command.requests.forEach((spec, index) => {
        const result = results[index]
        if (result) judge.answered(spec, result)
      })
      return
    }
    case 'read': {
      const result = await ask(stub, 'balance', { owner: ownerOf(command.owner) })
      const wallet = reference.read(command.owner)
      const balance = result.kind === 'done' ? result.answer.balance : result.refusal.code
      expect(balance).toBe(wallet ? Number(balanceOf(wallet)) : 'not_found')
      return
    }
    case 'clock':
      reference.clock_ms += command.by_ms
      vi.setSystemTime(reference.clock_ms)
      return
    case 'alarm':
      await runAlarm(ledger)
      reference.settle()
      await forgotten(ledger, judge)
      return
    case 'evict':
      await evictDurableObject(stub)
  }
}

function send(stub: TestLedger['stub'], request: Request): Promise<IngestResult | CreditResult> {
  return request.rpc === 'ingest'
    ? ask(stub, 'ingest', request.message)
    : ask(stub, 'credit', request.message)
}

/** The object may forget a key, but not before the key has lived its time. */
async function forgotten(ledger: TestLedger, judge: Judge): Promise<void> {
  const { keys, clock_ms } = judge.reference
  const asked = [...keys.values()].map(({ key, payload }) => ({ key: key ?? '', fingerprint: payload }))
  const known = await inStore(ledger, (store) => [...store.usedKeys(asked).keys()])
  for (const [key, { at_ms }] of keys) {
    if (known.includes(key)) continue
    expect(clock_ms - at_ms).toBeGreaterThan(WINDOW_MS)
    judge.forgot(key)
  }
}

/** After an alarm D1 has every entry, in pages that chain. */
async function projected(ledger: TestLedger, judge: Judge): Promise<void> {
  const pages = await storedPages(ledger)
  const entries = pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
  expect(entries).toEqual(judge.entries.map(({ owner: _, idempotency: __, ...entry }) => entry))
  expect((await watermark(ledger))?.flushed_entry).toBe(judge.entries.length)
  const balances = new Map<number, number>()
  for (const page of pages) {
    expect(page.balance_before_micro).toBe(balances.get(page.wallet_number) ?? 0)
    balances.set(page.wallet_number, page.balance_after_micro)
  }
}

function ownerOf(text: string): WalletOwner {
  const [kind, id = ''] = text.split(':')
  return kind === 'user' || kind === 'team' ? { kind, id } : { kind: 'customer' }
}

/** What the object's tables hold: all wallets, and the entries of the journal rows after `after_row`. */
function look(
  stub: DurableObjectStub<CustomerLedger>,
  after_row: number,
): Promise<Snapshot & { readonly last_row: number }> {
  return runInDurableObject(stub, (_, { storage: { sql } }) => {
    const rows = sql
      .exec<{ row_id: number; format: number; body: string }>(
        'SELECT row_id, format, body FROM journal WHERE row_id > ? ORDER BY row_id',
        after_row,
      )
      .toArray()
    const wallets = sql
      .exec<{ balance_micro: number; state: string }>('SELECT balance_micro, state FROM wallets')
      .toArray()
      .map(
        ({ balance_micro, state }): Wallet => ({
          ...JSON.parse(state),
          balance: microCredits(balance_micro),
        }),
      )
      .sort((a, b) => a.number - b.number)
    const entries = rows
      .flatMap(({ format, body }) => unpackRow(format, body))
      .filter((record) => record.kind === 'entry')
    return { wallets, entries, last_row: rows.at(-1)?.row_id ?? after_row }
  })
}
