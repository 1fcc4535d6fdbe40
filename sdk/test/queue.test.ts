import { spawn } from 'node:child_process'
import fs, { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { type FileStore, fileStore } from '../src/file.ts'
import {
  ConfigurationError,
  type Event,
  OpenMonetize,
  type OpenMonetizeError,
  type OpenMonetizeOptions,
  ServerError,
} from '../src/index.ts'
import { answer, type LossyProxy, startProxy } from './support/proxy.ts'
import { newCustomer } from './support/server.ts'

const { url } = inject('server')
const JSON_TYPE = { 'Content-Type': 'application/json' }
const away = answer(503, '{"code":"unavailable"}', { ...JSON_TYPE, 'Retry-After': '0' })
const directory = mkdtempSync(path.join(tmpdir(), 'openmonetize-queue-'))

// A retry waits for a random part of its delay (full jitter). In these tests, the part is small.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0.1))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let proxy: LossyProxy | undefined
let stores: FileStore[] = []
afterEach(async () => {
  await proxy?.stop()
  for (const store of stores) await store.close?.()
  stores = []
})

/** Creates a client that sends through a proxy, and a list of the errors that the client reports. */
async function behind(plan: LossyProxy['plan'], options: Partial<OpenMonetizeOptions> = {}) {
  proxy = await startProxy(url, plan)
  const { om: direct, apiKey } = await newCustomer(url)
  const reported: { error: OpenMonetizeError; event: Event | undefined }[] = []
  const all: OpenMonetizeOptions = {
    apiKey,
    baseUrl: proxy.url,
    timeoutMs: 5_000,
    onError: (error, event) => reported.push({ error, event }),
    ...options,
  }
  return { om: new OpenMonetize(all), options: all, direct, proxy, reported }
}

function newStore(name: string): FileStore {
  const store = fileStore(path.join(directory, name))
  stores.push(store)
  return store
}

/** Returns an event that costs one credit. */
function event(number: number, more: Partial<Event> = {}): Event {
  return {
    event_type: 'TOKEN_USAGE',
    feature_id: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    input_tokens: 200,
    metadata: { number },
    ...more,
  }
}

/** Returns the numbers of all events on the server, oldest first. */
async function numbers(om: OpenMonetize): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const { metadata } of om.events.list({ limit: 100 })) found.push(metadata?.number)
  return found.reverse()
}

