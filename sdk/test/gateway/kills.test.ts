import { rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { OpenMonetize } from '../../src/index.ts'
import { customerWith, type Gateway, gatewayCustomer, newState, post, startGateway } from './gateway.ts'
import { startPacedProvider } from './paced-provider.ts'
import * as scripts from './scripts.ts'

/**
 * The number of times that the runtime is killed while it streams, like a loss of power. `npm run test:gateway` kills
 * it 25 times.
 */
const KILLS = Number(process.env.GATEWAY_KILLS ?? 2)

const HOLD_MS = 1_500
const CHUNKS = Array.from(
  { length: 200 },
  () => `data: ${JSON.stringify(scripts.chatChunk({ content: 'eight ch' }))}\n\n`,
)
const BODY = {
  model: scripts.CHAT_MODEL,
  stream: true,
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'Hello' }],
}

const state = newState()
afterAll(() => rmSync(path.dirname(state), { recursive: true, force: true }))

it('after each kill, every hold ends at its expiry and all delivered output is charged', {
  timeout: 60_000 + KILLS * 15_000,
}, async () => {
  const provider = await startPacedProvider()
  const start = (): Promise<Gateway> => startGateway({ GATEWAY_HOLD_MS: String(HOLD_MS) }, { state })
  let server = await start()
  const { apiKey } = await gatewayCustomer(server.url, provider.url)
  let balance = 10_000
  for (let round = 0; round < KILLS; round++) {
    const customer = customerWith(new OpenMonetize({ apiKey, baseUrl: server.url }), apiKey)
    provider.play({ chunks: CHUNKS, pause_ms: 5 })
    const response = await post(server, customer, 'openai/v1/chat/completions', BODY)
    const held = await customer.held()
    expect(held).toBeGreaterThan(0)
    // Kills the runtime after a different number of chunks in each round.
    let left = 2 + ((round * 7) % 60)
    const reader = response.body?.getReader()
    while (left-- > 0) await reader?.read()
    await server.kill()
    await reader?.cancel().catch(() => undefined)

    server = await start()
    const again = customerWith(new OpenMonetize({ apiKey, baseUrl: server.url }), apiKey)
    await expect.poll(again.held, { timeout: HOLD_MS + 5_000, interval: 50 }).toBe(0)
    const after = (await again.om.credits.balance()).balance
    expect(after).toBeLessThan(balance)
    expect(after).toBeGreaterThanOrEqual(balance - held)
    balance = after
    const [event] = (await again.om.events.list({ limit: 1 })).data
    expect(event?.warnings).toEqual(['estimated', 'running'])
  }
  const customer = customerWith(new OpenMonetize({ apiKey, baseUrl: server.url }), apiKey)
  expect(await customer.events(KILLS)).toHaveLength(KILLS)
  await server.kill()
  await provider.stop()
})
