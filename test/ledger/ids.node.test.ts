import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LedgerIdPrefix, ledgerId, ledgerTag, parseLedgerId, randomId } from '../../src/ids.ts'
import { entryNumberOf, LedgerIds, tagOf } from '../../src/ledger/model/ledger-ids.ts'
import type { LedgerName } from '../../src/ledger/model/vocabulary.ts'

const TAG = 'abcdefgh'
const PREFIXES: readonly LedgerIdPrefix[] = ['evt', 'txn', 'lot', 'wal']
const LATEST_MS = Date.UTC(9999, 11, 31)

const time = fc.integer({ min: 0, max: LATEST_MS })
/**
 * The largest number that fits into the 8 characters of an id. It is enough for a million entries per second for 12
 * days.
 */
const LAST_NUMBER = 2 ** 40 - 1
const number = fc.integer({ min: 0, max: LAST_NUMBER })

describe('the id of a numbered object of a ledger', () => {
  it('contains its time and its number', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PREFIXES), time, number, (prefix, at_ms, n) => {
        const id = ledgerId(prefix, at_ms, n, TAG)
        expect(id).toMatch(/^[a-z]+_[0-9a-hjkmnp-tv-z]{26}$/)
        expect(parseLedgerId(prefix, id, TAG)).toEqual({ at_ms, number: n })
      }),
    )
  })

  it('is not made for a number that does not fit', () => {
    expect(() => ledgerId('evt', 1, LAST_NUMBER + 1, TAG)).toThrow(RangeError)
  })

  it('sorts by time and then by number', () => {
    fc.assert(
      fc.property(time, number, time, number, (at_a, a, at_b, b) => {
        const earlier = at_a - at_b || a - b
        const left = ledgerId('evt', at_a, a, TAG)
        const right = ledgerId('evt', at_b, b, TAG)
        expect(left < right ? -1 : left > right ? 1 : 0).toBe(Math.sign(earlier))
      }),
    )
  })

  it.each([
    ['of another kind', ledgerId('txn', 1, 1, TAG)],
    ['of another ledger', ledgerId('evt', 1, 1, 'abcdefgj')],
    ['too short', ledgerId('evt', 1, 1, TAG).slice(0, -1)],
    ['too long', `${ledgerId('evt', 1, 1, TAG)}0`],
    ['in upper case', ledgerId('evt', 1, 1, TAG).toUpperCase()],
    ['with a letter that base 32 leaves out', ledgerId('evt', 1, 1, TAG).replace('0', 'l')],
    ['without its prefix', ledgerId('evt', 1, 1, TAG).slice(4)],
    ['empty', ''],
    ['with a space', ` ${ledgerId('evt', 1, 1, TAG)}`],
    ['an event from a SQL injection course', "evt_' OR 1=1 --000000000000000"],
  ])('is not accepted when it is %s', (_, id) => {
    expect(parseLedgerId('evt', id, TAG)).toBeUndefined()
  })
})

describe('the tag of a ledger', () => {
  const live: LedgerName = { customer_id: 'cust_1', mode: 'live' }
  const test: LedgerName = { customer_id: 'cust_1', mode: 'test' }
  const other: LedgerName = { customer_id: 'cust_2', mode: 'live' }

  it('distinguishes live from test, and customers from each other', () => {
    expect(new Set([tagOf(live), tagOf(test), tagOf(other)]).size).toBe(3)
  })

  it('makes an id of one ledger invalid in another', () => {
    const id = new LedgerIds(tagOf(live), 0).event({ at_ms: 5, number: 7 })
    expect(entryNumberOf('evt', id, live)).toBe(7)
    expect(entryNumberOf('txn', id, live)).toBeUndefined()
    expect(entryNumberOf('evt', id, test)).toBeUndefined()
    expect(entryNumberOf('evt', id, other)).toBeUndefined()
  })

  it('is the first 40 bits of a digest', () => {
    expect(ledgerTag(new Uint8Array(32))).toBe('00000000')
    expect(ledgerTag(new Uint8Array(32).fill(255))).toBe('zzzzzzzz')
    expect(ledgerTag(Uint8Array.of(1, 2, 3, 4, 5, 6))).toBe(ledgerTag(Uint8Array.of(1, 2, 3, 4, 5, 99)))
  })
})

describe('a random id', () => {
  it('sorts by time, for any random part', () => {
    const early = randomId('batch', 1, new Uint8Array(10).fill(255))
    const late = randomId('batch', 2, new Uint8Array(10))
    expect(early < late).toBe(true)
    expect(early).toBe('batch_0000000001zzzzzzzzzzzzzzzz')
  })

  it('requires enough random bytes', () => {
    expect(() => randomId('batch', 1, new Uint8Array(9))).toThrow(RangeError)
  })
})
