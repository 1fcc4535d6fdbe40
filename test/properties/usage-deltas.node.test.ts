import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { applyEvent } from '../../src/ledger/burns/burn.ts'
import type { BurnContext } from '../../src/ledger/burns/rate.ts'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import { FORMAT } from '../../src/ledger/journal/packed-entry.ts'
import { packPage, parsePage, type SubjectNumber } from '../../src/ledger/journal/packed-page.ts'
import type { Entry } from '../../src/ledger/model/journal.ts'
import { OVERDRAFT, paidOf } from '../../src/ledger/model/lots.ts'
import type { Movement } from '../../src/ledger/model/messages/credits.ts'
import { defaultBurnTable } from '../../src/pricing/burn-table/table.ts'
import { microCredits, usdFromParts } from '../../src/pricing/money.ts'
import { type UsageDelta, usageDeltas } from '../../src/usage/cells/delta.ts'
import { linked } from '../support/chain.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant } from '../support/messages.ts'
import { apply, lives, type Step, type World } from './movement-lives.ts'

/**
 * Tests the usage that the entries of a ledger add to analytics, with random histories. The sums of the usage must
 * equal the sums of the entries. The paid revenue must equal the price of the burned lots exactly, to 1e-12 USD. Events
 * whose credits are completely returned must leave no usage.
 */

const numberOf: SubjectNumber = (kind, id) => (kind === 'user' ? 1 : 2) * 100 + id.length

function lived(steps: readonly Step[]): MemoryLedger {
  const world: World = { ledger: new MemoryLedger(), holds: [], givenBack: new Map() }
  let now_ms = Date.UTC(2026, 0, 1)
  for (const { by_ms, ops } of steps) {
    now_ms += by_ms
    const past = world.ledger.entries
    world.ledger.commit(now_ms, (draft) => ops.map((what) => apply(world, past, draft, what)))
  }
  return world.ledger
}

/** Gives back the remaining credits of every burn, with a void if possible and otherwise with a refund. */
function giveAllBack(ledger: MemoryLedger): void {
  const world: World = { ledger, holds: [], givenBack: new Map() }
  const burns = ledger.entries.filter(({ type }) => type === 'BURN')
  const now_ms = ledger.entries.at(-1)?.at_ms ?? 0
  for (const burn of burns) {
    const op = burn.event ? 'void' : 'refund'
    ledger.commit(now_ms, (draft) => apply(world, [burn], draft, { op, of: 0, amount: null }))
  }
}

function sum(deltas: readonly UsageDelta[], of: (delta: UsageDelta) => bigint): bigint {
  return deltas.reduce((total, delta) => total + of(delta), 0n)
}

/** Returns the burned credits of all events and holds, minus the credits that voids and refunds have returned. */
function burned(entries: readonly Entry[]): bigint {
  const usage = entries.filter(({ type, reverses }) => type === 'BURN' || reverses !== undefined)
  return usage.reduce((total, { amount }) => total - BigInt(amount), 0n)
}

/**
 * The price of a lot (`priced`), the credits that have left the lot (`out`), and their share of the price (`paid`).
 * Returned credits are subtracted.
 */
interface Flow {
  readonly priced: bigint
  out: bigint
  paid: bigint
}

function flows(entries: readonly Entry[]): Map<number, Flow> {
  const lots = new Map<number, Flow>()
  for (const { type, wallet: _, lots: parts, new_lots } of entries) {
    for (const { number, price } of new_lots ?? []) {
      lots.set(number, { priced: price ? usdFromParts(price) : 0n, out: 0n, paid: 0n })
    }
    // Does not check several new lots if one of them repays the overdraft, because an entry does not record which one.
    const repays = parts.some(([number]) => number === OVERDRAFT)
    if (repays && (new_lots?.length ?? 0) > 1) for (const { number } of new_lots ?? []) lots.delete(number)
    // An amount that a new lot repays to the overdraft counts as credits that have left the lot.
    const [created] = new_lots ?? []
    const isNew = type !== 'VOID' && type !== 'REFUND' && created !== undefined
    for (const part of parts) {
      const [number, amount] = part
      const flow = lots.get(number === OVERDRAFT && isNew ? created.number : number)
      if (!flow || (isNew && number !== OVERDRAFT)) continue
      const sign = number === OVERDRAFT || amount < 0 ? 1n : -1n
      flow.out += sign * BigInt(Math.abs(amount))
      flow.paid += sign * paidOf(part)
    }
  }
  return lots
}

/**
 * Checks for every lot that two shares of its price add up to the whole price: the share of the credits that have left
 * it, and the share of the remaining credits.
 */
function expectPricesConserved(ledger: MemoryLedger): void {
  const open = new Map<number, bigint>()
  for (let number = 1; ; number++) {
    const wallet = ledger.walletByNumber(number)
    if (!wallet) break
    for (const { number: lot, price, price_left = price } of wallet.lots) {
      open.set(lot, price_left ? usdFromParts(price_left) : 0n)
    }
  }
  for (const [number, { priced, paid }] of flows(ledger.entries)) {
    expect(paid + (open.get(number) ?? 0n)).toBe(priced)
  }
}

function expectDeltas(ledger: MemoryLedger): void {
  const { entries } = ledger
  const deltas = usageDeltas(entries, numberOf)
  expect(sum(deltas, ({ credits_micro }) => BigInt(credits_micro))).toBe(burned(entries))
  const events = entries.filter(({ event }) => event).length
  const voids = entries.filter(({ type, reverses }) => type === 'VOID' && reverses?.event_type).length
  expect(sum(deltas, (delta) => BigInt(delta.events))).toBe(BigInt(events - voids))
  const tokens = sum(deltas, ({ units }) => units.input_tokens ?? 0n)
  expect(tokens).toBe(BigInt(events - voids) * 1000n * 1_000_000_000n)
  for (const sums of byCell(deltas).values())
    for (const value of sums) expect(value).toBeGreaterThanOrEqual(0n)
  // The entries in D1's pages must have the same usage as the entries in the journal.
  const page = parsePage(FORMAT, packPage(linked(entries), numberOf)).entries((_, number) => String(number))
  expect(usageDeltas(page, (_, id) => Number(id))).toEqual(deltas)
}

