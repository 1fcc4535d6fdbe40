import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../../scripts/local-server.ts'
import { npmStart, type StartedServer } from '../support/npm-start.ts'
import { Client, type Sent } from './crash-load.ts'

/**
 * Tests crashes of the whole server. Kills the development server and its child processes with SIGKILL at random
 * moments under load, and starts a new server with the same state directory. This imitates a host failure, an
 * out-of-memory kill, or a deployment that does not wait for requests. CRASH_ROUNDS=25 runs more rounds (`npm run
 * test:crashes`).
 */

const STATE_DIR = mkdtempSync(path.join(tmpdir(), 'openmonetize-crashes-'))
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 3)
const CALLERS = 12
/** The shortest time from the first request of a round until the server is killed, in ms. */
const SHORTEST_MS = 200
const LONGEST_MS = 2_500
/** The variables of the server. Flushes are frequent, so that a crash can interrupt a flush. */
const VARS = 'FLUSH_DELAY_MS=150 RATE_LIMIT_ENTERPRISE=100000000 LOG_SAMPLE_RATE=0'

let server: StartedServer | undefined

describe('a server that is killed under load', () => {
  afterAll(async () => {
    await server?.kill()
    rmSync(STATE_DIR, { recursive: true, force: true })
  })

  it(`has every acknowledged event once after ${ROUNDS} crashes, and every other event at most once`, {
    timeout: 120_000 + ROUNDS * 30_000,
  }, async () => {
    const port = await freePort()
    server = await start(port)
    const client = await Client.register(server.url)
    for (let round = 1; round <= ROUNDS; round++) {
      const lives_ms = SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS)
      const before = client.sent.length
      const load = client.load(CALLERS)
      await new Promise((resolve) => setTimeout(resolve, lives_ms))
      const killed = server.kill()
      await load
      await killed
      server = await start(port)
      const of_round = client.sent.slice(before)
      const acknowledged = of_round.filter((sent) => sent.answer !== null)
      console.log(
        `crash ${round}: after ${Math.round(lives_ms)} ms, ${acknowledged.length} of ${of_round.length} requests were acknowledged`,
      )
      await client.keepCheckpoint()
      for (const sent of acknowledged.slice(-20)) expect(await client.repeat(sent)).toBe(sent.answer)
    }

    const found = await client.eventsByNumber()
    for (const sent of client.sent)
      expect(timesFound(found, sent), JSON.stringify(sent)).toSatisfy(fits(sent))
    await client.assertBooks()

    // Repeats the requests that got no response, with the same idempotency keys.
    for (const sent of client.sent.filter(({ answer }) => answer === null)) await client.repeat(sent)
    const afterwards = await client.eventsByNumber()
    for (const sent of client.sent) expect(timesFound(afterwards, sent)).toEqual(sent.numbers.map(() => 1))
    await client.assertBooks()
    await client.assertAnalytics(afterwards)
    await client.assertReconciled()
    await client.assertProved(afterwards)
    console.log(
      `${ROUNDS} crashes, ${client.sent.length} requests, ${afterwards.size} events: all there once`,
    )
  })
})

/** Returns how many times each event of a request is stored. */
function timesFound(found: ReadonlyMap<number, unknown[]>, { numbers }: Sent): number[] {
  return numbers.map((number) => found.get(number)?.length ?? 0)
}

function fits({ answer }: Sent): (times: readonly number[]) => boolean {
  return (times) => times.every((count) => (answer === null ? count <= 1 : count === 1))
}

/** Runs `npm start` in a process group, so that it can be killed together with its children. */
function start(port: number): Promise<StartedServer> {
  return npmStart({ port, state: STATE_DIR, env: { VARS }, detached: true })
}
