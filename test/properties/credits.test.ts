import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { unpackRow } from '../../src/ledger/journal/packing.ts'
import { LedgerIds, tagOf } from '../../src/ledger/model/ledger-ids.ts'
import type { Wallet } from '../../src/ledger/model/wallet.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { ask, freshLedger, inStore, runAlarm, storedPages, type TestLedger } from '../support/ledgers.ts'
import { type Act, type Command, commands } from './credits-commands.ts'
import { CreditsJudge, ownerOf, type Request, type Result, type Snapshot } from './credits-judge.ts'

/**
 * The same lives as in `credits.node.test.ts`, in the real object: requests that arrive together, its SQLite, its
 * alarm, and its memory lost between any two of them. At the end of a life D1 has every entry.
 */

const WINDOW_MS = readConfig(env).idempotency_window_ms

// Far enough ahead that alarms, which the platform sets by the real clock, only ring when the test rings them.
const START_MS = Date.now() + 365 * 86_400_000

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterAll(() => {
  vi.useRealTimers()
})

it('every movement of credits agrees with the reference, in every life of a ledger object', async () => {
  const { seed, runs } = inject('fuzz')
  await fc.assert(fc.asyncProperty(commands, live), {
    numRuns: runs ?? 50,
    ...(seed !== undefined && { seed }),
  })
  expect.hasAssertions()
}, 3_600_000)

async function live(commands: readonly Command[]): Promise<void> {
  vi.setSystemTime(START_MS)
  const ledger = await freshLedger()
  const life = new ObjectLife(ledger)
  for (const command of [{ op: 'read', owner: 'customer' } as const, ...commands]) await life.step(command)
  await runAlarm(ledger)
  const pages = await storedPages(ledger)
  const entries = pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
  await life.step({ op: 'alarm' })
  expect(entries).toEqual(life.judge.entries.map(({ owner: _, idempotency: __, ...entry }) => entry))
}

class ObjectLife {
  readonly judge: CreditsJudge
  private wallets: Snapshot['wallets'] = []
  private row = 0
  private readonly ledger: TestLedger

  constructor(ledger: TestLedger) {
    this.ledger = ledger
    this.judge = new CreditsJudge(new LedgerIds(tagOf(ledger.name), START_MS), START_MS)
  }

  async step(command: Command): Promise<void> {
    const { judge, ledger } = this
    const { reference } = judge
    switch (command.op) {
      case 'acts':
        return this.acts(command.acts.flatMap((act) => judge.resolve(act) ?? []))
      case 'read':
        await ask(ledger.stub, 'balance', { owner: ownerOf(command.owner) })
        reference.read(command.owner)
        break
      case 'clock':
        // An alarm writes the time even where nothing was due, and the reference does not know: so never backwards.
        reference.clock_ms += Math.max(0, command.by_ms)
        vi.setSystemTime(reference.clock_ms)
        break
      case 'alarm': {
        await runAlarm(ledger)
        const seen = await this.look()
        // In which order wallets are looked at is the ledger's own business.
        const order = new Set(
          [...seen.entries, ...seen.closed_holds.map(({ hold }) => hold)].map((of) => of.wallet),
        )
        for (const number of [...order, ...reference.wallets.map((wallet) => wallet.number)]) {
          const wallet = reference.wallets[number - 1]
          if (wallet) reference.settle(wallet)
        }
        judge.looked(seen)
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
    // Through one stub, so that what is sent first arrives first.
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

  /** The object may forget a key, but not before the key has lived its time. */
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

  /** What the object's tables hold: all wallets, and what the journal rows since the last look hold. */
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
