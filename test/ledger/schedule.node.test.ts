import { describe, expect, it } from 'vitest'
import { earliest, nextAlarmAt, retryDelay, type Schedule } from '../../src/ledger/schedule.ts'

const NOW = 1_000_000_000
const HOUR = 3_600_000
const IDLE: Schedule = { now_ms: NOW, flush_at_ms: null, due_at_ms: null, forget_at_ms: null, failures: 0 }

interface Case {
  readonly name: string
  readonly waits: Partial<Schedule>
  readonly rings: number | null
}

// biome-ignore format: a table reads by its columns
const cases: readonly Case[] = [
  { name: 'never, when there is nothing to do', waits: {}, rings: null },
  { name: 'never, when there is nothing to do, however often it failed', waits: { failures: 3 }, rings: null },
  { name: 'for the flush', waits: { flush_at_ms: NOW + 5000 }, rings: NOW + 5000 },
  { name: 'for the next wallet that falls due', waits: { due_at_ms: NOW + 7 }, rings: NOW + 7 },
  { name: 'at once for what is overdue, never in the past', waits: { due_at_ms: NOW - 9000 }, rings: NOW },
  { name: 'an hour after rows may be forgotten, so that many go at once', waits: { forget_at_ms: NOW }, rings: NOW + HOUR },
  { name: 'at once for rows that have waited that hour', waits: { forget_at_ms: NOW - 2 * HOUR }, rings: NOW },
  { name: 'for the earliest of all', waits: { flush_at_ms: NOW + 5000, due_at_ms: NOW + 4000, forget_at_ms: NOW - HOUR + 6000 }, rings: NOW + 4000 },
  { name: 'not before the retry delay after a failure, even for what is overdue', waits: { due_at_ms: NOW - 1, failures: 1 }, rings: NOW + 1000 },
  { name: 'later than the retry delay when nothing is needed sooner', waits: { flush_at_ms: NOW + 5000, failures: 1 }, rings: NOW + 5000 },
]

describe('the alarm rings', () => {
  it.each(cases)('$name', ({ waits, rings }) => {
    expect(nextAlarmAt({ ...IDLE, ...waits })).toBe(rings)
  })
})

describe('the retry delay', () => {
  it.each([
    [0, 0],
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [9, 256_000],
    [10, 300_000],
    [1_000_000, 300_000],
  ])('after %d failures in a row is %d ms', (failures, delay) => {
    expect(retryDelay(failures)).toBe(delay)
  })
})

describe('the earliest of some times', () => {
  it('is none of none, and the time 0 is a time', () => {
    expect(earliest([])).toBeNull()
    expect(earliest([null, null])).toBeNull()
    expect(earliest([null, 3, 0, 2])).toBe(0)
  })
})
