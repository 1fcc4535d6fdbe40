import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
import { OpenMonetize } from '../../src/index.ts'
import { startProxy } from '../support/proxy.ts'
import { newCustomer, startServer } from '../support/server.ts'

/**
 * Combines the faults between a product and its meter: the server is killed and started again, a proxy loses every
 * third response, and the product is killed while its file has events. `npm run test:sdk` runs the full version, with
 * 20,000 events and ten kills of the product.
 */
const EVENTS = Number(process.env.SDK_EVENTS ?? 2_000)
const CLIENT_KILLS = Number(process.env.SDK_CLIENT_KILLS ?? 3)
const SERVER_KILLS = Number(process.env.SDK_SERVER_KILLS ?? 1)
const CLIENT = path.join(import.meta.dirname, 'client.ts')

it(`bills each of ${EVENTS} events once, although the client is killed ${CLIENT_KILLS} times and the server ${SERVER_KILLS} times`, {
  timeout: 100_000 + EVENTS * 20,
}, async () => {
  const { bundle } = inject('server')
  const directory = mkdtempSync(path.join(tmpdir(), 'openmonetize-faults-'))
  const state = path.join(directory, 'state')
  let server = await startServer(bundle, state)
  const proxy = await startProxy(server.url, (_seen, number) => (number % 3 === 0 ? 'after' : 'pass'))
  const { om, apiKey } = await newCustomer(server.url)
  await om.credits.grant({ amount: EVENTS * 2 })
  const { balance } = await om.credits.balance()
  const [store, progress] = [path.join(directory, 'usage'), path.join(directory, 'progress')]
  const noted = () =>
    existsSync(progress) ? Number(readFileSync(progress, 'utf8').trimEnd().split('\n').at(-1)) : 0
  const start = () => run([proxy.url, apiKey, store, progress, String(EVENTS)])
  const cut: number[] = []
  try {
    let client = start()
    for (const [number, victim] of victims().entries()) {
      // The events are divided into one part for each kill. Each kill happens at a random event of its part.
      const at = Math.floor(((number + Math.random()) * EVENTS * 0.9) / (CLIENT_KILLS + SERVER_KILLS))
      await expect.poll(noted, { timeout: 60_000, interval: 10 }).toBeGreaterThanOrEqual(at)
      if (victim === 'server') {
        await server.kill()
        server = await startServer(bundle, state)
        proxy.target = server.url
      } else {
        await end(client)
        cut.push(noted())
        client = start()
      }
    }
    expect(await ended(client)).toBe(0)

    const direct = new OpenMonetize({ apiKey, baseUrl: server.url })
    const found = new Map<unknown, number>()
    const order = new Map<unknown, number[]>()
    for await (const { metadata, user_id } of direct.events.list({ limit: 100 })) {
      found.set(metadata?.number, (found.get(metadata?.number) ?? 0) + 1)
      order.set(user_id, [...(order.get(user_id) ?? []), Number(metadata?.number)])
    }
    const wrong = Array.from({ length: EVENTS }, (_, index) => index + 1).filter((number) => {
      const times = found.get(number) ?? 0
      return times !== 1 && !(times === 0 && cut.includes(number))
    })
    expect(wrong).toEqual([])
    expect(found.size).toBeGreaterThanOrEqual(EVENTS - cut.length)
    expect((await direct.credits.balance()).balance).toBe(balance - found.size)
    for (const numbers of order.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => b - a))
    console.log(
      `${found.size} events once each, ${EVENTS - found.size} not tracked when the client ended; ` +
        `${cut.length} ends of the client, ${proxy.seen.length} requests, every third response lost`,
    )
  } finally {
    await proxy.stop()
    await server.kill()
    rmSync(directory, { recursive: true, force: true })
  }
})

/** Returns the processes to kill, in order. The kills of the server are spread over the kills of the client. */
function victims(): ('client' | 'server')[] {
  const share = Math.max(1, Math.floor(CLIENT_KILLS / (SERVER_KILLS + 1)))
  const all: ('client' | 'server')[] = []
  for (let client = 1, server = 0; client <= CLIENT_KILLS; client++) {
    all.push('client')
    if (client % share === 0 && server++ < SERVER_KILLS) all.push('server')
  }
  return all
}

function run(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [CLIENT, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.on('exit', (code) => resolve(code)))
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await ended(child)
}
