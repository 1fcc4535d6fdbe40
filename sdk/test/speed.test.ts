import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { OpenMonetize } from '../src/index.ts'
import { meteredFetch } from '../src/wrappers/fetch.ts'
import { Meter } from '../src/wrappers/metering.ts'

const EVENT = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  user_id: 'user_42',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
} as const
const CALLS = 100_000
/**
 * The maximum median time of a call of `track`, divided by the median time of making the JSON of an event with an id.
 * The queue must make this JSON. The measured ratio is 2.2 to 2.4. The time alone depends on the machine: the same code
 * took 0.7 µs on one machine, and 1.5 to 3.0 µs on another.
 */
const MAX_JSON_RATIO = 3
const CALL_OVERHEAD_MS = 2

/** The number of consecutive calls of one side of a comparison. */
const BLOCK = 1000

/**
 * Returns the median times of `CALLS` calls of each side, in µs. The sides alternate, so that both run under the same
 * load.
 */
function mediansOf(...calls: readonly ((number: number) => void)[]): number[] {
  const sides = calls.map((call) => ({ call, times: new Float64Array(CALLS) }))
  for (let block = 0; block < CALLS; block += BLOCK) {
    for (const { call, times } of sides) {
      for (let number = block; number < block + BLOCK; number++) {
        const start = performance.now()
        call(number)
        times[number] = performance.now() - start
      }
    }
  }
  return sides.map(({ times }) => (times.sort()[CALLS / 2] ?? 0) * 1000)
}

it('track takes at most three times as long as the JSON of an event, and keeps its memory', async () => {
  const received = new Set<string>()
  const om = new OpenMonetize({
    apiKey: 'k',
    fetch: async (_input, init) => Response.json(accept(init, received)),
  })
  let bytes = 0
  const before = process.memoryUsage().heapUsed
  const [json_us = 0, track_us = 0] = mediansOf(
    (number) => {
      bytes += JSON.stringify({ ...EVENT, idempotency_key: `key-${number}` }).length
    },
    () => om.track(EVENT),
  )
  const heap_mb = (process.memoryUsage().heapUsed - before) / 2 ** 20
  console.log(
    `track: ${track_us.toFixed(2)} µs, JSON: ${json_us.toFixed(2)} µs, heap +${heap_mb.toFixed(0)} MB`,
  )
  expect(bytes).toBeGreaterThan(0)
  expect(track_us / json_us).toBeLessThanOrEqual(MAX_JSON_RATIO)
  expect(heap_mb).toBeLessThan(150)
  await om.flush()
  expect(received.size).toBe(CALLS)
})

it('drops and counts above maxBytes, so that an outage does not fill the memory', () => {
  const om = new OpenMonetize({
    apiKey: 'k',
    queue: { maxBytes: 1_000_000 },
    onError: () => undefined,
    fetch: () => Promise.reject(new Error('away')),
  })
  for (let call = 0; call < 20_000; call++) om.track(EVENT)
  const { queued, dropped } = om.stats()
  expect(queued + dropped).toBe(20_000)
  expect(queued).toBeLessThan(1_000_000 / 150)
})

it('a wrapped call takes less than 2 ms more than a bare one', async () => {
  const body = JSON.stringify({
    object: 'x',
    model: 'gpt-4o',
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  })
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    incoming.on('end', () => outgoing.writeHead(200, { 'Content-Type': 'application/json' }).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/v1/chat/completions`
  const om = new OpenMonetize({
    apiKey: 'k',
    fetch: async (_input, init) => Response.json(accept(init, new Set())),
  })
  let read = 0
  const api = { name: 'chat', path: /completions$/, input: ['messages'], read: () => void read++ }
  const wrapped = meteredFetch(fetch, new Meter(om, {}, 'OPENAI'), [api])
  const init = {
    method: 'POST',
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ content: 'x'.repeat(4000) }] }),
  }
  const times = { bare: [] as number[], wrapped: [] as number[] }
  for (let call = 0; call < 400; call++) {
    // Alternates between the bare and the wrapped `fetch`, so that both run under the same load.
    for (const [send, list] of [
      [fetch, times.bare],
      [wrapped, times.wrapped],
    ] as const) {
      const start = performance.now()
      await (await send(url, init)).json()
      list.push(performance.now() - start)
    }
  }
  const [bare, metered] = [median(times.bare), median(times.wrapped)]
  console.log(`a call: bare ${bare.toFixed(3)} ms, wrapped ${metered.toFixed(3)} ms`)
  expect(read).toBe(400)
  expect(metered - bare).toBeLessThan(CALL_OVERHEAD_MS)
  server.close()
})

/** Returns the meter's response to a batch in which all events are accepted. */
function accept(init: RequestInit | undefined, received: Set<string>) {
  const { events }: { events: { idempotency_key: string }[] } = JSON.parse(String(init?.body))
  for (const { idempotency_key } of events) received.add(idempotency_key)
  return { results: events.map((_, index) => ({ index, status: 'accepted' })) }
}

/** Returns the median of all times except the first quarter, in which the code is not optimized yet. */
function median(times: readonly number[]): number {
  const warm = times.slice(times.length / 4).sort((a, b) => a - b)
  return warm[Math.floor(warm.length / 2)] ?? 0
}
