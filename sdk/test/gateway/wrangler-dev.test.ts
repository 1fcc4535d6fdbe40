import { afterAll, beforeAll, expect, it } from 'vitest'
import { npmStart, type StartedServer } from '../../../test/support/npm-start.ts'
import { newState } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import { ABORTS_TIMEOUT_MS, CHUNKS, DIALECTS, leaveAt, placesToLeave } from './streams.ts'

/**
 * Streams whose clients disconnect, through `wrangler dev`, whose proxy is between the client and the Worker. The proxy
 * detects the disconnection only when it writes, and the Worker only after the proxy, so the provider must have three more
 * chunks to send.
 */

/** The time between two of these chunks: a closed connection is detected later through a proxy, on a busy machine. */
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
