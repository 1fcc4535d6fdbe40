import { describe, expect, it } from 'vitest'
import { insertLot, type Lot, takeFromLots } from '../../src/ledger/model/lots.ts'
import { MAX_MICRO_CREDITS, microCredits } from '../../src/pricing/money.ts'

/**
 * Tests the burn order with results that were determined by hand. Lots burn by priority (lower first), then expiry
 * (earlier first, no expiry last), then kind (promo first), then age (older first). In the tests, `amount [p priority]
 * [x expiry] [paid]` is a lot, and `lot:amount` is a taken or remaining amount. Lots are numbered in the order of
 * creation.
 */
interface Case {
  readonly name: string
  readonly lots: readonly string[]
  /** The burns in order, each with the amounts that it takes from the lots. */
  readonly burns: readonly (readonly [amount: number, taken: string])[]
  /** The remaining lots in burn order. */
  readonly left: string
}

const MAX = MAX_MICRO_CREDITS

// biome-ignore format: the rows of the table have aligned columns
const cases: readonly Case[] = [
  { name: 'a part of the only lot', lots: ['100'], burns: [[30, '1:30']], left: '1:70' },
  { name: 'the only lot exactly, which closes it', lots: ['100'], burns: [[100, '1:100']], left: '' },
  { name: 'nothing, for an event that is free', lots: ['100'], burns: [[0, '']], left: '1:100' },
  { name: 'nothing out of nothing', lots: [], burns: [[0, '']], left: '' },
  { name: 'the lower priority number first', lots: ['100', '100 p10'], burns: [[60, '2:60']], left: '2:40 1:100' },
  { name: 'priority 0 before 100, the two ends', lots: ['5 p100', '5 p0'], burns: [[6, '2:5 1:1']], left: '1:4' },
  { name: 'a better priority before an earlier expiry', lots: ['100 p50 x1', '100 p49'], burns: [[10, '2:10']], left: '2:90 1:100' },
  { name: 'a better priority before promo', lots: ['100 p1', '100 p0 paid'], burns: [[10, '2:10']], left: '2:90 1:100' },
  { name: 'a better priority before age', lots: ['10 p3', '10 p2', '10 p1'], burns: [[21, '3:10 2:10 1:1']], left: '1:9' },
  { name: 'the earlier expiry first', lots: ['100 x2000', '100 x1999'], burns: [[10, '2:10']], left: '2:90 1:100' },
  { name: 'what never expires last, however far the other expiry', lots: ['100', '100 x253402300799999'], burns: [[150, '2:100 1:50']], left: '1:50' },
  { name: 'an earlier expiry before promo', lots: ['100', '100 x1000 paid'], burns: [[100, '2:100']], left: '1:100' },
  { name: 'an earlier expiry before age', lots: ['10 x3000', '10 x2000', '10 x1000'], burns: [[25, '3:10 2:10 1:5']], left: '1:5' },
  { name: 'promo before paid at the same expiry', lots: ['10 x1000 paid', '10 x1000'], burns: [[11, '2:10 1:1']], left: '1:9' },
  { name: 'promo before paid when neither expires', lots: ['10 paid', '10'], burns: [[10, '2:10']], left: '1:10' },
  { name: 'promo before paid before age', lots: ['10 paid', '10 paid', '10'], burns: [[11, '3:10 1:1']], left: '1:9 2:10' },
  { name: 'the older of two equal promo lots', lots: ['10', '10'], burns: [[4, '1:4']], left: '1:6 2:10' },
  { name: 'the older of two equal paid lots', lots: ['10 x7 paid', '10 x7 paid'], burns: [[10, '1:10']], left: '2:10' },
  { name: 'exactly the first of two lots, nothing of the second', lots: ['10', '20'], burns: [[10, '1:10']], left: '2:20' },
  { name: 'two lots whole and a part of the third', lots: ['10', '20', '30'], burns: [[45, '1:10 2:20 3:15']], left: '3:15' },
  { name: 'all of all lots', lots: ['10', '20 paid', '30 x5'], burns: [[60, '3:30 1:10 2:20']], left: '' },
  { name: 'the rest of a lot that was begun before a newer equal one', lots: ['10', '10'], burns: [[4, '1:4'], [4, '1:4'], [4, '1:2 2:2']], left: '2:8' },
  { name: 'one micro-credit at a time across two lots', lots: ['2', '2'], burns: [[1, '1:1'], [1, '1:1'], [1, '2:1'], [1, '2:1']], left: '' },
  { name: 'all but one micro-credit of the largest lot', lots: [`${MAX}`], burns: [[MAX - 1, `1:${MAX - 1}`]], left: '1:1' },
  {
    name: 'by every rule at once',
    // The position of each lot in the burn order:
    //     last       7th    4th            6th  2nd            5th            3rd       1st
    lots: ['1 p60 x10', '1 paid', '1 x200 paid', '1', '1 x100 paid', '1 x200 paid', '1 x200', '1 p40 paid'],
    burns: [[8, '8:1 5:1 7:1 3:1 6:1 4:1 2:1 1:1']],
    left: '',
  },
]

