import { describe, expect, it } from 'vitest'
import { type Activity, estimatedCost, estimatedUsage } from '../../src/admin/stats/cost-estimate.ts'
import { NO_PLATFORM_USAGE, platformCost } from '../../src/admin/stats/platform-cost.ts'

const DAY_MS = 86_400_000
const NOTHING: Activity = {
  requests: 0,
  changes: 0,
  events: 0,
  ledgers: 0,
  period_ms: DAY_MS,
  flush_delay_ms: 5000,
}

describe('the prices of the platform', () => {
  it.each([
    ['worker_requests', 300_000],
    ['worker_cpu_ms', 20_000],
    ['object_requests', 150_000],
    ['object_rows_written', 1_000_000],
    ['object_rows_read', 1_000],
    ['d1_rows_written', 1_000_000],
    ['d1_rows_read', 1_000],
    ['queue_operations', 400_000],
    ['kv_reads', 500_000],
    ['kv_writes', 5_000_000],
    // Cloudflare bills an object with 128 MB (1/8 GB), so a millisecond of an object is 0.000125 GB-s.
    ['object_ms', 1_562.5],
  ] as const)('one of %s costs %d pico-USD', (name, pico) => {
    expect(platformCost({ ...NO_PLATFORM_USAGE, [name]: 1000 })).toBe(BigInt(1000 * pico))
  })
})

describe('the estimate of a deployment', () => {
  it('is zero without activity', () => {
    expect(estimatedCost({ ...NOTHING, ledgers: 1000 })).toBe(0n)
  })

  it('counts a Worker request and an object request for a read', () => {
    expect(estimatedUsage({ ...NOTHING, requests: 7, ledgers: 1 })).toMatchObject({
      worker_requests: 7,
      object_requests: 7,
      object_rows_written: 0,
      d1_rows_written: 0,
    })
  })

  it('counts no more flushes than there are changes, and no more than the delay allows', () => {
    const busy = { ...NOTHING, requests: 1_000_000, changes: 1_000_000, events: 1_000_000, ledgers: 2 }
    const flushes = (2 * DAY_MS) / 5000
    expect(estimatedUsage(busy).queue_operations).toBe(3 * flushes)
    expect(estimatedUsage({ ...busy, changes: 10 }).queue_operations).toBe(3 * 10)
  })

  // Each case is one ledger that is busy all day and makes one commit for each request. `most_usd` is the goal in
  // docs/cost.md, in USD per million events.
  it.each([
    { name: 'one by one, ten a second', events: 864_000, a_request: 1, most_usd: 3 },
    { name: 'batches of 100, two a second', events: 17_280_000, a_request: 100, most_usd: 0.1 },
    { name: 'batches of 1,000, one a second', events: 86_400_000, a_request: 1000, most_usd: 0.1 },
  ])('stays within the goal for $name', ({ events, a_request, most_usd }) => {
    const requests = events / a_request
    const cost = estimatedCost({ ...NOTHING, requests, changes: requests, events, ledgers: 1 })
    const per_million = Number((cost * 1_000_000n) / BigInt(events)) / 1e12
    expect(per_million).toBeLessThan(most_usd)
    expect(per_million).toBeGreaterThan(most_usd / 20)
  })
})
