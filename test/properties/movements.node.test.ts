import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { OVERDRAFT } from '../../src/ledger/model/lots.ts'
import type { WalletOwner } from '../../src/ledger/model/vocabulary.ts'
import { MAX_MICRO_CREDITS } from '../../src/pricing/money.ts'
import { MemoryLedger } from '../support/memory-ledger.ts'
import { apply, lives, MINUTE, type Step, type World } from './movement-lives.ts'

/**
 * Tests all operations that move credits, in any order: events, grants, voids, refunds, transfers, adjustments,
 * overdrafts and holds. No reference implementation supports all of them, so the test checks rules instead. No
 * operation may throw an error. Every lot and every overdraft must equal the sum of its entries. Voids and refunds must
 * not return more than was burned. A refused request must change nothing.
 */

function live(steps: readonly Step[]): void {
  const world: World = { ledger: new MemoryLedger(), holds: [], givenBack: new Map() }
  const { ledger } = world
  let now_ms = Date.UTC(2026, 0, 1)
  for (const { by_ms, ops } of steps) {
    now_ms += by_ms
    const past = ledger.entries
    const done = ledger.commit(now_ms, (draft) => ops.map((what) => apply(world, past, draft, what)))
    const added = ledger.entries.slice(past.length)
    if (!done.includes(true)) expect(added.filter(({ type }) => type !== 'EXPIRATION')).toEqual([])
    expectConserved(ledger)
    for (const entry of past) {
      const given = world.givenBack.get(entry.number) ?? 0
      expect(given).toBeLessThanOrEqual(Math.abs(entry.amount))
    }
  }
}

/**
 * Checks that the remaining credits of each lot and the balance of each wallet equal the sums of their entries.
 * `commit` has already checked each wallet by itself.
 */
function expectConserved(ledger: MemoryLedger): void {
  const lots = new Map<string, bigint>()
  const balances = new Map<number, bigint>()
  const add = <K>(sums: Map<K, bigint>, key: K, value: number) =>
    sums.set(key, (sums.get(key) ?? 0n) + BigInt(value))
  for (const entry of ledger.entries) {
    expect(entry.lots.reduce((sum, [, part]) => sum + BigInt(part), 0n)).toBe(BigInt(entry.amount))
    add(balances, entry.wallet, entry.amount)
    expect(balances.get(entry.wallet)).toBe(BigInt(entry.balance_after))
    for (const [lot, part] of entry.lots) add(lots, `${entry.wallet}:${lot}`, part)
  }
  for (let number = 1; ; number++) {
    const wallet = ledger.walletByNumber(number)
    if (!wallet) break
    expect(BigInt(wallet.balance)).toBe(balances.get(number) ?? 0n)
    expect(BigInt(0 - wallet.overdrawn)).toBe(lots.get(`${number}:${OVERDRAFT}`) ?? 0n)
    lots.delete(`${number}:${OVERDRAFT}`)
    for (const lot of wallet.lots) {
      expect(BigInt(lot.left)).toBe(lots.get(`${number}:${lot.number}`) ?? 0n)
      lots.delete(`${number}:${lot.number}`)
    }
  }
  // The lots that remain in this map are in no wallet any more, so the sums of their entries must be 0.
  for (const left of lots.values()) expect(left).toBe(0n)
}

const CUSTOMER: WalletOwner = { kind: 'customer' }
const MOST = MAX_MICRO_CREDITS

/**
 * The steps of a history with the largest overdraft, in which the holds together would exceed the largest possible
 * amount.
 */
const HOLDS_BEYOND_ANY_AMOUNT: readonly Step[] = [
  { by_ms: 0, ops: [{ op: 'overdraft', owner: CUSTOMER, limit: MOST }] },
  { by_ms: 0, ops: [{ op: 'credit', owner: CUSTOMER, amount: MOST, paid: false, expires_in_ms: null }] },
  { by_ms: 0, ops: [{ op: 'hold', owner: CUSTOMER, credits: 1, lifetime_ms: MINUTE }] },
  { by_ms: 0, ops: [{ op: 'hold', owner: CUSTOMER, credits: MOST, lifetime_ms: MINUTE }] },
]

it('all movements of credits, in any order, keep the rules of the ledger', () => {
  const { seed, runs } = inject('fuzz')
  fc.assert(fc.property<[readonly Step[]]>(lives, live), {
    numRuns: runs ?? 1000,
    examples: [[HOLDS_BEYOND_ANY_AMOUNT]],
    ...(seed !== undefined && { seed }),
  })
  expect.hasAssertions()
}, 600_000)
