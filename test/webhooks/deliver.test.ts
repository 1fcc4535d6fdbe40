import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DAY_MS } from '../../src/time/durations.ts'
import { RETRY_DELAYS_MS } from '../../src/webhooks/delivery/schedule.ts'
import { inFlight } from '../../src/webhooks/delivery/slow.ts'
import { parseMessage } from '../../src/webhooks/queue/message.ts'
import { recordOutcomes } from '../../src/webhooks/records/deliveries.ts'
import { api, jsonOf } from '../support/api.ts'
import { listenToConsole } from '../support/console.ts'
import { d1FailingAt } from '../support/d1.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { dnsAnswer, hang, idOf, logOf, notifies, ownerWith, refuse, Simulation, status } from './support.ts'

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

/** Creates a ledger with one webhook endpoint at `receiver.example`, and queues the delivery of one notification. */
async function oneDelivery(script: Parameters<Simulation['receiver']>[1]) {
  const simulation = new Simulation()
  const { owner, endpoints } = await ownerWith(['receiver.example'])
  simulation.receiver('receiver.example', script)
  await notifies(simulation, owner.customer_id, ['credits.low'])
  const endpoint_id = idOf(endpoints[0] ?? {})
  const log = async () => {
    const [delivery, ...more] = await logOf(owner.customer_id)
    if (!delivery || more.length > 0) throw new Error('the log should have one delivery')
    return delivery
  }
  const endpoint = async () =>
    jsonOf(await api(`/v1/webhook-endpoints/${endpoint_id}`, { key: owner.api_key }))
  return { simulation, owner, endpoint_id, log, endpoint }
}

describe('a notification', () => {
  it('is sent to an endpoint that subscribes to it, and logged once', async () => {
    const { simulation, owner, log } = await oneDelivery(() => new Response('thanks'))
    await simulation.drain()
    expect(simulation.received).toHaveLength(1)
    const [{ body = '', headers = new Headers() } = {}] = simulation.received
    expect(JSON.parse(body)).toEqual({
      id: expect.stringMatching(/^ntf_[0-9a-z]{26}$/),
      type: 'credits.low',
      timestamp: new Date(simulation.now_ms).toISOString(),
      sequence: 1,
      customer_id: owner.customer_id,
      mode: 'live',
      data: { amount: 1 },
    })
    expect(headers.get('webhook-id')).toBe(JSON.parse(body).id)
    expect(headers.get('content-type')).toBe('application/json')
    expect(await log()).toMatchObject({
      status: 'succeeded',
      due_at_ms: null,
      attempts: [{ at_ms: simulation.now_ms, status_code: 200, error: null, answer: 'thanks' }],
    })
  })

  it('is not sent to endpoints that do not subscribe to it', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'], ['limit.*', 'credits.granted'])
    simulation.receiver('receiver.example', status(200))
    await notifies(simulation, owner.customer_id, ['credits.low', 'limit.reached', 'credits.granted'])
    await simulation.drain()
    expect(simulation.received.map(({ body }) => JSON.parse(body).type)).toEqual([
      'limit.reached',
      'credits.granted',
    ])
  })

  it('is repeated by a duplicate message only until it has succeeded', async () => {
    const { simulation, log } = await oneDelivery(status(200))
    const delivery = { v: 1, ...(await deliveredOf(simulation)) }
    simulation.put(delivery, 0)
    await simulation.drain()
    simulation.put(delivery, 0)
    await simulation.drain()
    expect(simulation.received).toHaveLength(1)
    expect((await log()).attempts).toHaveLength(1)
  })
})

describe('a message', () => {
  it('is not sent to a name that leads to a private address since the endpoint was created', async () => {
    const everyNameIsPublic = dnsAnswer('https://dns.example/?name=public.example&type=A')
    vi.mocked(globalThis.fetch).mockImplementation(async () => everyNameIsPublic.clone())
    const simulation = new Simulation()
    const { owner } = await ownerWith(['private.example'])
    simulation.receiver('private.example', status(200))
    await notifies(simulation, owner.customer_id, ['credits.low'])
    await simulation.drain()
    expect(simulation.received).toEqual([])
    expect(await logOf(owner.customer_id)).toMatchObject([
      { status: 'pending', made: 1, attempts: [{ status_code: null, error: 'address_refused', answer: '' }] },
    ])
  })
})

/** Returns the body of the only message in the queue. */
async function deliveredOf(simulation: Simulation): Promise<object> {
  const waiting: unknown = Reflect.get(simulation, 'waiting')
  if (!Array.isArray(waiting) || waiting.length !== 1) throw new Error('one message should wait')
  return waiting[0].body
}

