import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { CallTimer } from '../../src/gateway/stream/call-timer.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const HOLD_MS = 900_000

/** Returns a timer and the times at which it extended the hold, in milliseconds after its creation. */
function timerWithLog() {
  const start_ms = Date.now()
  const extensions: number[] = []
  const timer = new CallTimer(HOLD_MS, () => extensions.push(Date.now() - start_ms))
  return { timer, extensions }
}

it.each([100, 120_000, 600_000, 5_000_000])('limits a wait of %i ms exactly', (limit_ms) => {
  const { timer } = timerWithLog()
  const onLimit = vi.fn()
  timer.start(limit_ms, onLimit)
  vi.advanceTimersByTime(limit_ms - 1)
  expect(onLimit).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(onLimit).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
})

it('starts no timer for each of many short waits, and extends no hold', () => {
  const { timer, extensions } = timerWithLog()
  const set = vi.spyOn(globalThis, 'setTimeout')
  for (let i = 0; i < 1_000; i++) {
    timer.start(120_000, () => {})
    timer.start(600_000, () => {})
    vi.advanceTimersByTime(100)
  }
  timer.stop()
  expect(set).toHaveBeenCalledTimes(1)
  expect(extensions).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

it('limits a short wait after a long one', () => {
  const { timer } = timerWithLog()
  const onLimit = vi.fn()
  timer.start(600_000, () => {})
  vi.advanceTimersByTime(10)
  timer.start(50, onLimit)
  vi.advanceTimersByTime(50)
  expect(onLimit).toHaveBeenCalledTimes(1)
})

it.each([
  ['for the headers and for the first chunk', [599_999, 599_999]],
  ['that are short', Array<number>(400).fill(9_000)],
  ['of different lengths', [1, 299_999, 149_999, 599_999, 2, 450_000, 299_999]],
])('extends the hold before half of its lifetime has passed, during waits %s', (_, waits_ms) => {
  const { timer, extensions } = timerWithLog()
  for (const wait_ms of waits_ms) {
    timer.start(600_000, () => {
      throw new Error('over the limit')
    })
    vi.advanceTimersByTime(wait_ms)
  }
  const total_ms = waits_ms.reduce((sum, wait_ms) => sum + wait_ms, 0)
  const times = [0, ...extensions, total_ms]
  for (const [index, at_ms] of times.entries()) {
    const gap_ms = at_ms - (times[index - 1] ?? 0)
    expect(gap_ms).toBeLessThanOrEqual(HOLD_MS / 2)
    if (index > 0 && index < times.length - 1) expect(gap_ms).toBeGreaterThanOrEqual(HOLD_MS / 6)
  }
})

it('does not extend a hold that its caller has just extended', () => {
  const { timer, extensions } = timerWithLog()
  timer.start(600_000, () => {})
  vi.advanceTimersByTime(200_000)
  timer.extended()
  vi.advanceTimersByTime(150_000)
  expect(extensions).toEqual([])
})
