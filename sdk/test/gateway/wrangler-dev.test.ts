import { afterAll, beforeAll, expect, it } from 'vitest'
import { npmStart, type StartedServer } from '../../../test/support/npm-start.ts'
import { newState } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import { CHUNKS, DIALECTS, leaveAt, placesToLeave } from './streams.ts'

/**
 * Streams whose clients disconnect, through `wrangler dev`, whose proxy is between the client and the Worker. The proxy
 * detects the disconnection only when it writes, so the provider must have three more chunks to send.
 */

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

it.each(DIALECTS)('a stream of $name whose client disconnects is stopped and charged', async (dialect) => {
  const chunks = CHUNKS + dialect.tail.length
  await leaveAt(
    server,
    provider,
    dialect,
    placesToLeave().filter((place) => place + 3 <= chunks),
  )
})