describe('a receiver that fails', () => {
  it('gets ten attempts, each within 20 % of its time, with a new signature and the same id', async () => {
    const { simulation, log } = await oneDelivery(status(500))
    const begun_ms = simulation.now_ms
    await simulation.runUntil(begun_ms + 30 * DAY_MS)
    const times = simulation.received.map(({ at_ms }) => at_ms)
    expect(times).toHaveLength(10)
    RETRY_DELAYS_MS.forEach((delay_ms, i) => {
      const waited_ms = (times[i + 1] ?? 0) - (times[i] ?? 0)
      expect(waited_ms / delay_ms).toBeGreaterThanOrEqual(1)
      expect(waited_ms / delay_ms).toBeLessThanOrEqual(1.2)
    })
    const ids = simulation.received.map(({ headers }) => headers.get('webhook-id'))
    const signatures = simulation.received.map(({ headers }) => headers.get('webhook-signature'))
    expect(new Set(ids).size).toBe(1)
    expect(new Set(signatures).size).toBe(10)
    const { status: ended, attempts } = await log()
    expect(ended).toBe('failed')
    expect(attempts.map(({ at_ms, status_code }) => [at_ms, status_code])).toEqual(
      times.map((at_ms) => [at_ms, 500]),
    )
  })

  it.each([1, 2, 5, 9])('%d times and then works succeeds with the next attempt', async (failures) => {
    const { simulation, log, endpoint } = await oneDelivery(
      (n) => new Response(null, { status: n < failures ? 500 : 204 }),
    )
    await simulation.drain()
    expect((await endpoint()).failing_since).toBe(new Date(simulation.now_ms).toISOString())
    await simulation.runUntil(simulation.now_ms + 30 * DAY_MS)
    expect(await log()).toMatchObject({ status: 'succeeded', due_at_ms: null })
    expect((await log()).attempts).toHaveLength(failures + 1)
    expect((await endpoint()).failing_since).toBeNull()
  })

  it.each([
    [
      'a redirect, which is not followed',
      status(301, { Location: 'https://other.example/' }),
      { status_code: 301 },
    ],
    ['a refused connection', refuse, { status_code: null, error: 'connection_failed' }],
    ['no response in time', hang, { status_code: null, error: 'timeout' }],
  ] as const)('with %s is tried again', async (_, script, attempt) => {
    const { simulation, log } = await oneDelivery(script)
    await simulation.drain()
    expect(await log()).toMatchObject({ status: 'pending', made: 1, attempts: [attempt] })
    expect(simulation.receivedBy('other.example')).toEqual([])
    expect(simulation.queued).toBe(1)
  })

  it.each([
    ['seconds', (_now: number): string => '3600', 3_600_000],
    ['an HTTP date', (now: number): string => new Date(now + 7_200_000).toUTCString(), 7_200_000],
    ['a long time, at most a day', (_now: number): string => '999999', DAY_MS],
    ['less than the schedule', (_now: number): string => '1', 5_000],
    ['another form', (_now: number): string => 'soon', 5_000],
  ] as const)('gets no attempt before the time of Retry-After: %s', async (_, header, delay_ms) => {
    const now_ms = Date.now()
    const { simulation, log } = await oneDelivery((n) =>
      n === 0
        ? new Response(null, { status: 429, headers: { 'Retry-After': header(now_ms) } })
        : new Response(),
    )
    const begun_ms = simulation.now_ms
    await simulation.drain()
    const { due_at_ms } = await log()
    // The tolerance is two seconds, because an HTTP date has only whole seconds.
    expect(Math.abs((due_at_ms ?? 0) - begun_ms - delay_ms)).toBeLessThan(2_000)
    await simulation.runUntil(begun_ms + 3 * DAY_MS)
    expect((await log()).status).toBe('succeeded')
    expect(simulation.received[1]?.at_ms).toBeGreaterThanOrEqual(due_at_ms ?? Infinity)
  })

  it('with 410 is disabled, its owner is notified, and its waiting deliveries are dropped', async () => {
    const { simulation, owner, endpoint, log } = await oneDelivery(
      (n) => new Response(null, { status: n === 0 ? 500 : 410 }),
    )
    await simulation.drain()
    await notifies(simulation, owner.customer_id, ['credits.granted'])
    await simulation.drain()
    expect(await endpoint()).toMatchObject({ enabled: false, disabled_reason: 'gone' })
    const [first, second] = await logOf(owner.customer_id)
    expect([first?.status, second?.status]).toEqual(['dropped', 'failed'])
    await simulation.runUntil(simulation.now_ms + 5 * DAY_MS)
    expect(simulation.received).toHaveLength(2)
    expect(await notificationTypes(owner.customer_id)).toContain('webhook_endpoint.disabled')
    await expect(log()).rejects.toThrow('one delivery')
  })

  it('is logged as disabled once, and only after the change was written', async () => {
    const { simulation, endpoint } = await oneDelivery(status(410))
    const { records } = listenToConsole()
    const logged = () => records().filter(({ event }) => event === 'webhook_endpoint_disabled')
    const healthy = simulation.env
    simulation.env = { ...healthy, DB: d1FailingAt(1, 'before its effect') }
    await simulation.deliver()
    simulation.env = healthy
    expect((await endpoint()).enabled).toBe(true)
    expect(logged()).toEqual([])
    await simulation.runUntil(simulation.now_ms + 60_000)
    expect((await endpoint()).enabled).toBe(false)
    expect(logged()).toMatchObject([{ reason: 'gone' }])
  })

  it('for five days is disabled; an hour less, and one success in between, leave it enabled', async () => {
    const simulation = new Simulation()
    const { owner, endpoints } = await ownerWith(['fails.example', 'recovers.example'])
    let healthy = false
    simulation.receiver('fails.example', status(503))
    simulation.receiver('recovers.example', () => new Response(null, { status: healthy ? 200 : 503 }))
    const enabled = (): Promise<unknown[]> =>
      Promise.all(
        endpoints.map(async (one) => {
          const found = await jsonOf(await api(`/v1/webhook-endpoints/${idOf(one)}`, { key: owner.api_key }))
          return found.enabled
        }),
      )
    const begun_ms = simulation.now_ms
    await notifies(simulation, owner.customer_id, ['credits.low'])
    await simulation.drain()
    simulation.now_ms = begun_ms + 3 * DAY_MS
    healthy = true
    await notifies(simulation, owner.customer_id, ['credits.low'])
    await simulation.drain()
    healthy = false
    simulation.now_ms = begun_ms + 5 * DAY_MS - 3_600_000
    await notifies(simulation, owner.customer_id, ['credits.low'])
    await simulation.drain()
    expect(await enabled()).toEqual([true, true])
    simulation.now_ms = begun_ms + 5 * DAY_MS + 1
    await notifies(simulation, owner.customer_id, ['credits.low'])
    await simulation.drain()
    expect(await enabled()).toEqual([false, true])
  })
})

