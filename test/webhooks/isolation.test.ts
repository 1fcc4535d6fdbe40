import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { listenToConsole } from '../support/console.ts'
import { countedD1, countingD1, d1Double, d1FailingAt } from '../support/d1.ts'
import { dnsAnswer, hang, logOf, notifies, ownerWith, Simulation, status } from './support.ts'

/** Tests that a slow endpoint, a failing endpoint or a crash does not affect other deliveries. */

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

const types = (count: number) => Array.from({ length: count }, () => 'credits.low')

describe('an endpoint that hangs', () => {
  it('does not delay others: all of its messages leave the queue while others are delivered', async () => {
    const simulation = new Simulation()
    const { owner: slow } = await ownerWith(['hangs.example'])
    const { owner: healthy } = await ownerWith(['healthy.example'])
    simulation.receiver('hangs.example', hang)
    simulation.receiver('healthy.example', status(200))
    await notifies(simulation, slow.customer_id, types(30))
    await notifies(simulation, healthy.customer_id, types(10))
    // Delivers four batches of ten messages. The fourth batch has the messages of the healthy endpoint. When it runs,
    // no attempt to the other endpoint has ended.
    for (let batch = 0; batch < 4; batch++) await simulation.deliver({ settle: false })
    expect(simulation.receivedBy('healthy.example')).toHaveLength(10)
    const log = await logOf(healthy.customer_id)
    expect(log.map((delivery) => delivery.status)).toEqual(Array(10).fill('succeeded'))
    await simulation.settle()
    expect(simulation.most_at_once.get('hangs.example')).toBeLessThanOrEqual(6)
  })

  it('gets all of its messages in time once it responds', async () => {
    const simulation = new Simulation()
    let works = false
    const { owner } = await ownerWith(['hangs.example'])
    simulation.receiver('hangs.example', (...message) => (works ? new Response() : hang(...message)))
    await notifies(simulation, owner.customer_id, types(25))
    for (let batch = 0; batch < 3; batch++) await simulation.deliver({ settle: false })
    await simulation.settle()
    works = true
    await simulation.runUntil(simulation.now_ms + 3_600_000)
    const log = await logOf(owner.customer_id)
    expect(log.map((delivery) => delivery.status)).toEqual(Array(25).fill('succeeded'))
  })

  it('gets its waiting messages after the slow attempts, and at most its share at once', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['slow.example'])
    // The receiver responds after 30 ms. A run of the consumer does not wait that long, but an attempt does not time
    // out yet.
    simulation.receiver(
      'slow.example',
      () => new Promise((resolve) => setTimeout(resolve, 30, new Response())),
    )
    await notifies(simulation, owner.customer_id, types(20))
    await simulation.runUntil(simulation.now_ms + 3_600_000)
    expect((await logOf(owner.customer_id)).map((delivery) => delivery.status)).toEqual(
      Array(20).fill('succeeded'),
    )
    expect(simulation.received).toHaveLength(20)
    expect(simulation.most_at_once.get('slow.example')).toBeLessThanOrEqual(6)
  })
})

describe('attempts that are slow', () => {
  /**
   * Creates an endpoint for each host. Each endpoint has failed deliveries that are due again, and more deliveries in
   * the queue.
   */
  async function waiting(hosts: readonly string[], failed: number, queued: number) {
    const simulation = new Simulation()
    const { owner } = await ownerWith(hosts)
    for (const host of hosts) simulation.receiver(host, status(500))
    await notifies(simulation, owner.customer_id, types(failed))
    await simulation.drain()
    simulation.loseQueue()
    simulation.now_ms += 600_000
    for (const host of hosts) simulation.receiver(host, hang)
    await notifies(simulation, owner.customer_id, types(queued))
    // Makes each notification belong to a user and a team, as a flush does, so that their names must be read.
    await env.DB.prepare('UPDATE notifications SET user_number = 1, team_number = 1').run()
    return { simulation, owner }
  }

  it('and the attempts that follow them make at most 1,000 calls in one run of the Worker', async () => {
    const hosts = ['a.example', 'b.example', 'c.example']
    const { simulation } = await waiting(hosts, 40, 4)
    const { db, counts } = countingD1()
    simulation.env = { ...simulation.env, DB: db }
    const [received, fetches] = [simulation.received.length, simulation.fetches]
    await simulation.deliver()
    // Six attempts run at the same time, and each of them is followed by nine more.
    const attempts = simulation.received.length - received
    expect(attempts).toBe(60)
    // Adds one call for each attempt, because an attempt can queue a message for the next attempt.
    const calls = counts.statements + (simulation.fetches - fetches) + attempts
    expect(calls).toBeGreaterThan(500)
    expect(calls).toBeLessThanOrEqual(1_000)
  })

  it('are not followed by an attempt if the name then resolves to a private address', async () => {
    const { simulation, owner } = await waiting(['moves.example'], 10, 1)
    const received = simulation.received.length
    await simulation.deliver({ settle: false })
    simulation.resolver = (url) => dnsAnswer(url.replace('moves', 'private'))
    await simulation.settle()
    expect(simulation.received).toHaveLength(received + 1)
    const errors = (await logOf(owner.customer_id)).map(({ attempts }) => attempts.at(-1)?.error)
    expect(errors.filter((error) => error === 'address_refused')).toHaveLength(9)
    expect(errors.filter((error) => error === 'timeout')).toHaveLength(1)
  })
})

