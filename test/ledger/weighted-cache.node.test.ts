import { describe, expect, it } from 'vitest'
import { WeightedCache } from '../../src/ledger/commit/weighted-cache.ts'

describe('a cache that is bounded by weight', () => {
  it('keeps all entries that fit, for any number of entries', () => {
    const cache = new WeightedCache<number, number>(1000)
    for (let i = 0; i < 1000; i++) cache.set(i, i, 1)
    expect(cache.get(0)).toBe(0)
    expect(cache.get(999)).toBe(999)
  })

  it('drops as many of the least recently used entries as a heavy entry needs', () => {
    const cache = new WeightedCache<string, string>(10)
    for (const key of ['a', 'b', 'c', 'd']) cache.set(key, key, 2)
    cache.get('a')
    cache.set('heavy', 'heavy', 6)
    expect(['a', 'b', 'c', 'd', 'heavy'].map((key) => cache.get(key))).toEqual([
      'a',
      undefined,
      undefined,
      'd',
      'heavy',
    ])
  })

  it('does not keep an entry that is heavier than its capacity', () => {
    const cache = new WeightedCache<string, number>(10)
    cache.set('a', 1, 10)
    cache.set('b', 2, 11)
    expect([cache.get('a'), cache.get('b')]).toEqual([undefined, undefined])
    cache.set('c', 3, 10)
    expect(cache.get('c')).toBe(3)
  })

  it('weighs a replaced entry again, and no longer counts a deleted one', () => {
    const cache = new WeightedCache<string, number>(10)
    cache.set('a', 1, 9)
    cache.set('a', 2, 1)
    cache.set('b', 3, 9)
    expect([cache.get('a'), cache.get('b')]).toEqual([2, 3])
    cache.delete('b')
    cache.delete('b')
    cache.set('c', 4, 9)
    expect([cache.get('a'), cache.get('c')]).toEqual([2, 4])
    cache.clear()
    cache.set('d', 5, 10)
    expect([cache.get('a'), cache.get('d')]).toEqual([undefined, 5])
  })
})
