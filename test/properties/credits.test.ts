import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { unpackRow } from '../../src/ledger/journal/packing.ts'
import { LedgerIds, tagOf } from '../../src/ledger/model/ledger-ids.ts'
import type { Wallet } from '../../src/ledger/model/wallet.ts'
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
import { type Act, type Command, type CreditAct, type Kind, LIVES } from './commands.ts'
import { Judge, ownerOf, type Request, type Result, type Snapshot } from './judge.ts'

/**
 * Runs random histories like `credits.node.test.ts`, but in a real object, with concurrent requests, SQLite, alarms,
 * and restarts at any time. After each alarm, D1 must have every entry.
 */

const WINDOW_MS = readConfig(env).idempotency_window_ms

// The start time is a year ahead, so that the platform, which uses the real clock, does not run alarms before the test
// does.
const START_MS = Date.now() + 365 * 86_400_000

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterAll(() => {
  vi.useRealTimers()
})

/**
 * A regression test for reads that used the clock of the machine, and therefore returned lots that had already expired
 * in the ledger.
 */
const READ_AFTER_THE_CLOCK_WENT_BACK: Command[] = [
  { op: 'acts', acts: [lot('user:bob', 1)] },
  { op: 'clock', by_ms: 1 },
  { op: 'acts', acts: [event(0, null)] },
  { op: 'clock', by_ms: -60_000 },
  { op: 'read', owner: 'user:bob' },
]

/**
 * A regression test for an alarm that settled ann's wallet first, because it used the expiry of a lot without credits.
 */
const DUE_AT_ONCE_IN_TWO_WALLETS: Command[] = [
  { op: 'acts', acts: [lot('user:ann', 60_000), lot('customer', 3_600_000), lot('user:ann', 3_600_000)] },
  { op: 'acts', acts: [event(1, 'ann')] },
  { op: 'clock', by_ms: 86_400_000 },
  { op: 'alarm' },
]

function lot(owner: string, expires_in_ms: number): CreditAct {
  const fields = { amount: 1, paid: false, priority: 0, starts_in_ms: null, recurring: null, key: null }
  return { op: 'credit', type: 'GRANT', owner, expires_in_ms, ...fields }
}

function event(amount: number, user: string | null): Act {
  return { op: 'event', amount, user, team: null, hold: null, stale: false, key: null }
}

it.each<[Kind, number, [Command[]][]]>([
  ['usage', 200, [[READ_AFTER_THE_CLOCK_WENT_BACK], [DUE_AT_ONCE_IN_TWO_WALLETS]]],
  ['everything', 50, []],
])(
  'every movement of credits agrees with the reference, in every life of a ledger object: %s',
  async (kind, lives, examples) => {
    const { seed, runs } = inject('fuzz')
    await fc.assert(
      fc.asyncProperty(LIVES[kind], (commands) => live(kind, commands)),
      { numRuns: runs ?? lives, examples, ...(seed !== undefined && { seed }) },
    )
    expect.hasAssertions()
  },
  3_600_000,
)

async function live(kind: Kind, commands: readonly Command[]): Promise<void> {
  vi.setSystemTime(START_MS)
  const life = new ObjectLife(await freshLedger(), kind)
  const all = [{ op: 'read', owner: 'customer' } as const, ...commands, { op: 'alarm' } as const]
  for (const command of all) await life.step(command)
}

class ObjectLife {
  readonly judge: Judge
  private wallets: Snapshot['wallets'] = []
  private row = 0
  private readonly ledger: TestLedger
  /** Whether the history has only usage. In such a history, an alarm only expires lots, in the order of their times. */
  private readonly isExact: boolean

  constructor(ledger: TestLedger, kind: Kind) {
    this.ledger = ledger
    this.isExact = kind === 'usage'
    this.judge = new Judge(new LedgerIds(tagOf(ledger.name), START_MS), START_MS, START_MS)
  }

