import { afterAll, beforeAll, expect, it } from 'vitest'
import { npmStart, type StartedServer } from '../../../test/support/npm-start.ts'
import { newState } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import { ABORTS_TIMEOUT_MS, CHUNKS, DIALECTS, leaveAt, placesToLeave } from './streams.ts'

/**
 * Tests of streams whose clients disconnect from `wrangler dev`. The proxy of `wrangler dev` is between the client and
 * the Worker. The proxy detects the disconnection only when it writes, and the Worker detects it after the proxy.
 * Therefore, the provider must have three more chunks to send after the disconnection.
 */

/**
 * The time between two chunks, in milliseconds. It is long, because a proxy on a busy machine detects a closed
 * connection late.
 */
const PAUSE_MS = 500

let provider: PacedProvider
let server: StartedServer
beforeAll(async () => {
  provider = await startPacedProvider()
  server = await npmStart({ state: newState() })
}, 120_000)
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  await provider.stop()
})

it.each(DIALECTS)(
  'a stream of $name whose client disconnects is stopped and charged',
  {
    timeout: ABORTS_TIMEOUT_MS,
  },
  async (dialect) => {
    const chunks = CHUNKS + dialect.tail.length
    await leaveAt(
      server,
      provider,
      dialect,
      placesToLeave().filter((place) => place + 3 <= chunks),
      PAUSE_MS,
    )
  },
)
