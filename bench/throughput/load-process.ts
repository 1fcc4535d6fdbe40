import { Connection, requestText } from './connection.ts'
import { SCENARIOS, type ScenarioName, type Send } from './scenarios.ts'

/** A message that makes the load process run one scenario. The process responds with a `Measured`. */
export interface LoadOrder {
  readonly scenario: ScenarioName
  readonly url: string
  /** An API key for each customer. */
  readonly keys: readonly string[]
  readonly duration_ms: number
  /** The prefix of the idempotency keys, which is different for each order. */
  readonly name: string
}

export interface Measured {
  readonly seconds: number
  /** The number of completed units of work. A step counts only if all its requests got 2xx responses. */
  readonly units: number
  readonly requests: number
  /** The number of failed requests by response status. */
  readonly failures: Readonly<Record<string, number>>
  /** The body of the first response that was not 2xx. */
  readonly first_failure?: string
  readonly latency_ms: { readonly p50: number; readonly p99: number; readonly max: number }
  /** The number of units of work that were completed in each second of the run. */
  readonly by_second: readonly number[]
}

/** Runs all callers of a scenario concurrently. Each caller repeats the step until the duration is over. */
async function load({ scenario, url, keys, duration_ms, name }: LoadOrder): Promise<Measured> {
  const { callers, step, units } = SCENARIOS[scenario]
  const address = new URL(url)
  const connections = await Promise.all(Array.from({ length: callers }, () => Connection.open(address)))
  const times: number[] = []
  const failures: Record<string, number> = {}
  const by_second: number[] = []
  let first_failure: string | undefined
  let steps = 0
  let done = 0
  const began = performance.now()
  const until = began + duration_ms
  const call = async (connection: Connection) => {
    let failed = false
    let key = ''
    const send: Send = async (request) => {
      const sent = performance.now()
      const answer = await connection.send(requestText(address, { ...request, key }))
      times.push(performance.now() - sent)
      if (answer.status >= 300) {
        failed = true
        failures[answer.status] = (failures[answer.status] ?? 0) + 1
        first_failure ??= answer.body
      }
      return answer
    }
    while (performance.now() < until) {
      const serial = steps++
      key = keys[serial % keys.length] ?? ''
      failed = false
      await step(send, `${name}-${String(serial).padStart(9, '0')}`)
      if (failed) continue
      done += units
      const second = Math.floor((performance.now() - began) / 1000)
      by_second[second] = (by_second[second] ?? 0) + units
    }
  }
  await Promise.all(connections.map(call))
  const seconds = (performance.now() - began) / 1000
  for (const connection of connections) connection.close()
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0
  return {
    seconds,
    units: done,
    requests: times.length,
    failures,
    ...(first_failure !== undefined && { first_failure }),
    latency_ms: { p50: at(0.5), p99: at(0.99), max: at(1) },
    by_second: Array.from(by_second, (count) => count ?? 0),
  }
}

process.on('message', async (order: LoadOrder) => {
  process.send?.(await load(order))
})
