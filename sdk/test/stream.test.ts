import { beforeEach, describe, expect, inject, it } from 'vitest'
import { InvalidApiKeyError, type OpenMonetize, ServerError } from '../src/index.ts'
import { type Notification, stream } from '../src/stream.ts'
import { newCustomer } from './support/server.ts'

const { url: baseUrl } = inject('server')

let om: OpenMonetize
let apiKey: string

beforeEach(async () => {
  ;({ om, apiKey } = await newCustomer(baseUrl))
})

/** Returns the next `count` notifications of a stream. The stream stays open. */
async function take(notifications: AsyncIterator<Notification>, count: number): Promise<Notification[]> {
  const taken: Notification[] = []
  while (taken.length < count) {
    const { done, value } = await notifications.next()
    if (done) throw new Error('the stream ended')
    taken.push(value)
  }
  return taken
}

const sequences = (notifications: readonly Notification[]) => notifications.map(({ sequence }) => sequence)

/** Returns a `fetch` whose connections break after the first part of the response. */
function breaking(opened: string[]): typeof fetch {
  return async (input, init) => {
    opened.push(String(input))
    const response = await fetch(input, init)
    const reader = response.body?.getReader()
    let parts = 0
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const part = parts++ === 0 ? await reader?.read() : undefined
        if (part?.value) controller.enqueue(part.value)
        else controller.error(new TypeError('terminated'))
      },
      cancel: () => reader?.cancel(),
    })
    return new Response(body, response)
  }
}

describe('stream', () => {
  it('gives all notifications in order, without gaps or repeats, even if connections break', async () => {
    const opened: string[] = []
    const notifications = stream({ apiKey, baseUrl, after: 0, fetch: breaking(opened) })
    const seen: Notification[] = []
    for (let i = 1; i <= 3; i++) {
      await om.credits.grant({ amount: i })
      // The first notification is about the sign-up grant.
      seen.push(...(await take(notifications, i === 1 ? 2 : 1)))
    }
    await notifications.return()
    expect(sequences(seen)).toEqual([1, 2, 3, 4])
    expect(seen.at(-1)).toMatchObject({ type: 'credits.granted', data: { amount: 3 } })
    expect(opened.length).toBeGreaterThanOrEqual(3)
  })

  it('begins with the next notification, also if it happens between two connections', async () => {
    const opened: string[] = []
    const granted = { done: false }
    const send = breaking(opened)
    const notifications = stream({
      apiKey,
      baseUrl,
      fetch: async (input, init) => {
        // The first connection is closed before it receives a notification.
        if (opened.length === 1) {
          await om.credits.grant({ amount: 7 })
          granted.done = true
        }
        return send(input, init)
      },
    })
    const [first] = await take(notifications, 1)
    await notifications.return()
    expect(granted.done).toBe(true)
    expect(opened[0]).not.toContain('after=')
    expect(opened[1]).toContain('after=')
    expect(first).toMatchObject({ type: 'credits.granted', data: { amount: 7 } })
  })

  it('throws errors that a retry cannot solve, and lasting ones', async () => {
    const wrong = stream({ apiKey: `${apiKey.slice(0, -1)}${apiKey.endsWith('x') ? 'y' : 'x'}`, baseUrl })
    await expect(wrong.next()).rejects.toBeInstanceOf(InvalidApiKeyError)
    let attempts = 0
    const problem = { type: 'x', title: 'x', status: 503, detail: 'x', code: 'unavailable', request_id: 'r' }
    const down: typeof fetch = async () => {
      attempts++
      return Response.json(problem, { status: 503, headers: { 'Content-Type': 'application/problem+json' } })
    }
    const lasting = stream({ apiKey, baseUrl, fetch: down, maxRetries: 2 })
    await expect(lasting.next()).rejects.toBeInstanceOf(ServerError)
    expect(attempts).toBe(3)
  })

  it('ends with its signal', async () => {
    const controller = new AbortController()
    const notifications = stream({ apiKey, baseUrl, signal: controller.signal })
    const next = notifications.next()
    setTimeout(() => controller.abort(new Error('enough')), 100)
    await expect(next).rejects.toThrow('enough')
    expect(await notifications.next()).toEqual({ done: true, value: undefined })
  })
})
