import { describe, expect, it } from 'vitest'
import { rowsBack, shortRow, sipHash } from '../../src/ledger/idempotency/hash.ts'
import { KeyIndex } from '../../src/ledger/idempotency/memory-index.ts'
import { BloomFilter } from '../../src/ledger/idempotency/segments.ts'

const hashOf = (key: number) => sipHash([1, 2, 3, 4], `key-${key}`)

function filled(count: number): KeyIndex {
  const index = new KeyIndex()
  for (let key = 1; key <= count; key++) index.add(hashOf(key).low, hashOf(key).high, key)
  return index
}

/** Visits the index once for each prefix with this number of bits. Returns the visited rows, sorted by number. */
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

  it('visits and finds entries that wrap around from its end to its beginning', () => {
    const index = new KeyIndex()
    for (let row = 1; row <= 50; row++) index.add(row, 0xffff_ffff, row)
    for (let row = 51; row <= 60; row++) index.add(row, 0, row)
    for (const bits of [0, 1, 5, 16]) expect(visited(index, bits)).toEqual(numbers(1, 60))
    expect(index.find({ low: 50, high: 0xffff_ffff })).toEqual([50])
    expect(index.find({ low: 60, high: 0 })).toEqual([60])
  })

  it('has all rows of one hash', () => {
    const index = new KeyIndex()
    for (let row = 1; row <= 700; row++) index.add(5, 7, row)
    expect(index.find({ low: 5, high: 7 }).toSorted((a, b) => a - b)).toEqual(numbers(1, 700))
    expect(index.find({ low: 6, high: 7 })).toEqual([])
  })

  it('is empty after it was cleared, with room for the given number of entries only', () => {
    const index = filled(20_000)
    const before = index.bytes
    index.clear(20_000)
    expect(index.bytes).toBe(before)
    expect(visited(index, 4)).toEqual([])
    expect(index.find(hashOf(1))).toEqual([])
    index.clear(100)
    expect(index.size).toBe(0)
    expect(index.bytes).toBeLessThan(before / 10)
    index.add(hashOf(7).low, hashOf(7).high, 7)
    expect(index.find(hashOf(7))).toEqual([7])
  })

  it('takes at most 25 MB for a million keys, and 38 MB while it grows', () => {
    const index = new KeyIndex(2 ** 20)
    expect(index.bytes).toBeLessThanOrEqual(25.2e6)
    expect(new KeyIndex(1.5 * 2 ** 20).bytes).toBe(index.bytes)
    expect(1.5 * index.bytes).toBeLessThan(48 * 1024 * 1024)
  })
})

describe('a Bloom filter of keys', () => {
  const KEYS = 20_000
  const added = BloomFilter.sizedFor(KEYS)
  for (let key = 1; key <= KEYS; key++) added.add(hashOf(key))

  it.each([
    ['as filled', added],
    ['as stored and read again', BloomFilter.fromBlob(added.blob)],
  ])('%s finds every key that was added, and less than one in 200 other keys', (_, filter) => {
    for (let key = 1; key <= KEYS; key++) expect(filter.mayHave(hashOf(key))).toBe(true)
    const others = numbers(KEYS + 1, 6 * KEYS).filter((key) => filter.mayHave(hashOf(key)))
    expect(others.length / (5 * KEYS)).toBeLessThan(0.005)
  })

  it('takes 12 bits a key', () => {
    expect(added.blob.byteLength / KEYS).toBeCloseTo(1.5, 2)
  })

  it('of many keys fits into a stored row', () => {
    expect(BloomFilter.sizedFor(1.5 * 2 ** 20).blob.byteLength).toBeLessThan(1.9e6)
  })

  it('has no bits without keys', () => {
    expect(numbers(1, 1000).some((key) => BloomFilter.sizedFor(0).mayHave(hashOf(key)))).toBe(false)
  })
})

describe('the number of a journal row in 32 bits', () => {
  it.each([1, 2, 1000, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33 - 2, 9 * 2 ** 33 + 5])(
    'gives the distance of row %i from a later row, for any number of rows',
    (row) => {
      for (const since of [0, 1, 1000, 2 ** 31, 2 ** 32 - 2])
        expect(rowsBack(shortRow(row), row + since)).toBe(since)
      expect(shortRow(row)).toBeGreaterThan(0)
      expect(shortRow(row)).toBeLessThan(2 ** 32)
    },
  )
})
