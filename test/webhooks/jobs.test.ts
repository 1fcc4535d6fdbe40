import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DAY_MS } from '../../src/time/durations.ts'
import { readWebhookFigures } from '../../src/webhooks/figures.ts'
import { sweepNotifications } from '../../src/webhooks/queue/sweep.ts'
import { forgetDeliveries } from '../../src/webhooks/records/forget.ts'
import { listenToConsole } from '../support/console.ts'
import { dnsAnswer, logOf, notifies, ownerWith, Simulation, status } from './support.ts'

/** Tests the scheduled jobs of webhooks, and the numbers that they report. */

beforeEach(() => {
  listenToConsole()
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) =>
    dnsAnswer(input instanceof Request ? input.url : String(input)),
  )
})
afterEach(async () => {
  vi.restoreAllMocks()
  await env.DB.batch([
    env.DB.prepare('DELETE FROM webhook_deliveries'),
    env.DB.prepare('DELETE FROM webhook_endpoints'),
  ])
})

const job = (simulation: Simulation, reach: (place: string) => void = () => undefined) => ({
  env: simulation.env,
  now_ms: simulation.now_ms,
  after: '',
  reach,
})

describe('the jobs of webhooks', () => {
  it('queue notifications whose hint was lost', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'])
    simulation.receiver('receiver.example', status(200))
    await notifies(simulation, owner.customer_id, ['credits.low', 'limit.reached'])
    simulation.loseQueue()
    await env.DB.prepare('UPDATE ledgers SET handed_notification = 0 WHERE ledger_id = ?')
      .bind(owner.customer_id)
      .run()
    const reach = vi.fn()
    await sweepNotifications(job(simulation, reach))
    expect(reach).toHaveBeenLastCalledWith('')
    await simulation.drain()
    expect(simulation.received.map(({ body }) => JSON.parse(body).type)).toEqual([
      'credits.low',
      'limit.reached',
    ])
    await sweepNotifications(job(simulation))
    expect(simulation.queued).toBe(0)
  })

  it('delete deliveries that have ended and are older than 30 days', async () => {
    const now_ms = Date.now()
    const simulation = new Simulation({}, now_ms - 30 * DAY_MS - 1)
    const { owner } = await ownerWith(['receiver.example'])
    let code = 200
    simulation.receiver('receiver.example', () => new Response(null, { status: code }))
    const deliver = async (answered: number) => {
      code = answered
      await notifies(simulation, owner.customer_id, ['credits.low'])
      await simulation.deliver()
    }
    await deliver(200)
    await deliver(500)
    simulation.now_ms += 2
    await deliver(200)
    simulation.now_ms = now_ms
    const reach = vi.fn()
    expect(await forgetDeliveries(job(simulation, reach))).toBe(1)
    expect(reach).toHaveBeenLastCalledWith('')
    const log = await logOf(owner.customer_id)
    expect(log.map(({ sequence, status: state }) => [sequence, state])).toEqual([
      [2, 'pending'],
      [3, 'succeeded'],
    ])
  })
})

describe('the figures', () => {
  it('count deliveries that wait, and endpoints that fail or were disabled', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['fails.example', 'gone.example', 'works.example'])
    simulation.receiver('fails.example', status(500))
    simulation.receiver('gone.example', status(410))
    simulation.receiver('works.example', status(200))
    await notifies(simulation, owner.customer_id, ['credits.low'])
    await simulation.deliver()
    const pending = (await logOf(owner.customer_id)).find((delivery) => delivery.status === 'pending')
    expect(await readWebhookFigures(env)).toEqual({
      pending: 1,
      oldest_due_at_ms: pending?.due_at_ms,
      failing_endpoints: 1,
      disabled_endpoints: 1,
      complete: true,
    })
  })
})
