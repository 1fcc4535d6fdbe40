import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { createApp } from '../../src/app.ts'
import type { Bindings } from '../../src/bindings.ts'
import { POLL_MS } from '../../src/stream/stream.ts'
import { apiRequest } from '../support/api.ts'
import { countingD1 } from '../support/d1.ts'

const app = createApp()

/** Opens streams of the real route, with a simulated clock. Counts the calls to D1 and to ledger objects. */
export class StreamBench {
  readonly counts
  ledger_calls = 0
  private readonly bindings: Bindings
  private readonly waiting: { at_ms: number; wake: () => void }[] = []
  private streams: OpenStream[] = []

  /** Replaces the clock with a simulated one. Call `vi.restoreAllMocks()` and `vi.useRealTimers()` after the test. */
  constructor({ stream_seconds = 600 } = {}) {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const wait = scheduler.wait.bind(scheduler)
    vi.spyOn(scheduler, 'wait').mockImplementation((ms) => {
      // Only the waits of streams use the simulated clock. Ledger objects run in the same isolate, and must use real
      // timers.
      if (ms !== POLL_MS) return wait(ms)
      return new Promise<void>((resolve) => {
        this.waiting.push({ at_ms: Date.now() + ms, wake: () => resolve() })
      })
    })
    const { db, counts } = countingD1()
    this.counts = counts
    const called = (method: 'get' | 'getByName') => ({
      value: (...args: unknown[]): unknown => {
        this.ledger_calls++
        return Reflect.apply(env.LEDGER[method], env.LEDGER, args)
      },
    })
    const LEDGER: typeof env.LEDGER = Object.create(env.LEDGER, {
      idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
      get: called('get'),
      getByName: called('getByName'),
    })
    this.bindings = { ...env, DB: db, LEDGER, STREAM_SECONDS: String(stream_seconds) }
  }

  /** Opens a stream, and returns it. If the request is refused, returns the response instead. */
  async open(key: string, headers: Record<string, string> = {}): Promise<OpenStream | Response> {
    return this.send(apiRequest('/v1/stream', { key, headers }))
  }

  /** Opens a stream in the same way as a page of the dashboard. */
  async openedBySession(session: string): Promise<OpenStream> {
    const headers = { Cookie: `__Host-om_session=${session}` }
    const stream = await this.send(apiRequest('/dashboard/api/v1/stream', { headers }))
    if (stream instanceof Response) throw new Error(`the stream was refused with ${stream.status}`)
    return stream
  }

  private async send(request: Request): Promise<OpenStream | Response> {
    const response = await app.fetch(request, this.bindings, createExecutionContext())
    if (response.status !== 200 || !response.body) return response
    const stream = new OpenStream(response.body)
    this.streams.push(stream)
    return stream
  }

  async opened(key: string, headers: Record<string, string> = {}): Promise<OpenStream> {
    const stream = await this.open(key, headers)
    if (stream instanceof Response) throw new Error(`the stream was refused with ${stream.status}`)
    return stream
  }

  /** Advances the clock by `ms` in steps. Runs the streams until each of them waits for a later time or has ended. */
  async pass(ms: number): Promise<void> {
    const until_ms = Date.now() + ms
    await this.settle()
    for (;;) {
      const next_ms = Math.min(...this.waiting.map(({ at_ms }) => at_ms))
      if (next_ms > until_ms) break
      vi.setSystemTime(next_ms)
      const due = this.waiting.filter(({ at_ms }) => at_ms <= next_ms)
      for (const one of due) this.waiting.splice(this.waiting.indexOf(one), 1)
      for (const { wake } of due) wake()
      await this.settle()
    }
    vi.setSystemTime(until_ms)
  }

  private async settle(): Promise<void> {
    this.streams = this.streams.filter(({ ended }) => !ended)
    while (this.waiting.length < this.streams.length) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      this.streams = this.streams.filter(({ ended }) => !ended)
    }
  }
}

/** A client of one stream that reads each part immediately. */
export class OpenStream {
  ended = false
  text = ''
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>

  constructor(body: ReadableStream<Uint8Array>) {
    this.reader = body.getReader()
    this.read().catch(() => {
      this.ended = true
    })
  }

  /** The sequence numbers of the notifications that have arrived. */
  get ids(): number[] {
    return [...this.text.matchAll(/^id: (\d+)\nevent/gm)].map(([, id]) => Number(id))
  }

  /** Closes the connection. */
  async cut(): Promise<void> {
    this.ended = true
    await this.reader.cancel()
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder()
    for (;;) {
      const { done, value } = await this.reader.read()
      if (done) break
      this.text += decoder.decode(value)
    }
    this.ended = true
  }
}
