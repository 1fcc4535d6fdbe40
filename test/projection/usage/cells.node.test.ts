import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { sizeOf } from '../../../src/db/json-parameters.ts'
import {
  type Cell,
  Cells,
  packTotals,
  totalsOf,
  unpackTotals,
  WeighedCells,
} from '../../../src/usage/cells/cells.ts'
import { packCells, unpackCells } from '../../../src/usage/cells/pack-cells.ts'
import { cellOf } from '../../../src/usage/queue/message.ts'
import { deltas, reference, said } from './arbitraries.ts'

const { seed, runs } = inject('fuzz')
const options = { numRuns: runs ?? 500, ...(seed !== undefined && { seed }) }

function textOf(cells: Iterable<Cell>): string {
  return JSON.stringify(packCells(cells))
}

describe('cells', () => {
  it('hold the exact sums of all additions', () => {
    fc.assert(
      fc.property(deltas(60), (all) => {
        expect(said(Cells.of(all.map(cellOf)))).toEqual(reference(all))
      }),
      options,
    )
  })

  it('pack to the same bytes in any order and grouping of additions', () => {
    const grouped = deltas(60).chain((all) =>
      fc.record({
        all: fc.constant(all),
        shuffled: fc.shuffledSubarray(all, { minLength: all.length }),
        cut: fc.nat(all.length),
      }),
    )
    fc.assert(
      fc.property(grouped, ({ all, shuffled, cut }) => {
        const atOnce = textOf(Cells.of(all.map(cellOf)))
        const [a, b] = [shuffled.slice(0, cut), shuffled.slice(cut)].map((part) => Cells.of(part.map(cellOf)))
        const through = [a, b].flatMap((cells) => unpackCells(JSON.parse(textOf(cells ?? []))))
        expect(textOf(Cells.of(through))).toBe(atOnce)
      }),
      options,
    )
  })

  it('are unpacked to equal cells, and no other cells pack to the same bytes', () => {
    fc.assert(
      fc.property(deltas(60), (all) => {
        const cells = Cells.of(all.map(cellOf))
        expect(said(unpackCells(JSON.parse(textOf(cells)), 'strict'))).toEqual(said(cells))
      }),
      options,
    )
  })

  it('never weigh less than their packed size', () => {
    fc.assert(
      fc.property(deltas(60), (all) => {
        const cells = WeighedCells.of(all.map(cellOf))
        expect(sizeOf(textOf(cells))).toBeLessThanOrEqual(cells.weight + EMPTY)
      }),
      options,
    )
  })

  it('weigh the same at any time of weighing, because messages are cut by their weight', () => {
    fc.assert(
      fc.property(deltas(60), fc.integer({ min: 1, max: 4_000 }), (all, bound) => {
        const [often, once] = [new WeighedCells(), new WeighedCells()]
        for (const delta of all) {
          often.add(cellOf(delta))
          once.add(cellOf(delta))
          expect(once.reaches(bound)).toBe(often.weight >= bound)
        }
        expect(once.weight).toBe(often.weight)
      }),
      options,
    )
  })

  it('weigh little more than their packed size when there are many of a kind', () => {
    const cells = new WeighedCells()
    for (let i = 0; i < 2_000; i++) cells.add(usual({ hour: 490_000 + (i % 24), user: i + 1 }))
    expect(cells.weight / sizeOf(textOf(cells))).toBeLessThan(1.5)
  })

  it('that are all zero are left out', () => {
    const cells = new Cells()
    cells.add(usual())
    cells.add({
      ...usual(),
      events: -1,
      credits_micro: -15_000_000n,
      cost_pico: -7_500_000_000n,
      price_pico: -15_000_000_000n,
      paid_pico: 0n,
      units_nano: new Map([...usual().units_nano].map(([unit, nano]) => [unit, -nano])),
    })
    expect([...cells]).toEqual([])
    expect(textOf(cells)).toBe('{"h":0,"s":[],"k":[],"u":[],"c":[]}')
  })

  it('keep sums that a double cannot represent', () => {
    const cells = new Cells()
    for (let i = 0; i < 3; i++) cells.add({ ...usual(), cost_pico: 7_999_999_999_999_999_999_999n })
    expect(textOf(cells)).toContain('"23999999999999999999997"')
    expect([...unpackCells(JSON.parse(textOf(cells)))][0]?.cost_pico).toBe(23_999_999_999_999_999_999_997n)
  })
})

describe('totals', () => {
  it('are the sums of all cells, and are unpacked to equal sums', () => {
    fc.assert(
      fc.property(deltas(40), (all) => {
        const totals = totalsOf(Cells.of(all.map(cellOf)))
        expect(totals).toEqual({
          events: all.reduce((sum, { events }) => sum + BigInt(events), 0n),
          credits_micro: all.reduce((sum, { credits_micro }) => sum + BigInt(credits_micro), 0n),
          cost_pico: all.reduce((sum, { cost_pico }) => sum + cost_pico, 0n),
          price_pico: all.reduce((sum, { price_pico }) => sum + price_pico, 0n),
          paid_pico: all.reduce((sum, { paid_pico }) => sum + paid_pico, 0n),
        })
        expect(unpackTotals(packTotals(totals))).toEqual(totals)
      }),
      options,
    )
  })
})

/**
 * The length of the JSON without cells, `{"h":0,"s":[],"k":[],"u":[],"c":[]}`. The weights of the cells do not include
 * it.
 */
const EMPTY = 36

function usual(options_: Partial<Cell> = {}): Cell {
  return {
    hour: 490_000,
    feature_id: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    event_type: 'TOKEN_USAGE',
    user: null,
    team: null,
    key: null,
    events: 1,
    credits_micro: 15_000_000n,
    cost_pico: 7_500_000_000n,
    price_pico: 15_000_000_000n,
    paid_pico: 0n,
    units_nano: new Map([
      ['input_tokens', 1_000_000_000_000n],
      ['output_tokens', 500_000_000_000n],
    ]),
    ...options_,
  }
}
