import { expect, it } from 'vitest'
import { noteRate, spacing } from '../src/api/pace.ts'

const answer = (left: number, resets_in_s: number) =>
  new Headers({
    'RateLimit-Policy': '"default";q=100;w=60',
    RateLimit: `"default";r=${left};t=${resets_in_s}`,
  })

it('leaves half of the requests of a minute to other clients, and spreads its own over the rest of the minute', () => {
  expect(spacing(0)).toBe(0)
  noteRate(answer(90, 60), 1_000)
  expect(spacing(1_000)).toBe(1_500)
  expect(spacing(41_000)).toBe(500)
  noteRate(new Headers(), 41_000)
  expect(spacing(41_000)).toBe(500)
  noteRate(answer(50, 20), 41_000)
  expect(spacing(41_000)).toBe(Infinity)
  // In the next minute, the count of requests starts again.
  expect(spacing(61_000)).toBe(0)
})
