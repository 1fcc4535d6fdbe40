import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { describe, expect, inject, it, vi } from 'vitest'
import type { CreditMessage, MovementMessage } from '../../src/ledger/model/messages/credits.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { failNextTransaction, gather, powerCut } from '../faults/injection.ts'
import { d1Double, d1FailingAt } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  inStore,
  rowsWrittenBy,
  runAlarm,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { CALLER, grant } from '../support/messages.ts'

/**
 * Tests that the audit log has exactly one record for each committed change, and none for other changes. The ledger
 * commits the record together with the change. After any fault of the object or of D1, D1 has the record exactly once.
 */

vi.spyOn(console, 'error').mockImplementation(() => undefined)

const WALLET = { kind: 'customer' } as const

function overdraft(limit: number, key?: string): MovementMessage {
  return {
    movement: { type: 'OVERDRAFT', owner: WALLET, limit: microCredits(limit) },
    ...(key !== undefined && { idempotency: { key, fingerprint: `overdraft of ${limit}` } }),
  }
}

function adjustment(amount: number): MovementMessage {
  return {
    movement: { type: 'ADJUSTMENT', owner: WALLET, amount: microCredits(amount), reason: 'by hand' },
  }
}

const credit = (ledger: TestLedger, message: CreditMessage) => ask(ledger.stub, 'credit', message)
const move = (ledger: TestLedger, message: MovementMessage) => ask(ledger.stub, 'move', message)

interface Row {
  readonly audit_id: string
  readonly action: string
  readonly actor: string
  readonly state_before: string
  readonly state_after: string
}

async function rowsOf(ledger: TestLedger): Promise<Row[]> {
  const { results } = await env.DB.prepare('SELECT * FROM audit_log WHERE scope = ? ORDER BY audit_id')
    .bind(ledger.name.customer_id)
    .all<Row>()
  return results
}

async function flushed(ledger: TestLedger): Promise<Row[]> {
  await runAlarm(ledger)
  expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(false)
  return rowsOf(ledger)
}

describe('a change and its record', () => {
  it.each(['inside the transaction', 'after the transaction', 'before the reply'] as const)(
    'exist both or not at all when the power fails %s',
    async (moment) => {
      const ledger = await freshLedger()
      await powerCut(ledger, moment)
      await move(ledger, overdraft(5)).catch(() => undefined)
      const limit = await inStore(ledger, (store) => store.wallet('customer')?.overdraft_limit)
      expect(await flushed(ledger)).toHaveLength(limit === 5 ? 1 : 0)
      if (moment === 'inside the transaction') expect(limit).toBe(0)
      if (moment === 'before the reply') expect(limit).toBe(5)
    },
  )

  it('are written once when the group commit fails and each request is tried alone', async () => {
    const ledger = await freshLedger()
    await failNextTransaction(ledger)
    await gather(ledger, 3)
    const results = await Promise.all([1, 2, 3].map((amount) => credit(ledger, grant(amount))))
    for (const result of results) expect(result).toMatchObject({ kind: 'done' })
    expect(await flushed(ledger)).toHaveLength(3)
  })

  it.each([
    ['before its effect', 0],
    ['after its effect', 1],
  ] as const)('are written once when D1 fails %s, and again at the next try', async (effect, rows) => {
    const ledger = await freshLedger()
    await credit(ledger, grant(10))
    await withD1(ledger, d1FailingAt(1, effect), () => runAlarm(ledger))
    expect(await rowsOf(ledger)).toHaveLength(rows)
    await credit(ledger, grant(20))
    const all = await flushed(ledger)
    expect(all.map(({ state_after }) => JSON.parse(state_after).balance)).toEqual([0.00001, 0.00003])
    expect(await flushed(ledger)).toEqual(all)
  })
})

describe('a D1 whose pages were set back', () => {
  it('gets the missing records, and has each record once', async () => {
    const ledger = await freshLedger()
    const { customer_id } = ledger.name
    await credit(ledger, grant(10))
    await flushed(ledger)
    const watermark = await env.DB.prepare('SELECT * FROM ledgers WHERE ledger_id = ?')
      .bind(customer_id)
      .first<{
        flushed_row: number
        flushed_entry: number
        flushed_at_ms: number
        chain_hash: string
        flushed_hash: string
      }>()
    if (!watermark) throw new Error('nothing was flushed')
    await credit(ledger, grant(20))
    const before = await flushed(ledger)
    await env.DB.batch([
      env.DB.prepare('DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry > ?').bind(
        customer_id,
        watermark.flushed_entry,
      ),
      env.DB.prepare(
        `UPDATE ledgers SET flushed_row = ?2, flushed_entry = ?3, flushed_at_ms = ?4, chain_hash = ?5,
          flushed_hash = ?6 WHERE ledger_id = ?1`,
      ).bind(
        customer_id,
        watermark.flushed_row,
        watermark.flushed_entry,
        watermark.flushed_at_ms,
        watermark.chain_hash,
        watermark.flushed_hash,
      ),
    ])
    await credit(ledger, grant(30))
    await runAlarm(ledger)
    const after = await flushed(ledger)
    expect(after.slice(0, before.length)).toEqual(before)
    expect(after).toHaveLength(3)
    const pages = await env.DB.prepare('SELECT sum(entry_count) AS n FROM ledger_pages WHERE ledger_id = ?')
      .bind(customer_id)
      .first('n')
    expect(pages).toBe(3)
  })
})