/** Returns the sums of each cell: its credits, cost, price, paid amount and number of events. */
function byCell(deltas: readonly UsageDelta[]): Map<string, readonly bigint[]> {
  const cells = new Map<string, readonly bigint[]>()
  for (const { timestamp_ms, event_type, feature_id, ...of } of deltas) {
    const key = JSON.stringify([timestamp_ms, event_type, feature_id, of.user, of.team])
    const added = [BigInt(of.credits_micro), of.cost_pico, of.price_pico, of.paid_pico, BigInt(of.events)]
    const known = cells.get(key)
    cells.set(key, known ? known.map((value, i) => value + (added[i] ?? 0n)) : added)
  }
  return cells
}

function live(steps: readonly Step[]): void {
  const ledger = lived(steps)
  expectDeltas(ledger)
  expectPricesConserved(ledger)
  giveAllBack(ledger)
  expectDeltas(ledger)
  expectPricesConserved(ledger)
}

it('sums of usage match the entries, and paid revenue is the price of lots, in every life of a ledger', () => {
  const { seed, runs } = inject('fuzz')
  fc.assert(fc.property(lives, live), { numRuns: runs ?? 1000, ...(seed !== undefined && { seed }) })
  expect.hasAssertions()
}, 600_000)

it('usage that is given back completely leaves sums of zero', () => {
  const { seed, runs } = inject('fuzz')
  const givenBack = (steps: readonly Step[]) => {
    const ledger = lived(steps)
    giveAllBack(ledger)
    const open = ledger.entries.filter(
      ({ type, number, amount }) =>
        type === 'BURN' && (ledger.givenBack(number)?.amount ?? 0) !== -amount + 0,
    )
    // Skips a history with a burn whose credits cannot be returned because they would exceed a maximum of the wallet.
    if (open.length > 0) return
    for (const [credits, cost, price, paid, events] of byCell(
      usageDeltas(ledger.entries, numberOf),
    ).values()) {
      expect([credits, price, paid, events]).toEqual([0n, 0n, 0n, 0n])
      expect(cost).toBe(0n)
    }
  }
  fc.assert(fc.property(lives, givenBack), { numRuns: runs ?? 1000, ...(seed !== undefined && { seed }) })
  expect.hasAssertions()
}, 600_000)

/** A context with a burn table of 7 credits per USD, so that amounts rarely divide evenly. */
const ODD: BurnContext = {
  ...CONTEXT,
  tables: (() => {
    const table = defaultBurnTable({ credits_per_usd_micro: 7_000_000n, markup_percent_micro: 100_000_000n })
    return { at: () => table }
  })(),
}

it('refunds of a burn in any parts, and a final void, take back exactly its revenue', () => {
  const { seed, runs } = inject('fuzz')
  const lots = fc.array(
    fc.record({ amount: fc.integer({ min: 1, max: 50 }), pico: fc.integer({ min: 0, max: 999_999 }) }),
    { minLength: 1, maxLength: 4 },
  )
  const parts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 })
  const refunded = (
    bought: readonly { amount: number; pico: number }[],
    refunds: readonly number[],
    by_void: boolean,
  ) => {
    const ledger = new MemoryLedger()
    for (const { amount, pico } of bought) {
      ledger.credit(1, grant(amount, { type: 'PURCHASE', lot_kind: 'paid', price: { micro: 1, pico } }))
    }
    const held = bought.reduce((sum, { amount }) => sum + amount, 0)
    // Calculates the provider cost that burns all credits, rounded down. A cost of 0.5e-6 USD burns 7 micro-credits.
    const cost = { micro: 0, pico: Math.floor((held * 1_000_000) / 14) }
    const charge = { kind: 'priced', cost, price_version: 'test' } as const
    const outcome = ledger.commit(2, (draft) => applyEvent(draft, eventItem(0, { charge }), ODD))
    if (outcome.kind !== 'done') throw new Error('not burned')
    const { entry } = outcome
    let left = 0 - entry.amount
    const move = (movement: Movement) =>
      expect(ledger.commit(3, (draft) => applyMovement(draft, { movement }, ODD.ids)).kind).toBe('done')
    for (const part of refunds.filter((_, i) => refunds.slice(0, i + 1).reduce((a, b) => a + b, 0) <= left)) {
      move({ type: 'REFUND', past: pastEntry(entry), amount: microCredits(part) })
      left -= part
    }
    if (left > 0 && !by_void) move({ type: 'REFUND', past: pastEntry(entry), amount: null })
    if (by_void) move({ type: 'VOID', past: pastEntry(entry) })
    const deltas = usageDeltas(ledger.entries, numberOf)
    const burn = deltas[0]
    expect(burn?.paid_pico).toBe(sum(deltas.slice(1), (delta) => -delta.paid_pico))
    expect(burn?.price_pico).toBe(sum(deltas.slice(1), (delta) => -delta.price_pico))
    expect(sum(deltas, ({ credits_micro }) => BigInt(credits_micro))).toBe(0n)
    expectPricesConserved(ledger)
  }
  fc.assert(fc.property(lots, parts, fc.boolean(), refunded), {
    numRuns: runs ?? 2000,
    ...(seed !== undefined && { seed }),
  })
  expect.hasAssertions()
}, 600_000)