describe('track', () => {
  it('sends events in batches, each once and in order, although every third response is lost', async () => {
    const plan: LossyProxy['plan'] = (_seen, number) => (number % 3 === 0 ? 'after' : 'pass')
    const { om, direct, proxy } = await behind(plan, { queue: { intervalMs: 10, batchEvents: 20 } })
    const sent = Array.from({ length: 500 }, (_, number) => number)
    for (const number of sent) expect(om.track(event(number))).toBe(true)
    expect(om.stats()).toEqual({ queued: 500, sent: 0, dropped: 0, rejected: 0 })
    await om.flush()
    expect(om.stats()).toEqual({ queued: 0, sent: 500, dropped: 0, rejected: 0 })
    expect(await numbers(direct)).toEqual(sent)
    expect((await direct.credits.balance()).balance).toBe(9500)
    expect(proxy.seen.length).toBeGreaterThan(25)
  })

  it('sends automatically after intervalMs, and at once when a batch is full', async () => {
    const { om, direct } = await behind(() => 'pass', { queue: { intervalMs: 60_000, batchEvents: 5 } })
    for (let number = 0; number < 5; number++) om.track(event(number))
    await expect.poll(() => om.stats().sent).toBe(0)
    await om.flush()
    const quick = await behind(() => 'pass', { queue: { intervalMs: 20 } })
    quick.om.track(event(1))
    await expect.poll(() => quick.om.stats().sent).toBe(1)
    expect(await numbers(direct)).toHaveLength(5)
  })

  it('sets a poison event aside, reports it, and delivers all other events', async () => {
    const { om, direct, reported } = await behind(() => 'pass', { queue: { intervalMs: 10 } })
    om.track(event(1))
    om.track(event(2, { provider: 'NOBODY' }))
    om.track(event(3, { input_tokens: -1 }))
    om.track(event(4))
    await om.flush()
    expect(om.stats()).toEqual({ queued: 0, sent: 2, dropped: 0, rejected: 2 })
    expect(await numbers(direct)).toEqual([1, 4])
    expect(reported.map(({ error }) => error.code)).toEqual(['unknown_provider', 'invalid_request'])
    expect(reported[0]?.event).toMatchObject({ metadata: { number: 2 } })
  })

  it('finds the event for which a whole request is refused', async () => {
    const refuses: LossyProxy['plan'] = ({ body }) =>
      body.includes('"number":7}') ? answer(400, '{"code":"invalid_request"}', JSON_TYPE) : 'pass'
    const { om, direct, reported } = await behind(refuses)
    for (let number = 1; number <= 20; number++) om.track(event(number))
    await om.flush()
    expect(om.stats()).toEqual({ queued: 0, sent: 19, dropped: 0, rejected: 1 })
    expect(reported.map(({ event }) => event?.metadata)).toEqual([{ number: 7 }])
    expect(await numbers(direct)).toHaveLength(19)
  })

  it('counts what cannot be written as JSON as rejected, and never throws for it', async () => {
    const { om, reported } = await behind(() => 'pass')
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    expect(om.track(event(1, { metadata: cycle }))).toBe(false)
    expect(om.stats().rejected).toBe(1)
    expect(reported[0]?.error).toBeInstanceOf(ConfigurationError)
  })

  it('sends the key and the time of an event once each, and its own if it has them', async () => {
    const { om, proxy } = await behind(() => 'pass')
    const timestamp = new Date().toISOString()
    om.track(event(1, { idempotency_key: 'mine', timestamp }))
    om.track(event(2, Object({ idempotency_key: '', timestamp: null })))
    om.track(event(3))
    await om.flush()
    const body = String(proxy.seen[0]?.body)
    expect([body.match(/"idempotency_key"/g), body.match(/"timestamp"/g)]).toMatchObject([
      { length: 3 },
      { length: 3 },
    ])
    const { events }: { events: Event[] } = JSON.parse(body)
    expect(events[0]).toMatchObject({ idempotency_key: 'mine', timestamp })
    expect(new Set(events.map(({ idempotency_key }) => idempotency_key)).size).toBe(3)
    expect(om.stats()).toEqual({ queued: 0, sent: 3, dropped: 0, rejected: 0 })
  })

  it('lets the server date an event when the local clock is wrong', async () => {
    const { om, direct } = await behind(() => 'pass')
    const real = Date.now
    Date.now = () => real() + 3_600_000
    om.track(event(1))
    Date.now = real
    await om.flush()
    expect(om.stats()).toMatchObject({ sent: 1, rejected: 0 })
    const [found] = (await direct.events.list()).data
    expect(Math.abs(Date.parse(String(found?.timestamp)) - real())).toBeLessThan(60_000)
  })

  it('keeps events while its key is refused, and reports why', async () => {
    const { om, reported } = await behind(() => answer(401, '{"code":"invalid_api_key"}', JSON_TYPE))
    om.track(event(1))
    await expect(om.flush()).rejects.toMatchObject({ code: 'invalid_api_key' })
    expect(om.stats()).toMatchObject({ queued: 1, rejected: 0 })
    expect(reported).toHaveLength(1)
  })

  it('drops events when the queue is full, and counts and reports them', async () => {
    const { om, reported } = await behind(() => away, { queue: { maxEvents: 3 } })
    expect([1, 2, 3, 4, 5].map((number) => om.track(event(number)))).toEqual([true, true, true, false, false])
    expect(om.stats()).toMatchObject({ queued: 3, dropped: 2 })
    expect(reported[0]?.error).toMatchObject({ code: 'queue_full', retryable: true })
    const small = await behind(() => away, { queue: { maxBytes: 500 } })
    for (let number = 1; number <= 5; number++) small.om.track(event(number))
    expect(small.om.stats()).toMatchObject({ queued: 2, dropped: 3 })
  })

  it('an event that is too large cannot be tracked again, even while the queue is full', async () => {
    const { om, reported } = await behind(() => away, { queue: { maxEvents: 1 } })
    om.track(event(1))
    expect(om.track(event(2, { metadata: { text: 'x'.repeat(5_000_000) } }))).toBe(false)
    expect(reported[0]?.error).toMatchObject({ retryable: false, detail: expect.stringContaining('bytes') })
  })

  it('flushes until its time limit, and throws the error that stopped it', async () => {
    const { om } = await behind(() => away)
    om.track(event(1))
    await expect(om.flush({ timeoutMs: 300 })).rejects.toBeInstanceOf(ServerError)
    expect(om.stats().queued).toBe(1)
  })

  it('accepts no event after close()', async () => {
    const { om, direct } = await behind(() => 'pass')
    om.track(event(1))
    await om.close()
    expect(om.track(event(2))).toBe(false)
    expect(om.stats()).toEqual({ queued: 0, sent: 1, dropped: 1, rejected: 0 })
    expect(await numbers(direct)).toEqual([1])
  })
})

