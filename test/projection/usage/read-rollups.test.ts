import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { sizeOf } from '../../../src/db/json-parameters.ts'
import { DAY_MS, HOUR_MS } from '../../../src/time/durations.ts'
import { type Cell, Cells } from '../../../src/usage/cells/cells.ts'
import type { UsageDelta } from '../../../src/usage/cells/delta.ts'
import { packCells, unpackCells } from '../../../src/usage/cells/pack-cells.ts'
import { cellOf } from '../../../src/usage/queue/message.ts'
import {
  type CellQuery,
  type Rollup,
  readCells,
  readRollup,
  TooManyCells,
} from '../../../src/usage/rollups/read.ts'
import { startOfDay } from '../../../src/usage/rollups/rows.ts'
import { unique } from '../../support/customers.ts'
import { countedD1 } from '../../support/d1.ts'
import { foldDeltas, knownLedger } from '../../support/usage.ts'
import { said } from './arbitraries.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 })

/**
 * Tests how analytics read the usage of a million events. A query must use the primary key, and must read only the
 * columns that it needs.
 */

const DAYS = 30
const FIRST_DAY_MS = 20_500 * DAY_MS
const END_MS = FIRST_DAY_MS + DAYS * DAY_MS
const USERS = 3_000
const EVENTS = 1_000_000

const MODELS = ['gpt-4o', 'gpt-4o-mini', 'o3', 'claude-sonnet-4-5', 'gemini-2.5-pro', 'mistral-large']
const FEATURES = ['chat', 'search', 'summaries']

/**
 * Returns event number `n` in the order of time. Each user has one feature, one model and one team, and is active only
 * in some hours of a day.
 */
function event(n: number): UsageDelta {
  const hour = Math.floor((n / EVENTS) * DAYS * 24)
  const user = ((hour * 100 + (n % 100)) % USERS) + 1
  return {
    entry: n + 1,
    timestamp_ms: FIRST_DAY_MS + hour * HOUR_MS,
    event_type: 'TOKEN_USAGE',
    feature_id: FEATURES[user % 3] ?? '',
    provider: 'OPENAI',
    model: MODELS[user % 6] ?? '',
    user,
    ...(user % 4 > 0 && { team: (user % 20) + 1 }),
    events: 1,
    units: { input_tokens: BigInt(n % 4000) * 1_000_000_000n + 1n, output_tokens: 250_000_000_000n },
    credits_micro: 15_000_000 + (n % 1000),
    cost_pico: 7_500_000_000n,
    price_pico: 15_000_000_000n,
    paid_pico: 1_000_000_000n,
  }
}

const ledger_id = unique('million')
let rollup: Rollup

beforeAll(async () => {
  await knownLedger(ledger_id, EVENTS)
  const A_BATCH = 20_000
  for (let n = 0; n < EVENTS; n += A_BATCH) {
    await foldDeltas(
      ledger_id,
      Array.from({ length: A_BATCH }, (_, i) => event(n + i)),
    )
  }
  const found = await readRollup(env.DB, ledger_id)
  if (!found) throw new Error('nothing was rolled up')
  rollup = found
})

async function read(query: Partial<CellQuery>): Promise<{ cells: Cells; rows_read: number; ms: number }> {
  const begun_ms = performance.now()
  const { result, counts } = await countedD1(async (db) => {
    const cells = new Cells()
    const whole = { from_ms: FIRST_DAY_MS, to_ms: END_MS, grain: 'day', subjects: 'none', ...query } as const
    for await (const chunk of readCells(db, rollup, whole)) for (const cell of chunk) cells.add(cell)
    return cells
  })
  return { cells: result, rows_read: counts.rows_read, ms: Math.round(performance.now() - begun_ms) }
}

function expected(from: number, to: number, cut: (cell: Cell) => Cell): Cells {
  const cells = new Cells()
  for (let n = from; n < to; n++) cells.add(cut(cellOf(event(n))))
  return cells
}

const noSubject = (cell: Cell): Cell => ({ ...cell, user: null, team: null })
const byDay = (cell: Cell): Cell => ({ ...noSubject(cell), hour: startOfDay(cell.hour) })

