import {
  createExecutionContext,
  createMessageBatch,
  getQueueResult,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { consumeQueue } from '../../src/queues.ts'
import { type Cell, Cells, totalsOf, type UsageTotals } from '../../src/usage/cells/cells.ts'
import { type UsageDelta, usageDeltas } from '../../src/usage/cells/delta.ts'
import { DEAD_LETTER_QUEUE } from '../../src/usage/queue/consume.ts'
import { cellOf, parseUsageMessage, usageMessages } from '../../src/usage/queue/message.ts'
import { type CellQuery, type Rollup, readCells, readRollup } from '../../src/usage/rollups/read.ts'
import { rollUp } from '../../src/usage/rollups/roll-up.ts'
import { startOfDay } from '../../src/usage/rollups/rows.ts'
import { reference, said } from '../projection/usage/arbitraries.ts'
import { storedPages, type TestLedger } from './ledgers.ts'

/** Moves usage from the ledger object to the rollups, through a simulated queue that the test controls. */

/**
 * Replaces the object's queue. Returns a list to which all later messages are added, in the form in which the queue
 * delivers them.
 */
export async function captureUsage(ledger: TestLedger): Promise<unknown[]> {
  const bodies: unknown[] = []
  const keep = (body: unknown): void => {
    bodies.push(JSON.parse(JSON.stringify(body)))
  }
  const queue: Queue = Object.create(env.USAGE, {
    send: { value: async (body: unknown) => keep(body) },
    sendBatch: {
      value: async (messages: readonly { readonly body: unknown }[]) => {
        for (const { body } of messages) keep(body)
      },
    },
  })
  await runInDurableObject(ledger.stub, (instance) => {
    if (!Reflect.set(instance, 'env', { ...env, USAGE: queue }))
      throw new Error('the object kept its bindings')
  })
  return bodies
}

export interface Delivery {
  readonly queue?: string
  /** The number of delivery attempts, including this one. */
  readonly attempts?: number
  readonly bindings?: Bindings
}

/** The result of the consumer for each message: acknowledged or retried. */
export type Answer = 'ack' | 'retry'

/** Delivers one batch of messages to the queue consumer of the Worker. Returns the result for each message. */
export async function deliver(bodies: readonly unknown[], options: Delivery = {}): Promise<Answer[]> {
  const { queue = 'usage', attempts = 1, bindings = env } = options
  const messages = bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts, body }))
  const batch = createMessageBatch(queue, messages)
  const ctx = createExecutionContext()
  await consumeQueue(batch, bindings, ctx)
  const { explicitAcks, retryMessages } = await getQueueResult(batch, ctx)
  return messages.map(({ id }) => {
    if (retryMessages.some(({ msgId }) => msgId === id)) return 'retry'
    if (!explicitAcks.includes(id)) throw new Error(`message ${id} was neither acknowledged nor retried`)
    return 'ack'
  })
}

/** Delivers messages to the consumer of the dead-letter queue. */
export function deliverDead(bodies: readonly unknown[], options: Delivery = {}): Promise<Answer[]> {
  return deliver(bodies, { queue: DEAD_LETTER_QUEUE, ...options })
}

export function acks(count: number): Answer[] {
  return Array.from({ length: count }, () => 'ack')
}

/** Returns all rows of the ledger's active rollups, without their generation and ledger id. */
export async function rollupRows(ledger: TestLedger): Promise<Record<string, unknown[]>> {
  const rollup = await readRollup(env.DB, ledgerKey(ledger.name))
  const rows = async (table: string) =>
    (
      await env.DB.prepare(`SELECT * FROM ${table} WHERE ledger_id = ? AND generation = ?`)
        .bind(ledgerKey(ledger.name), rollup?.generation ?? 0)
        .all()
    ).results.map(({ generation: _, ledger_id: __, ...row }) => row)
  return { days: await rows('rollup_days'), users: await rows('rollup_users') }
}

/** Returns the usage of all entries that are in D1, calculated from the pages. */
export async function flushedDeltas(ledger: TestLedger): Promise<UsageDelta[]> {
  const pages = await storedPages(ledger)
  const entries = pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
  const { results } = await env.DB.prepare(
    'SELECT kind, external_id, number FROM subjects WHERE ledger_id = ?',
  )
    .bind(ledgerKey(ledger.name))
    .all<{ kind: string; external_id: string; number: number }>()
  const numbers = new Map(results.map(({ kind, external_id, number }) => [`${kind} ${external_id}`, number]))
  return usageDeltas(entries, (kind, id) => numbers.get(`${kind} ${id}`) ?? 0)
}

