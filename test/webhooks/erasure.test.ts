import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { SubjectKind } from '../../src/db/schema.ts'
import { eraseSubject, notify } from '../../src/ledger/client/client.ts'
import { handOn } from '../../src/webhooks/queue/fan-out.ts'
import { api, jsonOf } from '../support/api.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer, unique } from '../support/customers.ts'
import { ask, ledgerOf, runAlarm } from '../support/ledgers.ts'
import { CALLER, grant } from '../support/messages.ts'
import { createEndpoint, dnsAnswer, idOf, logOf, type Script, Simulation } from './support.ts'

/** Tests the erasure of a user or a team whose notifications are delivered, pending, retried or replayed. */

beforeEach(() => {
  listenToConsole()
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) =>
    dnsAnswer(input instanceof Request ? input.url : String(input)),
  )
})
afterEach(async () => {
  vi.restoreAllMocks()
  await env.DB.prepare('DELETE FROM webhook_deliveries').run()
})

/** Creates a ledger with one webhook endpoint, and a notification about each of these users or teams. */
async function ledgerWith(kind: SubjectKind, ids: readonly string[], script: Script) {
  const owner = await createCustomer()
  const ledger = ledgerOf(owner.customer_id)
  const endpoint = await createEndpoint(owner, {
    url: 'https://receiver.example/hook',
    types: ['credits.low'],
  })
  for (const id of ids) {
    await ask(ledger.stub, 'credit', grant(5, { owner: { kind, id } }))
    const notice = { type: 'credits.low', data: { [`${kind}_id`]: id } } as const
    expect(await notify(env, ledger.name, { id, notice })).toEqual({ kind: 'done' })
  }
  await runAlarm(ledger)
  const simulation = new Simulation()
  simulation.receiver('receiver.example', script)
  expect(await handOn(simulation.env, [owner.customer_id], 100)).toEqual(
    new Map([[owner.customer_id, 'whole']]),
  )
  const erase = async (id: string) => {
    const erased = await eraseSubject(env, ledger.name, { caller: CALLER, kind, id })
    if (erased.kind !== 'erased') throw new Error('the subject was not erased')
    await runAlarm(ledger)
    return erased.alias
  }
  return { owner, simulation, erase, endpoint_id: idOf(endpoint) }
}

const named = (simulation: Simulation, kind: SubjectKind) =>
  simulation.received.map(({ body }) => JSON.parse(body).data[`${kind}_id`])

/** Returns all rows of webhook deliveries in D1 as JSON text. */
async function storedText(): Promise<string> {
  return JSON.stringify((await env.DB.prepare('SELECT * FROM webhook_deliveries').all()).results)
}

/** The forms in which the response from a receiver can contain an id. */
const SPELLINGS: readonly (readonly [string, (id: string) => string])[] = [
  ['as text', (id) => id],
  ['as JSON', (id) => JSON.stringify({ id })],
  ['URL-encoded', (id) => encodeURIComponent(id)],
  ['as a form', (id) => new URLSearchParams({ id }).toString()],
  ['as base64', (id) => Buffer.from(id).toString('base64')],
  ['cut by the limit of kept responses', (id) => 'x'.repeat(1_024 - 10) + id],
]

describe.each(['user', 'team'] as const)('the erasure of a %s', (kind) => {
  const id = () => unique('ann müller+1@example.com/"x"')

  it.each(SPELLINGS)('deletes the responses from receivers that contain its id %s', async (_, spell) => {
    const erased = id()
    const other = unique('bob')
    // The receiver returns 500 twice and then 200, so each delivery is retried once.
    const { owner, simulation, erase } = await ledgerWith(kind, [erased, other], (n, { body }) => {
      const text = spell(JSON.parse(body).data[`${kind}_id`])
      return new Response(text, { status: n < 2 ? 500 : 200 })
    })
    await simulation.drain()
    simulation.now_ms += 5_000
    await simulation.drain()
    const answers = async () =>
      (await logOf(owner.customer_id)).map(({ attempts }) => attempts.map((a) => a.answer))
    const kept = spell(erased).slice(0, 1_024)
    const [first, second] = await answers()
    expect(first).toEqual([kept, kept].map((text) => Buffer.from(text).subarray(0, 1_024).toString()))
    await erase(erased)
    expect(await answers()).toEqual([['', ''], second])
    expect(
      (await logOf(owner.customer_id)).map(({ attempts }) => attempts.map((a) => a.status_code)),
    ).toEqual([
      [500, 200],
      [500, 200],
    ])
  })

  it('reaches deliveries that wait: the next attempt names the alias, and its response is not kept', async () => {
    const erased = id()
    const { owner, simulation, erase } = await ledgerWith(kind, [erased], (n, { body }) => {
      return new Response(body, { status: n === 0 ? 500 : 200 })
    })
    await simulation.drain()
    const alias = await erase(erased)
    simulation.now_ms += 5_000
    await simulation.drain()
    expect(named(simulation, kind)).toEqual([erased, alias])
    const [delivery] = await logOf(owner.customer_id)
    expect(delivery).toMatchObject({ status: 'succeeded', attempts: [{ answer: '' }, { answer: '' }] })
  })

  it('reaches an attempt that is under way: its response is not kept', async () => {
    const erased = id()
    let answer = (_: Response) => {}
    const answered = new Promise<Response>((resolve) => {
      answer = resolve
    })
    const { owner, simulation, erase } = await ledgerWith(kind, [erased], () => answered)
    simulation.timeout_ms = 60_000
    await simulation.deliver({ settle: false })
    const alias = await erase(erased)
    answer(new Response(encodeURIComponent(erased), { status: 500 }))
    await simulation.settle()
    expect(await logOf(owner.customer_id)).toMatchObject([
      { status: 'pending', attempts: [{ status_code: 500, answer: '' }] },
    ])
    expect(await storedText()).not.toContain('example.com')
    simulation.now_ms += 5_000
    await simulation.drain()
    expect(named(simulation, kind)).toEqual([erased, alias])
  })

  it('reaches retries and replays after it', async () => {
    const erased = id()
    const { owner, simulation, erase, endpoint_id } = await ledgerWith(kind, [erased], (_n, { body }) => {
      return new Response(body)
    })
    await simulation.drain()
    const alias = await erase(erased)
    const [delivery] = await logOf(owner.customer_id)
    const key = { key: owner.api_key, method: 'POST' } as const
    expect((await api(`/v1/webhook-deliveries/${delivery?.delivery_id}/retry`, key)).status).toBe(200)
    await simulation.runUntil(simulation.now_ms + 120_000)
    const replayed = await api(`/v1/webhook-endpoints/${endpoint_id}/replay`, {
      key: owner.api_key,
      body: { from: new Date(Date.now() - 3_600_000).toISOString() },
    })
    expect(await jsonOf(replayed)).toMatchObject({ deliveries: 1 })
    await simulation.runUntil(simulation.now_ms + 240_000)
    expect(named(simulation, kind)).toEqual([erased, alias, alias])
    expect(await storedText()).not.toContain('example.com')
  })

  it('reaches responses about notifications that are no longer kept', async () => {
    const erased = id()
    const { owner, simulation, erase } = await ledgerWith(
      kind,
      [erased],
      (_n, { body }) => new Response(body),
    )
    await simulation.drain()
    await env.DB.prepare('DELETE FROM notifications WHERE ledger_id = ?').bind(owner.customer_id).run()
    await erase(erased)
    expect(await storedText()).not.toContain('example.com')
  })
})