describe('onUnavailable', () => {
  it('allow: drops events that a few attempts cannot deliver', async () => {
    const { om } = await behind(() => away, { onUnavailable: 'allow', maxRetries: 1 })
    om.track(event(1))
    await om.flush()
    expect(om.stats()).toEqual({ queued: 0, sent: 0, dropped: 1, rejected: 0 })
  })

  it('allow: does not change which of the events that track drops are reported', async () => {
    const queue = { maxEvents: 2, intervalMs: 60_000 }
    const { om, reported } = await behind(() => away, { onUnavailable: 'allow', maxRetries: 0, queue })
    for (const number of [1, 2]) om.track(event(number))
    await om.flush()
    for (const number of [3, 4]) om.track(event(number))
    for (let number = 5; number < 2_006; number++) expect(om.track(event(number))).toBe(false)
    expect(om.stats()).toEqual({ queued: 2, sent: 0, dropped: 2_003, rejected: 0 })
    const full = reported.filter(({ error }) => error.code === 'queue_full')
    expect(full.map(({ event }) => event?.metadata)).toEqual([
      { number: 5 },
      { number: 1_005 },
      { number: 2_005 },
    ])
  })

  it('deny: track throws while the meter does not respond, and passes again when it does', async () => {
    let up = false
    const { om } = await behind(() => (up ? 'pass' : away), { onUnavailable: 'deny' })
    om.track(event(1))
    await expect(om.flush({ timeoutMs: 200 })).rejects.toThrow()
    expect(() => om.track(event(2))).toThrow(ServerError)
    up = true
    await om.flush()
    expect(om.track(event(3))).toBe(true)
    await om.flush()
    expect(om.stats()).toEqual({ queued: 0, sent: 2, dropped: 0, rejected: 0 })
  })
})

describe('waitUntil', () => {
  it('gets one promise for many events of a request, which resolves when they are sent', async () => {
    const { om } = await behind(() => 'pass', { queue: { intervalMs: 60_000 } })
    const work: Promise<unknown>[] = []
    const context = { waitUntil: (promise: Promise<unknown>) => work.push(promise) }
    for (let number = 0; number < 10; number++) om.track(event(number), context)
    expect(work).toHaveLength(1)
    await Promise.all(work)
    expect(om.stats()).toMatchObject({ queued: 0, sent: 10 })
  })

  it('can be an option, for runtimes whose function belongs to no request', async () => {
    const work: Promise<unknown>[] = []
    const queue = { intervalMs: 60_000, waitUntil: (promise: Promise<void>) => void work.push(promise) }
    const { om } = await behind(() => 'pass', { queue })
    om.track(event(1))
    await Promise.all(work)
    expect(om.stats()).toMatchObject({ queued: 0, sent: 1 })
  })
})

it('continues in memory when its store fails, and reports it', async () => {
  const full = () => {
    throw new Error('no space left on device')
  }
  const { om, reported } = await behind(() => 'pass', {
    queue: { store: { load: () => [], append: full, remove: full } },
  })
  expect(om.track(event(1))).toBe(true)
  await om.flush()
  expect(om.stats()).toEqual({ queued: 0, sent: 1, dropped: 0, rejected: 0 })
  expect(reported[0]?.error).toMatchObject({
    code: 'store_failed',
    detail: expect.stringContaining('no space'),
  })
})

it('continues in memory at any step at which its store fails, and reports it', async () => {
  const fails = (name: string) => (): never => {
    throw new Error(`${name}: no space left on device`)
  }
  const store = {
    load: fails('load'),
    append: fails('append'),
    remove: fails('remove'),
    reject: fails('reject'),
    sync: fails('sync'),
    close: fails('close'),
  }
  const { om, reported } = await behind(() => 'pass', { queue: { store } })
  om.track(event(1))
  om.track(event(2, { provider: 'NOBODY' }))
  await om.close()
  expect(om.stats()).toEqual({ queued: 0, sent: 1, dropped: 0, rejected: 1 })
  const failed = reported.flatMap(({ error }) => (error.code === 'store_failed' ? error.detail : []))
  for (const name of Object.keys(store)) expect(failed.join('\n')).toContain(`${name}: no space`)
})

it('a file that cannot be opened stays unlocked', () => {
  const file = path.join(directory, 'unreadable')
  fs.mkdirSync(file)
  expect(() => fileStore(file)).toThrow()
  fs.rmdirSync(file)
  fileStore(file).close?.()
})

