import { describe, expect, it } from 'vitest'
import { nextAlarmAt, retryDelay, type Work } from '../../src/ledger/commit/schedule.ts'
import { earliest } from '../../src/time/durations.ts'

const NOW = 1_000_000_000
const YEAR = 365 * 86_400_000

interface Case {
  readonly name: string
  readonly works: readonly [at_ms: number | null, failures?: number][]
  readonly rings: number | null
}

// biome-ignore format: the rows of the table have aligned columns
const cases: readonly Case[] = [
  { name: 'never, when there is nothing to do', works: [[null], [null]], rings: null },
  { name: 'never, when there is nothing to do, however often it failed', works: [[null, 3]], rings: null },
  { name: 'when something is to be done', works: [[NOW + 5000], [null]], rings: NOW + 5000 },
  { name: 'for the earliest of all', works: [[NOW + 5000], [NOW + 4000], [NOW + 6000]], rings: NOW + 4000 },
  { name: 'at once for what is overdue, never in the past', works: [[NOW - 9000]], rings: NOW },
  { name: 'not before the retry delay of what failed, even if it is overdue', works: [[NOW - 1, 1]], rings: NOW + 1000 },
  { name: 'later than the retry delay when nothing is needed sooner', works: [[NOW + 5000, 1]], rings: NOW + 5000 },
  { name: 'on time for tasks that did not fail, after any failures of others', works: [[NOW - 1, 10], [NOW + 5000, 0]], rings: NOW + 5000 },
  { name: 'in a year for what is needed after that, and looks again', works: [[Date.UTC(9999, 11, 31)]], rings: NOW + YEAR },
]

describe('the alarm runs', () => {
  it.each(cases)('$name', ({ works, rings }) => {
    const work = works.map(([at_ms, failures = 0]): Work => ({ at_ms, failures }))
    expect(nextAlarmAt(NOW, work)).toBe(rings)
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
  it('has no first time without items, and accepts the time 0', () => {
    expect(earliest([])).toBeNull()
    expect(earliest([null, null])).toBeNull()
    expect(earliest([null, 3, 0, 2])).toBe(0)
  })
})
