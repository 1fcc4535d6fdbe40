import type { Load } from './load.ts'
import type { Measured } from './load-process.ts'
import { median } from './report.ts'
import type { ScenarioName } from './scenarios.ts'
import { type Server, startOurs } from './servers.ts'

const SCENARIO: ScenarioName = 'batch100_c10'
const FLUSH_DELAY_MS = '5000'
/** The duration of a round, in which at least two flushes start. */
const ROUND_MS = 12_000
const ROUNDS = 2

export interface FlushReport {
  /**
   * The event rate of the ledger that flushes every 5 s, divided by the event rate of the ledger that does not flush.
   */
  readonly rate_ratio: number
  readonly slowest_second_ratio: number
  readonly p99_to_p50: number
}

/**
 * Compares a ledger that flushes with a ledger that does not flush, under the same load. The rounds alternate between
 * the two.
 */
export async function measureFlush(
  load: Load,
  script: string,
  folderOf: (name: string) => string,
): Promise<FlushReport> {
  const still = await startOurs(script, folderOf('still'))
  const flushing = await startOurs(script, folderOf('flushing'), { flush_delay_ms: FLUSH_DELAY_MS })
  let orders = 0
  const run = async (server: Server, duration_ms: number): Promise<Measured> =>
    load.run({
      scenario: SCENARIO,
      url: server.url,
      keys: await server.keysOf(1),
      duration_ms,
      name: `flush-${++orders}`,
    })
  try {
    const rounds: FlushReport[] = []
    for (const server of [still, flushing]) await run(server, 1000)
    for (let round = 0; round < ROUNDS; round++) {
      const alone = await run(still, ROUND_MS)
      const beside = await run(flushing, ROUND_MS)
      const rate = alone.units / alone.seconds
      // The last entry can be an incomplete second.
      const slowest = Math.min(...beside.by_second.slice(0, -1))
      rounds.push({
        rate_ratio: beside.units / beside.seconds / rate,
        slowest_second_ratio: slowest / rate,
        p99_to_p50: beside.latency_ms.p99 / beside.latency_ms.p50,
      })
    }
    const figure = (name: keyof FlushReport) =>
      Number(median(rounds.map((round) => round[name])).toPrecision(3))
    return {
      rate_ratio: figure('rate_ratio'),
      slowest_second_ratio: figure('slowest_second_ratio'),
      p99_to_p50: figure('p99_to_p50'),
    }
  } finally {
    await still.stop()
    await flushing.stop()
  }
}