describe('a retry', () => {
  const retry = async ({ api_key }: { readonly api_key: string }, id: string) =>
    jsonOf(await api(`/v1/webhook-deliveries/${id}/retry`, { key: api_key, method: 'POST' }))

  it('of a delivery that is under way does not change it, and returns the time when its attempt counts as lost', async () => {
    const { simulation, owner, log } = await oneDelivery(hang)
    simulation.timeout_ms = 1_000
    await simulation.deliver({ settle: false })
    const { delivery_id, due_at_ms } = await log()
    expect(due_at_ms).toBe(simulation.now_ms + 60_000)
    expect(await retry(owner, delivery_id)).toMatchObject({
      status: 'pending',
      next_attempt_at: new Date(simulation.now_ms + 60_000).toISOString(),
      attempts: [],
    })
    await simulation.settle()
    expect(await log()).toMatchObject({ status: 'pending', made: 1, attempts: [{ error: 'timeout' }] })
    expect(simulation.received).toHaveLength(1)
  })

  it('of a delivery whose attempt was lost makes it due at once', async () => {
    const { simulation, owner, log } = await oneDelivery(status(200))
    simulation.now_ms = Date.now() - 120_000
    const delivered = parseMessage(await deliveredOf(simulation))
    if (!delivered) throw new Error('the message was malformed')
    await recordOutcomes(env, [inFlight(delivered, 0, simulation.now_ms)]).run()
    simulation.now_ms = Date.now()
    const { delivery_id } = await log()
    const { next_attempt_at } = await retry(owner, delivery_id)
    expect(Date.parse(String(next_attempt_at))).toBeGreaterThanOrEqual(simulation.now_ms)
    simulation.now_ms = Date.now()
    await simulation.drain()
    expect(await log()).toMatchObject({ status: 'succeeded', attempts: [{ status_code: 200 }] })
  })
})

async function notificationTypes(customer_id: string): Promise<string[]> {
  // Deletes the notifications that the test has inserted, because the ledger's real notifications have the same
  // sequence numbers.
  await env.DB.prepare('DELETE FROM notifications WHERE ledger_id = ?').bind(customer_id).run()
  await runAlarm(ledgerOf(customer_id))
  const { results } = await env.DB.prepare('SELECT type FROM notifications WHERE ledger_id = ?')
    .bind(customer_id)
    .all<{ readonly type: string }>()
  return results.map(({ type }) => type)
}

describe('a response', () => {
  it('of 10 MB is read to its first KB', async () => {
    let pulled = 0
    const chunk = new Uint8Array(64 * 1024).fill(97)
    const { simulation, log } = await oneDelivery(
      () =>
        new Response(
          new ReadableStream(
            {
              pull(controller) {
                pulled += chunk.length
                if (pulled > 10_000_000) controller.close()
                else controller.enqueue(chunk)
              },
            },
            { highWaterMark: 0 },
          ),
        ),
    )
    await simulation.drain()
    const { status: ended, attempts } = await log()
    expect([ended, attempts[0]?.answer]).toEqual(['succeeded', 'a'.repeat(1_024)])
    expect(pulled).toBeLessThanOrEqual(2 * chunk.length)
  })

  it('that never ends is a success by its status, and its received part is kept', async () => {
    const { simulation, log } = await oneDelivery(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode('slowl')),
          }),
        ),
    )
    await simulation.drain()
    expect(await log()).toMatchObject({
      status: 'succeeded',
      attempts: [{ status_code: 200, answer: 'slowl' }],
    })
  })
})
