import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { applyIngest } from '../../src/ledger/burns/ingest.ts'
import type { Draft } from '../../src/ledger/commit/draft.ts'
import { applyCredit, creditResult } from '../../src/ledger/credits/credit.ts'
import type { CreditResult } from '../../src/ledger/model/messages/credits.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import { settle } from '../../src/ledger/wallets/settle.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { type Command, commands, OWNERS } from './commands.ts'
import { Judge, type Request, type Snapshot } from './judge.ts'

/** Rules 1, 2, 4 and 6 over the pure half of the ledger, without the platform: thousands of lives of a ledger. */

const START_MS = Date.UTC(2026, 0, 1)

function apply(draft: Draft, request: Request): IngestResult | CreditResult {
  if (request.rpc === 'ingest') return applyIngest(draft, request.message, CONTEXT)
  return creditResult(CONTEXT.ids, applyCredit(draft, request.message))
}

function wallets(ledger: MemoryLedger): Snapshot['wallets'] {
  return OWNERS.flatMap((owner) => ledger.wallet(owner) ?? []).sort((a, b) => a.number - b.number)
}

function live(life: readonly Command[]): void {
  const ledger = new MemoryLedger()
  const judge = new Judge(CONTEXT.ids, 0)
  const { reference } = judge
  reference.clock_ms = START_MS
  for (const command of life) {
    const now_ms = reference.clock_ms
    switch (command.op) {
      case 'requests': {
        const requests = command.requests.map((spec) => judge.requestOf(spec))
        const results = ledger.commit(now_ms, (draft) => requests.map((request) => apply(draft, request)))
        command.requests.forEach((spec, index) => {
          const result = results[index]
          if (result) judge.answered(spec, result)
        })
        break
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
      case 'evict':
        // The object's own: there is neither an alarm nor anything to forget in here.
        break
    }
    judge.looked({ wallets: wallets(ledger), entries: ledger.entries.slice(judge.entries.length) })
  }
}

it('the rules of the ledger and the reference agree on every life of a ledger', () => {
  const { seed, runs } = inject('fuzz')
  fc.assert(fc.property(commands, live), {
    numRuns: runs ?? 2000,
    ...(seed !== undefined && { seed }),
  })
  expect.hasAssertions()
}, 60_000)