describe('what a record costs', () => {
  it('in the object no row more than the change itself', async () => {
    const ledger = await freshLedger()
    await credit(ledger, grant(10))
    expect(await rowsWrittenBy(ledger, () => credit(ledger, grant(10)))).toBe(2)
    expect(await rowsWrittenBy(ledger, () => move(ledger, overdraft(5)))).toBe(2)
  })

  it('in D1 two rows: its own, and its place in the order of all', async () => {
    const ledger = await freshLedger()
    await runAlarm(ledger)
    let rows = 0
    const counting = d1Double({
      batch: async (statements: D1PreparedStatement[]) => {
        const results = await env.DB.batch(statements)
        for (const { meta } of results) rows += meta.rows_written
        return results
      },
    })
    for (const limit of [1, 2, 3]) await move(ledger, overdraft(limit))
    await withD1(ledger, counting, () => runAlarm(ledger))
    const watermark = 1
    expect(rows).toBe(watermark + 3 * 2)
  })
})

type Command =
  | { readonly do: 'grant' | 'adjust' | 'overdraft' | 'keyed overdraft'; readonly amount: number }
  | { readonly do: 'flush'; readonly d1: 'well' | 'before its effect' | 'after its effect' }
  | { readonly do: 'power cut' }

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: fc.constantFrom(
      'grant' as const,
      'adjust' as const,
      'overdraft' as const,
      'keyed overdraft' as const,
    ),
    amount: fc.integer({ min: 1, max: 20 }),
  }),
  fc.record({
    do: fc.constant('flush' as const),
    d1: fc.constantFrom('well' as const, 'before its effect' as const, 'after its effect' as const),
  }),
  fc.constant({ do: 'power cut' as const }),
)

/**
 * Sends a change. Returns true if the ledger accepts it, and false if the ledger refuses or replays it, so that nothing
 * changes.
 */
async function isAccepted(
  ledger: TestLedger,
  { do: what, amount }: Command & { amount: number },
): Promise<boolean> {
  const result =
    what === 'grant'
      ? await credit(ledger, grant(amount))
      : what === 'adjust'
        ? await move(ledger, adjustment(-amount))
        : await move(ledger, overdraft(amount, what === 'overdraft' ? undefined : `key of ${amount % 3}`))
  return result.kind === 'done'
}

/** The time limit of the property test. Each history takes about 150 ms, and FC_RUNS can request thousands of them. */
const PROPERTY_TIMEOUT_MS = 1_800_000

describe('in any life of a ledger', () => {
  it(
    'there are as many records as accepted changes, each beginning with the state in which the previous one ended',
    async () => {
      const { seed, runs } = inject('fuzz')
      await fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
          const ledger = await freshLedger()
          let accepted = 0
          for (const one of commands) {
            if ('amount' in one) accepted += (await isAccepted(ledger, one)) ? 1 : 0
            else if (one.do === 'power cut') {
              await powerCut(ledger, 'inside the transaction')
              await credit(ledger, grant(1)).catch(() => undefined)
            } else {
              const db = one.d1 === 'well' ? env.DB : d1FailingAt(1, one.d1)
              await withD1(ledger, db, () => runAlarm(ledger))
            }
          }
          const rows = await flushed(ledger)
          expect(rows).toHaveLength(accepted)
          expectChain(rows, 'balance')
          expectChain(rows, 'overdraft_limit')
        }),
        { numRuns: runs ?? 40, ...(seed !== undefined && { seed }) },
      )
    },
    PROPERTY_TIMEOUT_MS,
  )
})

function expectChain(rows: readonly Row[], field: 'balance' | 'overdraft_limit'): void {
  let last = 0
  for (const { state_before, state_after } of rows) {
    const [before, after] = [JSON.parse(state_before), JSON.parse(state_after)]
    if (before[field] === undefined) continue
    expect(before[field]).toBe(last)
    last = after[field]
  }
}

describe('the scope of a record', () => {
  it('is its customer', async () => {
    const [ledger, other] = [await freshLedger(), await freshLedger()]
    await credit(ledger, grant(10))
    const [row] = await flushed(ledger)
    expect(row).toMatchObject({ scope: ledger.name.customer_id, mode: 'live', actor: CALLER.key_id })
    expect(await flushed(other)).toEqual([])
  })
})