describe('a million events', () => {
  it('are complete', () => {
    expect(rollup.totals.events).toBe(BigInt(EVENTS))
    expect(rollup.totals.cost_pico).toBe(BigInt(EVENTS) * 7_500_000_000n)
  })

  it('by day: three rows read for each of 30 days', async () => {
    const { cells, rows_read, ms } = await read({})
    console.log(`by day: ${rows_read} rows read, ${cells.size} cells, ${ms} ms`)
    expect(rows_read).toBeLessThanOrEqual(4 * DAYS)
    expect(said(cells)).toEqual(said(expected(0, EVENTS, byDay)))
  })

  it('by hour and by team: no more rows, only wider ones', async () => {
    for (const query of [{ grain: 'hour' }, { grain: 'hour', subjects: 'team' }] as const) {
      const { cells, rows_read, ms } = await read(query)
      console.log(`${JSON.stringify(query)}: ${rows_read} rows read, ${cells.size} cells, ${ms} ms`)
      expect(rows_read).toBeLessThanOrEqual(8 * DAYS)
    }
  })

  it('of one user: the rows of its bucket', async () => {
    const { cells, rows_read, ms } = await read({ subjects: 'user', user_numbers: [1500] })
    console.log(`one user: ${rows_read} rows read, ${cells.size} cells, ${ms} ms`)
    expect(rows_read).toBeLessThanOrEqual(30 * DAYS)
    const own = [...expected(0, EVENTS, (cell) => ({ ...cell, hour: startOfDay(cell.hour) }))]
    expect(said(cells)).toEqual(said(own.filter(({ user }) => user === 1500)))
  })

  it('of all users: every row of users, once', async () => {
    const { cells, rows_read, ms } = await read({ subjects: 'user', grain: 'hour' })
    console.log(`all users: ${rows_read} rows read, ${cells.size} cells, ${ms} ms`)
    const rows = await env.DB.prepare(
      'SELECT count(*) AS n, sum(octet_length(cells)) AS bytes FROM rollup_users WHERE ledger_id = ?',
    )
      .bind(ledger_id)
      .first<{ n: number; bytes: number }>()
    console.log(`rollup_users: ${rows?.n} rows of ${Math.round((rows?.bytes ?? 0) / 1e6)} MB`)
    expect(rows_read).toBeLessThanOrEqual(3 * (rows?.n ?? 0) + 3)
  })

  it('from the middle of a day to the middle of another: whole days by day, the ends by hour', async () => {
    const { cells, rows_read } = await read({
      from_ms: FIRST_DAY_MS + 5 * HOUR_MS,
      to_ms: FIRST_DAY_MS + 77 * HOUR_MS,
    })
    expect(rows_read).toBeLessThanOrEqual(4 * 4)
    const [from, to] = [5, 77].map((hour) => Math.ceil((hour / (DAYS * 24)) * EVENTS))
    expect(said(cells)).toEqual(said(expected(from ?? 0, to ?? 0, byDay)))
  })

  it('of one hour: one day', async () => {
    const from_ms = FIRST_DAY_MS + 100 * HOUR_MS
    const { cells, rows_read } = await read({ from_ms, to_ms: from_ms + HOUR_MS, grain: 'hour' })
    expect(rows_read).toBeLessThanOrEqual(8)
    expect([...cells].every(({ hour }) => hour === from_ms / HOUR_MS)).toBe(true)
    expect(cells.size).toBeGreaterThan(0)
  })

  it('of no time, of another ledger and of times without events: nothing', async () => {
    expect((await read({ to_ms: FIRST_DAY_MS })).cells.size).toBe(0)
    expect((await read({ from_ms: END_MS, to_ms: END_MS + DAY_MS })).cells.size).toBe(0)
    expect(await readRollup(env.DB, `${ledger_id}:test`)).toBeNull()
  })

  it('are not read by half hours, nor beyond the limit of one result', async () => {
    await expect(read({ from_ms: FIRST_DAY_MS + 1 })).rejects.toThrow(RangeError)
    const everybody = {
      subjects: 'user',
      user_numbers: Array.from({ length: 70_000 }, (_, i) => i + 1),
    } as const
    await expect(read({ ...everybody, from_ms: 0 })).rejects.toThrow(TooManyCells)
  })
})

describe('names that are new with every event', () => {
  it('make more rows, each within the size limit', async () => {
    const hostile = unique('hostile')
    const events = 3_000
    await knownLedger(hostile, events)
    const deltas = Array.from({ length: events }, (_, i) => ({
      ...event(i),
      timestamp_ms: FIRST_DAY_MS,
      feature_id: `${i} ${'"'.repeat(250)}`.slice(0, 255),
      model: `${i} \u2028\\/${'🦄'.repeat(120)}`,
    }))
    for (let n = 0; n < events; n += 500) await foldDeltas(hostile, deltas.slice(n, n + 500))
    const { results } = await env.DB.prepare(
      'SELECT by_day, by_hour, by_team FROM rollup_days WHERE ledger_id = ?',
    )
      .bind(hostile)
      .all<{ by_day: string; by_hour: string; by_team: string }>()
    // Each stored text must be exactly the text that `packCells` writes.
    for (const text of results.flatMap((row) => Object.values(row))) {
      expect(JSON.stringify(packCells(unpackCells(JSON.parse(text))))).toBe(text)
    }
    const sizes = results.map((row) => Object.values(row).reduce((sum, text) => sum + sizeOf(text), 0))
    console.log(`hostile names: ${results.length} rows of days for ${events} events`)
    expect(Math.max(...sizes)).toBeLessThan(500_000)
    expect(results.length / events).toBeLessThan(0.05)
    const found = await readRollup(env.DB, hostile)
    if (!found) throw new Error('nothing was rolled up')
    const cells = new Cells()
    const query = { from_ms: FIRST_DAY_MS, to_ms: END_MS, grain: 'hour', subjects: 'user' } as const
    for await (const chunk of readCells(env.DB, found, query)) for (const cell of chunk) cells.add(cell)
    expect(said(cells)).toEqual(said(Cells.of(deltas.map(cellOf))))
  })
})
