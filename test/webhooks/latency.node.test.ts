import { expect, it } from 'vitest'
import { measureAlerts } from '../../bench/alerts/measure.ts'
import { useRealTime } from '../support/real-time.ts'
import { sharedServer } from '../support/shared-server.ts'

useRealTime()

/**
 * Runs a small part of `npm run bench:alerts`. The bench measures the latency, but this test only checks that every
 * alert arrives once.
 */
it('alerts arrive at a receiver on the loopback interface, each once', async () => {
  const { latencies, repeated } = await measureAlerts({
    url: await sharedServer(),
    operator_token: 'dev-operator-token',
    ledgers: 2,
    crossings: 10,
    pause_ms: 100,
  })
  expect(latencies).toHaveLength(20)
  expect(Math.min(...latencies)).toBeGreaterThanOrEqual(0)
  expect(repeated).toBe(0)
})