function readLot(text: string, index: number): Lot {
  const [, amount, priority, expiry, paid] = /^(\d+)(?: p(\d+))?(?: x(\d+))?( paid)?$/.exec(text) ?? []
  if (amount === undefined) throw new Error(`not a lot: ${text}`)
  return {
    number: index + 1,
    kind: paid ? 'paid' : 'promo',
    priority: Number(priority ?? 50),
    expires_at_ms: expiry === undefined ? null : Number(expiry),
    created_at_ms: index,
    amount: microCredits(Number(amount)),
    left: microCredits(Number(amount)),
    held: microCredits(0),
  }
}

function walletWith(lots: readonly Lot[]): Lot[] {
  const wallet: Lot[] = []
  for (const lot of lots) insertLot(wallet, { ...lot })
  return wallet
}

/**
 * Burns credits, and returns the amounts that are taken from the lots. Checks that these amounts add up to the burned
 * amount.
 */
function burn(wallet: Lot[], amount: number): string {
  const takes = takeFromLots(wallet, microCredits(amount))
  expect(takes.reduce((sum, { part }) => sum + part[1], 0)).toBe(0 - amount)
  return takes.map(({ part: [number, taken] }) => `${number}:${-taken}`).join(' ')
}

describe('a burn takes', () => {
  it.each(cases)('$name', ({ lots, burns, left }) => {
    const wallet = walletWith(lots.map(readLot))
    for (const [amount, taken] of burns) expect(burn(wallet, amount)).toBe(taken)
    expect(wallet.map((lot) => `${lot.number}:${lot.left}`).join(' ')).toBe(left)
  })

  it('in the same order, for any order of creation', () => {
    const lots = ['1 p60', '1 x200 paid', '1 x200', '1', '1 paid'].map(readLot)
    for (let turn = 0; turn < lots.length; turn++) {
      const turned = [...lots.slice(turn), ...lots.slice(0, turn)]
      expect(walletWith(turned).map((lot) => lot.number)).toEqual([3, 2, 4, 5, 1])
      expect(walletWith(turned.reverse()).map((lot) => lot.number)).toEqual([3, 2, 4, 5, 1])
    }
  })

  it('a newer lot of better priority before the rest of one that was begun', () => {
    const wallet = walletWith([readLot('10', 0)])
    expect(burn(wallet, 4)).toBe('1:4')
    insertLot(wallet, readLot('10 p1', 1))
    expect(burn(wallet, 12)).toBe('2:10 1:2')
  })

  it('throws when the lots hold less than the caller has checked', () => {
    const wallet = walletWith(['10', '10'].map(readLot))
    expect(() => takeFromLots(wallet, microCredits(21))).toThrow(/1 micro-credits/)
  })
})
