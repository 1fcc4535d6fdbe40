import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { admitsKind, admitsSubjects, GROUPS, type Question } from '../../src/analytics/question.ts'
import { renderCosts, renderUsage } from '../../src/analytics/render.ts'
import { MAX_GROUPS, Summary, TooManyGroups } from '../../src/analytics/summary.ts'
import type { Cell } from '../../src/usage/cells/cells.ts'

const { seed, runs } = inject('fuzz')
const QUESTION: Question = { from_ms: 0, to_ms: 3_600_000, group_by: [], filters: {} }
const NAMES = (kind: string, number: number) => `${kind} ${number}`

function cellOf(cell: Partial<Cell>): Cell {
  return {
    hour: 0,
    feature_id: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    event_type: 'TOKEN_USAGE',
    user: null,
    team: null,
    key: null,
    events: 1,
    credits_micro: 0n,
    cost_pico: 0n,
    price_pico: 0n,
    paid_pico: 0n,
    units_nano: new Map(),
    ...cell,
  }
}

function summaryOf(question: Question, cells: readonly Cell[]): Summary {
  const summary = new Summary(question)
  for (const cell of cells) summary.add(cell)
  return summary
}

function answered(question: Question, cells: readonly Cell[]) {
  return { question, summary: summaryOf(question, cells), name: NAMES, as_of_ms: 0 }
}

const asJson = (answer: object) => JSON.parse(JSON.stringify(answer))

describe('rows and totals', () => {
  it('without a group there is one row, even without usage', () => {
    const answer = asJson(renderUsage(answered(QUESTION, [])))
    const nothing = { events: 0, units: {}, credits: 0, provider_cost_usd: 0 }
    expect(answer).toMatchObject({ data: [{ group: {}, ...nothing }], totals: nothing })
  })

  it('are sorted by group, windows by time, without a value last, users by their names', () => {
    const question: Question = { ...QUESTION, group_by: ['day', 'user'] }
    const cells = [
      cellOf({ hour: 25, user: 2 }),
      cellOf({ hour: 1, user: null, credits_micro: 1n }),
      cellOf({ hour: 2, user: 1, units_nano: new Map([['video_seconds', 1_500_000_000n]]) }),
      cellOf({ hour: 3, user: 1, units_nano: new Map([['video_seconds', 250_000_001n]]) }),
    ]
    expect(asJson(renderUsage(answered(question, cells))).data).toMatchObject([
      {
        group: { day: '1970-01-01T00:00:00.000Z', user: 'user 1' },
        events: 2,
        units: { video_seconds: 1.750000001 },
      },
      { group: { day: '1970-01-01T00:00:00.000Z', user: null }, events: 1, credits: 0.000001 },
      { group: { day: '1970-01-02T00:00:00.000Z', user: 'user 2' }, events: 1 },
    ])
  })

  it('exclude values that a filter does not name, and rows without a value', () => {
    const cells = [cellOf({ user: 1 }), cellOf({ user: 2 }), cellOf({}), cellOf({ provider: null, user: 1 })]
    const filtered = (filters: Question['filters']) =>
      summaryOf(
        QUESTION,
        cells.filter((cell) => admitsKind(filters, cell) && admitsSubjects(filters, cell)),
      ).totals().events
    expect(filtered({ user: new Set([1]) })).toBe(2)
    expect(filtered({ user: new Set([1, 2]), provider: new Set(['OPENAI']) })).toBe(2)
    expect(filtered({ user: new Set() })).toBe(0)
  })

  it('end when there are too many groups', () => {
    const summary = new Summary({ ...QUESTION, group_by: ['feature'] })
    for (let i = 0; i < MAX_GROUPS; i++) summary.add(cellOf({ feature_id: `feature ${i}` }))
    summary.add(cellOf({ feature_id: 'feature 0' }))
    expect(() => summary.add(cellOf({ feature_id: 'one more' }))).toThrow(TooManyGroups)
  })

  it('report the revenue: the margin is a share of it, and null without revenue', () => {
    const cells = [
      cellOf({ cost_pico: 7_500_000_000n, price_pico: 15_000_000_000n, paid_pico: 3_000_000_000n }),
    ]
    expect(asJson(renderCosts(answered(QUESTION, cells))).totals).toEqual({
      provider_cost_usd: 0.0075,
      revenue_usd: 0.015,
      paid_revenue_usd: 0.003,
      margin_usd: 0.0075,
      margin_percent: 50,
    })
    const free = [cellOf({ cost_pico: 7_500_000_000n })]
    expect(asJson(renderCosts(answered(QUESTION, free))).totals).toMatchObject({
      margin_usd: -0.0075,
      margin_percent: null,
    })
  })

  it('rows add up exactly to their totals, for any groups', () => {
    const pico = fc.bigInt(-(10n ** 16n), 10n ** 22n)
    const name = fc.constantFrom('a', 'b', 'c')
    const cell = fc
      .record({
        hour: fc.nat(5_000),
        feature_id: name,
        provider: fc.option(name),
        model: fc.option(name),
        user: fc.option(fc.nat(3)),
        team: fc.option(fc.nat(3)),
        events: fc.integer({ min: -5, max: 1_000 }),
        credits_micro: fc.bigInt(-(10n ** 9n), 10n ** 18n),
        cost_pico: pico,
        price_pico: pico,
        paid_pico: pico,
        units_nano: fc
          .dictionary(fc.constantFrom('input_tokens', 'video_seconds'), fc.bigInt(1n, 10n ** 24n))
          .map((units) => new Map(Object.entries(units))),
      })
      .map(cellOf)
    fc.assert(
      fc.property(
        fc.array(cell, { maxLength: 60 }),
        fc.uniqueArray(fc.constantFrom(...GROUPS), { maxLength: 3 }),
        (cells, group_by) => {
          const question = { ...QUESTION, group_by }
          for (const render of [renderUsage, renderCosts]) {
            const { data, totals } = numbersAsText(render(answered(question, cells)))
            for (const field of Object.keys(totals)) {
              if (field === 'margin_percent' || field === 'units') continue
              const sum = data.reduce(
                (rows: bigint, row: Record<string, string>) => rows + scaled(row[field]),
                0n,
              )
              expect(sum, field).toBe(scaled(totals[field]))
            }
          }
        },
      ),
      { ...(seed !== undefined && { seed }), numRuns: runs ?? 200 },
    )
  })
})

/** Returns the response with its numbers as strings, because numbers that are parsed as doubles would lose digits. */
function numbersAsText(answer: object) {
  return JSON.parse(JSON.stringify(answer).replaceAll(/":(-?\d+(?:\.\d+)?)/g, `":"$1"`))
}

/** Converts a number with at most 6 decimal places to millionths. Throws for any other text. */
function scaled(text = ''): bigint {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text) ?? []
  if (whole === '') throw new Error(`not a number of at most 6 decimals: ${text}`)
  return BigInt(`${sign}${whole}${fraction.padEnd(6, '0')}`)
}
