/** The way a relayed stream ended. */
export type Ending = 'done' | 'client_gone' | 'provider_failed' | 'first_chunk_timeout' | 'idle_timeout'

export interface RelayOptions {
  /** Reads a chunk and returns the bytes to pass on. */
  readonly pass: (chunk: Uint8Array) => readonly Uint8Array[]
  /** Returns the bytes that were held back. */
  readonly end: () => readonly Uint8Array[]
  readonly onChunk: () => void
  /**
   * The function that is called once, after the stream has ended. The returned bytes are added to a stream that ended
   * normally.
   */
  readonly onEnd: (ending: Ending) => Promise<Uint8Array | undefined>
  /** Aborts the request to the provider. */
  readonly cancel: () => void
  /** Whether a stream is read to its end after its client has disconnected. */
  readonly drain: boolean
  readonly first_chunk_timeout_ms: number
  readonly idle_timeout_ms: number
  /** Aborts when the client disconnects. The stream's `cancel` also reports a disconnect. */
  readonly client: AbortSignal
}

/**
 * Relays a provider's stream chunk by chunk. Aborts the request to the provider when the client disconnects, unless
 * `drain` is true. The chunks are pulled directly, because the `flush` of a `TransformStream` does not run on an
 * abort, and `tee` continues to read without a client.
 */
export function relay(body: ReadableStream<Uint8Array>, options: RelayOptions): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const silence = new Silence(options.first_chunk_timeout_ms)
  let over = false

  const finish = (ending: Ending): Promise<Uint8Array | undefined> => {
    if (over) return Promise.resolve(undefined)
    over = true
    silence.stop()
    options.client.removeEventListener('abort', leave)
    if (ending !== 'done') {
      options.cancel()
      // The body is cancelled in addition to the request. Errors of the cancellation are ignored.
      reader.cancel().catch(() => {})
    }
    return options.onEnd(ending)
  }

  let started = false
  const read = async (): Promise<Uint8Array | Ending> => {
    const chunk = await silence.wait(reader.read())
    if (chunk === 'silent') return started ? 'idle_timeout' : 'first_chunk_timeout'
    if (chunk === 'failed') return 'provider_failed'
    if (chunk.done) return 'done'
    if (!started) silence.allow(options.idle_timeout_ms)
    started = true
    return chunk.value
  }
  let reading: Promise<Uint8Array | Ending> | undefined
  const next = async () => {
    reading = read()
    const chunk = await reading
    reading = undefined
    return chunk
  }

  const drain = async (): Promise<void> => {
    // A pull may already be reading a chunk. That chunk is drained first.
    for (let chunk = await (reading ?? next()); ; chunk = await next()) {
      if (typeof chunk === 'string') {
        await finish(chunk)
        return
      }
      options.pass(chunk)
      options.onChunk()
    }
  }

  let draining = false
  const leave = (): void => {
    if (over || draining) return
    draining = options.drain
    if (draining) void drain()
    else void finish('client_gone')
  }

  options.client.addEventListener('abort', leave)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const chunk = await next()
          if (over || draining) return
          if (typeof chunk === 'string') {
            if (chunk === 'done') for (const rest of options.end()) controller.enqueue(rest)
            const last = await finish(chunk)
            if (chunk !== 'done') {
              controller.error(new Error('the stream of the provider failed or timed out'))
              return
            }
            if (last) controller.enqueue(last)
            controller.close()
            return
          }
          const passed = options.pass(chunk)
          for (const bytes of passed) controller.enqueue(bytes)
          options.onChunk()
          if (passed.length > 0) return
        }
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  )
}

/**
 * Waits for the first chunk of a stream, and returns the whole stream. Returns `silent` if the chunk does not arrive
 * within the time limit, and `failed` if the stream fails before the chunk.
 */
export async function begin(
  body: ReadableStream<Uint8Array>,
  timeout_ms: number,
): Promise<ReadableStream<Uint8Array> | 'silent' | 'failed'> {
  const reader = body.getReader()
  const silence = new Silence(timeout_ms)
  const first = await silence.wait(reader.read())
  silence.stop()
  if (first === 'silent' || first === 'failed') {
    reader.cancel().catch(() => {})
    return first
  }
  let waiting: Uint8Array | undefined = first.value
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = waiting ? { done: false as const, value: waiting } : await reader.read()
        waiting = undefined
        if (chunk.done) controller.close()
        else controller.enqueue(chunk.value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/**
 * A time limit for each of many waits. The waits share one timer. If the timer fires before the current wait has
 * reached the limit, it is set again for the rest of that wait.
 */
class Silence {
  private limit_ms: number
  private since_ms: number | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private giveUp: (() => void) | undefined

  constructor(limit_ms: number) {
    this.limit_ms = limit_ms
  }

  /** Changes the limit of the following waits. */
  allow(limit_ms: number): void {
    this.stop()
    this.limit_ms = limit_ms
  }

  /**
   * Returns the result of the work, `failed` if the work is rejected, or `silent` if the work takes longer than the
   * limit.
   */
  wait<T>(work: Promise<T>): Promise<T | 'silent' | 'failed'> {
    this.since_ms = Date.now()
    this.timer ??= setTimeout(() => this.check(), this.limit_ms)
    return new Promise((resolve) => {
      this.giveUp = () => resolve('silent')
      const end = (result: T | 'failed') => {
        this.since_ms = null
        resolve(result)
      }
      work.then(end, () => end('failed'))
    })
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private check(): void {
    this.timer = undefined
    if (this.since_ms === null) return
    const left_ms = this.since_ms + this.limit_ms - Date.now()
    if (left_ms <= 0) this.giveUp?.()
    else this.timer = setTimeout(() => this.check(), left_ms)
  }
}