it('a line that a full disk cut off damages no other line', () => {
  const store = newStore('torn')
  const { writeSync } = fs
  let writes = 0
  fs.writeSync = (file: number, data: unknown) => {
    if (++writes > 1 || !(data instanceof Uint8Array)) throw new Error('no space left on device')
    return writeSync(file, data.subarray(0, 10))
  }
  syncBuiltinESMExports()
  try {
    expect(() => store.append([{ id: 'a', text: '{"idempotency_key":"a"}' }])).toThrow('no space')
  } finally {
    fs.writeSync = writeSync
    syncBuiltinESMExports()
  }
  const kept = { id: 'b', text: '{"idempotency_key":"b"}' }
  store.append([kept])
  store.close?.()
  expect(newStore('torn').load()).toEqual([kept])
})

it.each([
  ['id', (om: OpenMonetize) => om.users.retrieve('x\ud83d')],
  ['parameter', (om: OpenMonetize) => om.events.list({ user_id: 'x\ud83d' })],
  ['key of an event', (om: OpenMonetize) => om.events.ingest(event(1, { idempotency_key: 'ключ' }))],
  ['key', (om: OpenMonetize) => om.credits.grant({ amount: 1 }, { idempotencyKey: 'schlüssel' })],
])('refuses a %s that cannot be sent', async (_, call) => {
  const om = new OpenMonetize({ apiKey: 'key', baseUrl: url })
  await expect((async () => call(om))()).rejects.toThrow(ConfigurationError)
})

describe('the end of a process', () => {
  it.each([
    ['with nothing left to do', 'undefined'],
    ['by SIGTERM', `setInterval(() => {}, 1000); setTimeout(() => process.kill(process.pid, 'SIGTERM'), 50)`],
  ])('%s sends the waiting events', async (_name, how) => {
    const { om: direct, apiKey } = await newCustomer(url)
    const index = path.join(import.meta.dirname, '..', 'src', 'index.ts')
    const program = `
      const { OpenMonetize } = await import(${JSON.stringify(index)})
      const om = new OpenMonetize({ apiKey: ${JSON.stringify(apiKey)}, baseUrl: ${JSON.stringify(url)}, queue: { intervalMs: 60000 } })
      for (let number = 0; number < 3; number++) om.track(${JSON.stringify(event(1))})
      ${how}`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
    const [code, signal] = await new Promise<unknown[]>((resolve) =>
      child.on('exit', (...end) => resolve(end)),
    )
    expect(how === 'undefined' ? code : signal).toBe(how === 'undefined' ? 0 : 'SIGTERM')
    expect(await numbers(direct)).toEqual([1, 1, 1])
  })
})

describe('a file store', () => {
  it('has the events of an earlier run, with their ids', async () => {
    const file = newStore('restart')
    const first = await behind(() => 'after', { queue: { store: file, intervalMs: 10 } })
    for (let number = 0; number < 30; number++) first.om.track(event(number))
    await expect(first.om.flush({ timeoutMs: 300 })).rejects.toThrow()
    file.close?.()
    // The server has all events, but no response has reached the client.
    expect(await numbers(first.direct)).toHaveLength(30)
    first.proxy.plan = () => 'pass'
    const second = new OpenMonetize({ ...first.options, queue: { store: newStore('restart') } })
    expect(second.stats().queued).toBe(30)
    await second.flush()
    expect(second.stats()).toEqual({ queued: 0, sent: 30, dropped: 0, rejected: 0 })
    expect(await numbers(first.direct)).toHaveLength(30)
    expect(readFileSync(path.join(directory, 'restart'), 'utf8')).toBe('')
  })

  it('reads a file whose last line a crash has cut off', async () => {
    const kept = { event_type: 'CUSTOM', feature_id: 'x', idempotency_key: 'a' }
    const gone = { ...kept, idempotency_key: 'b' }
    const lines = [`+${JSON.stringify(kept)}`, `+${JSON.stringify(gone)}`, '-"b"', '+{"event_type":"CUS']
    writeFileSync(path.join(directory, 'cut'), lines.join('\n'))
    expect(newStore('cut').load()).toEqual([{ id: 'a', text: JSON.stringify(kept) }])
  })

  it('writes rejected events and their reasons to a file of their own', async () => {
    const store = newStore('rejected')
    const { om } = await behind(() => 'pass', { queue: { store } })
    om.track(event(1, { provider: 'NOBODY' }))
    await om.flush()
    const line: unknown = JSON.parse(readFileSync(store.rejectedPath, 'utf8'))
    expect(line).toMatchObject({
      reason: expect.stringContaining('unknown_provider'),
      event: { provider: 'NOBODY' },
    })
  })

  it('belongs to one client at a time', () => {
    newStore('mine')
    expect(() => newStore('mine')).toThrow(ConfigurationError)
    writeFileSync(path.join(directory, 'stale.lock'), '999999999')
    expect(newStore('stale').load()).toEqual([])
  })
})