const ALL_TIME = { from_ms: 0, to_ms: 4_600_000 * 3_600_000 }

export async function cellsOf(rollup: Rollup, query: Omit<CellQuery, 'from_ms' | 'to_ms'>): Promise<Cells> {
  const cells = new Cells()
  for await (const chunk of readCells(env.DB, rollup, { ...ALL_TIME, ...query })) {
    for (const cell of chunk) cells.add(cell)
  }
  return cells
}

/** Returns the sums of the usage columns of the ledger's pages in D1. */
async function pageSums(ledger: TestLedger): Promise<UsageTotals> {
  const sums = [
    'events',
    'burned_micro',
    'cost_micro',
    'cost_pico',
    'price_micro',
    'price_pico',
    'paid_micro',
    'paid_pico',
  ]
  const columns = sums.map((column) => `sum(${column}) AS ${column}`).join()
  const row = await env.DB.prepare(`SELECT ${columns} FROM ledger_pages WHERE ledger_id = ?`)
    .bind(ledgerKey(ledger.name))
    .first<Record<string, number>>()
  const sum = (column: string) => BigInt(row?.[column] ?? 0)
  const usd = (name: string) => sum(`${name}_micro`) * 1_000_000n + sum(`${name}_pico`)
  return {
    events: sum('events'),
    credits_micro: sum('burned_micro'),
    cost_pico: usd('cost'),
    price_pico: usd('price'),
    paid_pico: usd('paid'),
  }
}

/** Checks that the rollups agree with the pages in every column, and that they count nothing twice. */
export async function expectRolledUp(
  ledger: TestLedger,
  expected?: { readonly events: number },
): Promise<void> {
  const deltas = await flushedDeltas(ledger)
  const rollup = await readRollup(env.DB, ledgerKey(ledger.name))
  const pages = await storedPages(ledger)
  expect(rollup?.rolled_entry).toBe(Math.max(...pages.map(({ last_entry }) => last_entry)))
  if (!rollup) return
  const totals = totalsOf(deltas.map(cellOf))
  if (expected) expect(totals.events).toBe(BigInt(expected.events))
  expect(rollup.totals).toEqual(totals)
  expect(await pageSums(ledger)).toEqual(totals)
  const noKey = (cell: Cell): Cell => ({ ...cell, key: null })
  const noUser = (cell: Cell): Cell => ({ ...cell, user: null, key: null })
  const byKey = (cell: Cell): Cell => ({ ...cell, user: null, team: null })
  const noSubject = (cell: Cell): Cell => ({ ...cell, user: null, team: null, key: null })
  const byDay = (cell: Cell): Cell => ({ ...noSubject(cell), hour: startOfDay(cell.hour) })
  const hour = 'hour' as const
  expect(said(await cellsOf(rollup, { grain: hour, subjects: 'user' }))).toEqual(reference(deltas, noKey))
  expect(said(await cellsOf(rollup, { grain: hour, subjects: 'team' }))).toEqual(reference(deltas, noUser))
  expect(said(await cellsOf(rollup, { grain: hour, subjects: 'key' }))).toEqual(reference(deltas, byKey))
  expect(said(await cellsOf(rollup, { grain: hour, subjects: 'none' }))).toEqual(reference(deltas, noSubject))
  expect(said(await cellsOf(rollup, { grain: 'day', subjects: 'none' }))).toEqual(reference(deltas, byDay))
}

/** Adds a ledger with `entries` flushed entries to D1. The ledger has no object and no pages. */
export async function knownLedger(ledger_id: string, entries: number): Promise<void> {
  const query =
    'INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms) VALUES (?, 1, ?, 1)'
  await env.DB.prepare(query).bind(ledger_id, entries).run()
}

/**
 * Adds the usage of consecutive entries to the rollups of a ledger, as if all messages of one flush arrived together.
 */
export async function foldDeltas(
  ledger_id: string,
  deltas: readonly UsageDelta[],
  db: D1Database = env.DB,
): Promise<number> {
  const [first, last] = [deltas[0], deltas.at(-1)]
  if (!first || !last) return 0
  const range = { ledger_id, after_entry: first.entry - 1, to_entry: last.entry, at_ms: last.timestamp_ms }
  const messages = usageMessages(range, deltas).map((message) => {
    const parsed = parseUsageMessage(message)
    if (parsed.kind === 'poison') throw new Error(parsed.reason)
    return parsed.message
  })
  for (const outcome of (await rollUp(db, messages)).values()) expect(outcome).toEqual({ kind: 'folded' })
  return messages.length
}