describe('a crash', () => {
  it.each(['before its effect', 'after its effect'] as const)(
    'at the write of the log, %s, repeats a delivery, and leaves one row',
    async (effect) => {
      const simulation = new Simulation()
      const { owner } = await ownerWith(['receiver.example'])
      simulation.receiver('receiver.example', status(200))
      await notifies(simulation, owner.customer_id, types(3))
      const healthy = simulation.env
      simulation.env = { ...healthy, DB: d1FailingAt(1, effect) }
      await simulation.deliver()
      simulation.env = healthy
      await simulation.runUntil(simulation.now_ms + 60_000)
      const log = await logOf(owner.customer_id)
      expect(log.map((delivery) => delivery.status)).toEqual(Array(3).fill('succeeded'))
      expect(simulation.received).toHaveLength(effect === 'before its effect' ? 6 : 3)
    },
  )

  it('before the endpoints are read sends nothing, and loses nothing', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'])
    simulation.receiver('receiver.example', status(200))
    await notifies(simulation, owner.customer_id, types(2))
    const healthy = simulation.env
    const prepare = () => {
      throw new Error('D1_ERROR: Network connection lost.')
    }
    simulation.env = { ...healthy, DB: d1Double({ prepare }) }
    await simulation.deliver()
    expect(simulation.received).toEqual([])
    simulation.env = healthy
    await simulation.runUntil(simulation.now_ms + 60_000)
    expect(simulation.received).toHaveLength(2)
  })

  it('between the queue and the mark of queued notifications delivers each notification at most once more', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'])
    simulation.receiver('receiver.example', status(200))
    const healthy = simulation.env
    const failing = d1Double({
      prepare: (query) => {
        if (query.includes('SET handed_notification = ?2')) throw new Error('D1_ERROR: lost')
        return env.DB.prepare(query)
      },
    })
    simulation.env = { ...healthy, DB: failing }
    await expect(notifies(simulation, owner.customer_id, types(3))).rejects.toThrow('not handed on')
    simulation.env = healthy
    await notifies(simulation, owner.customer_id, types(1))
    await simulation.drain()
    const log = await logOf(owner.customer_id)
    expect(log.map(({ sequence, status: ended }) => [sequence, ended])).toEqual(
      [1, 2, 3, 4].map((sequence) => [sequence, 'succeeded']),
    )
  })

  it('of the queue loses no delivery that failed before, because the sweep queues it again', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'])
    simulation.receiver('receiver.example', (n) => new Response(null, { status: n === 0 ? 500 : 200 }))
    await notifies(simulation, owner.customer_id, types(1))
    await simulation.drain()
    simulation.loseQueue()
    await simulation.runUntil(simulation.now_ms + 180_000)
    expect((await logOf(owner.customer_id)).map((delivery) => delivery.status)).toEqual(['succeeded'])
  })

  it('during a slow attempt repeats it after a minute', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'])
    simulation.receiver('receiver.example', (n, ...rest) => (n === 0 ? hang(n, ...rest) : new Response()))
    await notifies(simulation, owner.customer_id, types(1))
    const healthy = simulation.env
    // Makes the second D1 batch fail, which would record the slow attempt.
    simulation.env = { ...healthy, DB: d1FailingAt(2, 'before its effect') }
    await simulation.deliver()
    simulation.env = healthy
    expect(await logOf(owner.customer_id)).toMatchObject([{ status: 'pending', attempts: [] }])
    await simulation.runUntil(simulation.now_ms + 180_000)
    expect(await logOf(owner.customer_id)).toMatchObject([{ status: 'succeeded' }])
  })
})

describe('a delivery costs', () => {
  it('one row in D1 if its first attempt succeeds, and two for each attempt that does not', async () => {
    const rows: number[] = []
    for (const code of [200, 500]) {
      const simulation = new Simulation()
      const { owner } = await ownerWith(['receiver.example'])
      simulation.receiver('receiver.example', status(code))
      // Fails once before the measurement, because the first failure also changes the row of the endpoint.
      await notifies(simulation, owner.customer_id, types(1))
      await simulation.deliver()
      await notifies(simulation, owner.customer_id, types(5))
      const { db, counts } = countingD1()
      simulation.env = { ...simulation.env, DB: db }
      await simulation.deliver()
      rows.push(counts.rows_written / 5)
    }
    expect(rows).toEqual([1, 2])
  })

  it('few calls of D1, for any size of a batch', async () => {
    const simulation = new Simulation()
    const { owner } = await ownerWith(['receiver.example'])
    simulation.receiver('receiver.example', status(200))
    await notifies(simulation, owner.customer_id, types(10))
    const { counts } = await countedD1(async (db) => {
      simulation.env = { ...simulation.env, DB: db }
      await simulation.deliver()
    })
    expect(simulation.received).toHaveLength(10)
    expect(counts.statements).toBeLessThanOrEqual(8)
  })
})
