import { describe, expect, it } from 'vitest'
import { type Question, rangeProblem, startOf } from '../../src/analytics/question.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

describe('windows of time', () => {
  it.each([
    ['hour', '2026-03-01T13:00:00Z', '2026-03-01T13:00:00Z'],
    ['day', '2026-03-01T23:00:00Z', '2026-03-01T00:00:00Z'],
    ['week', '2026-03-02T00:00:00Z', '2026-03-02T00:00:00Z'], // a Monday
    ['week', '2026-03-01T23:00:00Z', '2026-02-23T00:00:00Z'], // the previous Sunday
    ['week', '1970-01-01T00:00:00Z', '1969-12-29T00:00:00Z'],
    ['month', '2024-02-29T23:00:00Z', '2024-02-01T00:00:00Z'],
    ['month', '2026-12-31T23:00:00Z', '2026-12-01T00:00:00Z'],
  ] as const)('the %s of %s begins at %s', (window, at, start) => {
    expect(startOf(window, Date.parse(at) / HOUR_MS)).toBe(Date.parse(start))
  })
})

describe('the range of a question', () => {
  const question = (days: number, more: Partial<Question> = {}): Question => ({
    from_ms: 0,
    to_ms: days * DAY_MS,
    group_by: [],
    filters: {},
    ...more,
  })

  it.each([
    ['366 days', question(366), undefined],
    ['367 days', question(367), 'must be at most 366 days before to'],
    ['ten years', question(3652), 'must be at most 366 days before to'],
    ['31 days by the hour', question(31, { group_by: ['hour'] }), undefined],
    [
      '32 days by the hour',
      question(32, { group_by: ['hour'] }),
      'must be at most 31 days before to if grouped by hour',
    ],
    [
      '93 days by user',
      question(93, { group_by: ['user'] }),
      'must be at most 92 days before to if grouped or filtered by user',
    ],
    [
      '93 days of one user',
      question(93, { filters: { user: new Set([1]) } }),
      'must be at most 92 days before to if grouped or filtered by user',
    ],
    ['nothing', question(0), 'must be before to'],
    ['the past before itself', question(-1), 'must be before to'],
  ])('%s', (_, asked, message) => {
    expect(rangeProblem(asked)?.message).toBe(message)
  })

  it('is not too long because its ends were widened to whole hours', () => {
    expect(rangeProblem(question(31 + 2 / 24, { group_by: ['hour'] }))).toBeUndefined()
  })
})
