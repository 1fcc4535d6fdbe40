import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { applyIngest } from '../../src/ledger/burns/ingest.ts'
import type { Draft } from '../../src/ledger/commit/draft.ts'
import { applyCredit, creditResult } from '../../src/ledger/credits/credit.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import { applyHold } from '../../src/ledger/holds/holds.ts'
import { walletDueAt } from '../../src/ledger/model/wallet.ts'
import { settle } from '../../src/ledger/wallets/settle.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { type Act, type Command, LIVES, OWNERS } from './commands.ts'
import { Judge, type Request, type Result, type Snapshot } from './judge.ts'

/**
 * Compares the code of the ledger, without its object, with a reference implementation, for all operations that move
 * credits. Checks the rules of `assertWallet` and `judge.ts` after every command. `FC_RUNS` sets the number of
 * histories. A failure prints its seed and the shortest failing history, and `FC_SEED` repeats the histories of a seed.
 */

const START_MS = Date.UTC(2026, 0, 31, 12)

function apply(draft: Draft, request: Request): Result {
  switch (request.rpc) {
    case 'ingest':
      return applyIngest(draft, request.message, CONTEXT)
    case 'hold':
      return applyHold(draft, request.message, CONTEXT)
    case 'move':
      return applyMovement(draft, request.message, CONTEXT.ids)
    case 'credit':
      return creditResult(CONTEXT.ids, applyCredit(draft, request.message))
  }
}

class Life {
  readonly judge = new Judge(CONTEXT.ids, START_MS)
  readonly ledger = new MemoryLedger()
  private records = 0

  step(command: Command): void {
    const { judge, ledger } = this
    const { reference } = judge
    const now_ms = reference.clock_ms
    switch (command.op) {
      case 'acts': {
        this.acts(command.acts.flatMap((act) => judge.resolve(act) ?? []))
        return
      }
      case 'read': {
        const wallet = ledger.wallet(command.owner)
        if (wallet) ledger.commit(now_ms, (draft) => settle(draft, wallet))
        reference.read(command.owner)
        break
      }
      case 'clock':
        reference.clock_ms += command.by_ms
        break
      case 'alarm':
        ledger.commit(now_ms, (draft) => {
          for (const wallet of this.wallets()) {
            const due_at_ms = walletDueAt(wallet)
            if (due_at_ms !== null && due_at_ms <= draft.at_ms) settle(draft, wallet)
          }
        })
        for (const wallet of reference.wallets) reference.settle(wallet)
        break
      case 'restart':
        // A restart has no effect here, because this test has no object.
        break
    }
    judge.looked(this.look())
  }

  private acts(acts: readonly Act[]): void {
    const { judge, ledger } = this
    const before = this.wallets()
    const requests = acts.map((act) => judge.requestOf(act))
    const results = ledger.commit(judge.reference.clock_ms, (draft) =>
      requests.map((request) => apply(draft, request)),
    )
    for (const [index, act] of acts.entries()) {
      const result = results[index]
      if (result) judge.answered(act, result)
    }
    const after = this.look()
    judge.looked(after)
    if (results.every(({ kind }) => kind === 'refused')) judge.unchanged(before, after)
  }

  private wallets(): Snapshot['wallets'] {
    return OWNERS.flatMap((owner) => this.ledger.wallet(owner) ?? []).sort((a, b) => a.number - b.number)
  }

  private look(): Snapshot {
    const news = this.ledger.records.slice(this.records)
    this.records += news.length
    return {
      wallets: this.wallets(),
      entries: news.filter((record) => record.kind === 'entry'),
      closed_holds: news.filter((record) => record.kind === 'hold'),
    }
  }
}

it.each([
  ['usage', LIVES.usage],
  ['everything', LIVES.everything],
])(
  'every movement of credits agrees with the reference, in every life of a ledger: %s',
  (_, lives) => {
    const { seed, runs } = inject('fuzz')
    const live = (commands: readonly Command[]) => {
      const life = new Life()
      for (const command of commands) life.step(command)
    }
    fc.assert(fc.property(lives, live), { numRuns: runs ?? 2000, ...(seed !== undefined && { seed }) })
    expect.hasAssertions()
  },
  3_600_000,
)
