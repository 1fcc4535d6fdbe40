import { describe, expect, it } from 'vitest'
import { EntriesBuilder, readEntries, rowsBack, shortRow } from '../../src/ledger/idempotency/entries.ts'
import { KeyIndex } from '../../src/ledger/idempotency/memory-index.ts'
import { sipHash } from '../../src/ledger/idempotency/sip-hash.ts'

const hashOf = (key: number) => sipHash([1, 2, 3, 4], `key-${key}`)

function filled(count: number): KeyIndex {
  const index = new KeyIndex()
  for (let key = 1; key <= count; key++) index.add(hashOf(key).low, hashOf(key).high, key)
  return index
}

/** The rows that a walk over all prefixes of these bits visits, in order. */
function visited(index: KeyIndex, bits: number): number[] {
  const rows: number[] = []
  for (let prefix = 0; prefix < 2 ** bits; prefix++) {
    index.visit(prefix, bits, (_, high, row) => {
      if (bits > 0 && high >>> (32 - bits) !== prefix)
        throw new Error(`row ${row} is not of prefix ${prefix}`)
      rows.push(row)
    })
  }
  return rows.sort((a, b) => a - b)
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('the index of keys in memory', () => {
  it('finds every key that was added, through all its growth, and no other', () => {
    const index = filled(20_000)
    for (let key = 1; key <= 20_000; key++) expect(index.find(hashOf(key))).toEqual([key])
    for (let key = 20_001; key <= 40_000; key++) expect(index.find(hashOf(key))).toEqual([])
  })

  it.each([0, 1, 3, 10, 12, 16])('visits each entry once by the first %i bits', (bits) => {
    expect(visited(filled(3000), bits)).toEqual(numbers(1, 3000))
  })

  it('visits and finds entries that stand at its end and run over to its beginning', () => {
    const index = new KeyIndex()
    for (let row = 1; row <= 50; row++) index.add(row, 0xffff_ffff, row)
    for (let row = 51; row <= 60; row++) index.add(row, 0, row)
    for (const bits of [0, 1, 5, 16]) expect(visited(index, bits)).toEqual(numbers(1, 60))
    expect(index.find({ low: 50, high: 0xffff_ffff })).toEqual([50])
    expect(index.find({ low: 60, high: 0 })).toEqual([60])
  })

  it('has what was added many at once, in whatever order, beside what was added one by one', () => {
    const entries = (from: number, to: number) => {
      const builder = new EntriesBuilder()
      for (const key of numbers(from, to)) builder.push(hashOf(key).low, hashOf(key).high, key)
      return readEntries(builder.toBlob())
    }
    const index = filled(1000)
    for (const part of [entries(1001, 5000), entries(5001, 5001), entries(5002, 9000)]) index.addAll(part)
    index.add(hashOf(9001).low, hashOf(9001).high, 9001)
    expect(index.size).toBe(9001)
    expect(visited(index, 6)).toEqual(numbers(1, 9001))
    for (const key of numbers(1, 9001)) expect(index.find(hashOf(key))).toEqual([key])
  })

  it('has all rows of one hash', () => {
    const index = new KeyIndex()
    for (let row = 1; row <= 700; row++) index.add(5, 7, row)
    expect(index.find({ low: 5, high: 7 }).sort((a, b) => a - b)).toEqual(numbers(1, 700))
    expect(index.find({ low: 6, high: 7 })).toEqual([])
  })

  it('keeps what fits, and gives back the memory of what does not', () => {
    const index = filled(20_000)
    const before = index.bytes
    index.keep((row) => row > 19_900)
    expect(index.size).toBe(100)
    expect(visited(index, 4)).toEqual(numbers(19_901, 20_000))
    expect(index.bytes).toBeLessThan(before / 10)
  })

  it('takes at most 25 MB for a million keys, and 38 MB for the moment in which it grows', () => {
    const index = new KeyIndex(2 ** 20)
    expect(index.bytes).toBeLessThanOrEqual(25.2e6)
    // As many as may come while a round brings the first million to the disk: DESIGN, section 5, allows 48 MB.
    expect(new KeyIndex(1.5 * 2 ** 20).bytes).toBe(index.bytes)
    expect(1.5 * index.bytes).toBeLessThan(48 * 1024 * 1024)
  })
})

describe('the number of a journal row in 32 bits', () => {
  it.each([1, 2, 1000, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33 - 2, 9 * 2 ** 33 + 5])(
    'tells how far row %i lies back, however many rows there were',
    (row) => {
      for (const since of [0, 1, 1000, 2 ** 31, 2 ** 32 - 2])
        expect(rowsBack(shortRow(row), row + since)).toBe(since)
      expect(shortRow(row)).toBeGreaterThan(0)
      expect(shortRow(row)).toBeLessThan(2 ** 32)
    },
  )
})
