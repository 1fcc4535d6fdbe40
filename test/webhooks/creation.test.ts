import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { handOn } from '../../src/webhooks/queue/fan-out.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { createEndpoint, dnsAnswer, idOf, Simulation, status } from './support.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) =>
    dnsAnswer(input instanceof Request ? input.url : String(input)),
  )
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('an endpoint gets what happens after its creation, also if D1 gets earlier notifications later', async () => {
  const simulation = new Simulation()
  const owner = await createCustomer()
  const key = owner.api_key
  const hosts = ['first.example', 'second.example']
  for (const host of hosts) simulation.receiver(host, status(200))
  const endpoint = (host: string) => createEndpoint(owner, { url: `https://${host}/hook`, types: ['*'] })
  const newKey = async () =>
    textField(await jsonOf(await api('/v1/api-keys', { key, body: { name: 'k' } })), 'key_id')
  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms)
  const flush = async () => {
    await runAlarm(ledgerOf(owner.customer_id))
    await handOn(simulation.env, [owner.customer_id], 100)
    simulation.now_ms = Date.now()
    await simulation.drain()
  }
  const keysSentTo = (host: string) =>
    simulation.receivedBy(host).map(({ body }) => JSON.parse(body).data.key_id)

  pass(1_000)
  const from = new Date().toISOString()
  await newKey()
  pass(3_000)
  await endpoint('first.example')
  const between = await newKey()
  pass(3_000)
  const second = await endpoint('second.example')
  const after = await newKey()
  await flush()
  expect(hosts.map(keysSentTo)).toEqual([[between, after], [after]])

  // A replay also sends notifications that are older than the endpoint.
  pass(1_000)
  const body = { from, to: new Date().toISOString() }
  const replayed = await api(`/v1/webhook-endpoints/${idOf(second)}/replay`, { key, body })
  expect(await jsonOf(replayed)).toMatchObject({ deliveries: 3 })
})

it('a replay ends after whole milliseconds, so that the next one never begins where it began', async () => {
  const simulation = new Simulation()
  simulation.receiver('first.example', status(200))
  const owner = await createCustomer()
  const endpoint = await createEndpoint(owner, { url: 'https://first.example/hook', types: ['*'] })
  const at_ms = Date.now() - 60_000
  // In order: 1,200 notifications of one millisecond, and one of the next millisecond.
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 1200)
    INSERT INTO notifications (ledger_id, sequence, type, at_ms, data)
    SELECT ?1, i, 'credits.low', ?2 + (i > 1200), '{}' FROM n`
  await env.DB.prepare(sql).bind(owner.customer_id, at_ms).run()
  const replay = async (from_ms: number) => {
    const body = { from: new Date(from_ms).toISOString(), to: new Date().toISOString() }
    return jsonOf(await api(`/v1/webhook-endpoints/${idOf(endpoint)}/replay`, { key: owner.api_key, body }))
  }
  const next_from = new Date(at_ms + 1).toISOString()
  expect(await replay(at_ms)).toMatchObject({ deliveries: 1_200, next_from })
  expect(await replay(at_ms + 1)).toMatchObject({ deliveries: 1, next_from: null })
})