  async step(command: Command): Promise<void> {
    const { judge, ledger } = this
    const { reference } = judge
    switch (command.op) {
      case 'acts':
        return this.acts(command.acts.flatMap((act) => judge.resolve(act) ?? []))
      case 'read': {
        const result = await ask(ledger.stub, 'balance', { owner: ownerOf(command.owner) })
        const wallet = reference.read(command.owner)
        const balance = result.kind === 'done' ? result.answer.balance : result.refusal.code
        expect(balance).toBe(wallet ? Number(reference.balance(wallet)) : 'not_found')
        break
      }
      case 'clock':
        // Never sets the clock back in a history with holds, because an alarm then writes the current time even if
        // nothing is due, and the reference does not model this.
        reference.clock_ms += this.isExact ? command.by_ms : Math.max(0, command.by_ms)
        vi.setSystemTime(reference.clock_ms)
        break
      case 'alarm': {
        await runAlarm(ledger)
        const seen = await this.look()
        if (this.isExact) reference.settleAll()
        // The ledger can settle wallets in any order, so the reference settles them in the order that the ledger has
        // used.
        const order = new Set(
          [...seen.entries, ...seen.closed_holds.map(({ hold }) => hold)].map((of) => of.wallet),
        )
        for (const number of [...order, ...reference.wallets.map((wallet) => wallet.number)]) {
          const wallet = reference.wallets[number - 1]
          if (wallet) reference.settle(wallet)
        }
        judge.looked(seen)
        await this.projected()
        return this.forgotten()
      }
      case 'restart':
        await evictDurableObject(ledger.stub)
        break
    }
    judge.looked(await this.look())
  }

  private async acts(acts: readonly Act[]): Promise<void> {
    const { judge } = this
    const before = this.wallets
    // Sends all requests through one stub, so that they arrive in the order in which they are sent.
    const { stub } = this.ledger
    const requests = acts.map((act) => judge.requestOf(act))
    const results = await Promise.all(requests.map((request) => send(stub, request)))
    for (const [index, act] of acts.entries()) {
      const result = results[index]
      if (result) judge.answered(act, result)
    }
    const after = await this.look()
    judge.looked(after)
    if (results.every(({ kind }) => kind === 'refused')) judge.unchanged(before, after)
  }

  /**
   * Checks that the object has deleted idempotency keys only after their retention time, and deletes these keys from
   * the reference too.
   */
  private async forgotten(): Promise<void> {
    const { keys, clock_ms } = this.judge.reference
    const asked = [...keys].map(([key, { payload }]) => ({ key, fingerprint: payload }))
    const found = await inStore(this.ledger, (store) => [...store.usedKeys(asked).keys()])
    for (const [key, { at_ms }] of keys) {
      if (found.includes(key)) continue
      expect(clock_ms - at_ms).toBeGreaterThan(WINDOW_MS)
      this.judge.forgot(key)
    }
  }

  /** Checks that D1 has every entry after an alarm, and that the balances of each wallet's pages have no gap. */
  private async projected(): Promise<void> {
    const pages = await storedPages(this.ledger)
    const entries = pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
    const shown = this.judge.entries
    expect(entries).toEqual(shown.map(({ owner: _, idempotency: __, salt: ___, ...entry }) => entry))
    expect((await watermark(this.ledger))?.flushed_entry).toBe(shown.length)
    const balances = new Map<number, number>()
    for (const page of pages) {
      expect(page.balance_before_micro).toBe(balances.get(page.wallet_number) ?? 0)
      balances.set(page.wallet_number, page.balance_after_micro)
    }
  }

  /** Reads all wallets from the object's tables, and the journal rows that were added since the last read. */
  private async look(): Promise<Snapshot> {
    const snapshot = await runInDurableObject(this.ledger.stub, (_, { storage: { sql } }) => {
      const rows = sql
        .exec<{ row_id: number; format: number; body: string }>(
          'SELECT row_id, format, body FROM journal WHERE row_id > ? ORDER BY row_id',
          this.row,
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
      const records = rows.flatMap(({ format, body }) => unpackRow(format, body))
      return {
        wallets,
        entries: records.filter((record) => record.kind === 'entry'),
        closed_holds: records.filter((record) => record.kind === 'hold'),
        last_row: rows.at(-1)?.row_id ?? this.row,
      }
    })
    this.row = snapshot.last_row
    this.wallets = snapshot.wallets
    return snapshot
  }
}

function send(stub: TestLedger['stub'], request: Request): Promise<Result> {
  switch (request.rpc) {
    case 'ingest':
      return ask(stub, 'ingest', request.message)
    case 'credit':
      return ask(stub, 'credit', request.message)
    case 'hold':
      return ask(stub, 'hold', request.message)
    case 'move':
      return ask(stub, 'move', request.message)
  }
}
