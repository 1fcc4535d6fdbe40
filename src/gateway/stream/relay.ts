import type { CallTimer } from './call-timer.ts'

/** The reason why a relayed stream ended. */
export type Ending = 'done' | 'client_gone' | 'provider_failed' | 'first_chunk_timeout' | 'idle_timeout'

export interface RelayOptions {
  /** Reads a chunk and returns the bytes to relay to the client. */
  readonly pass: (chunk: Uint8Array) => readonly Uint8Array[]
  /** Reads the end of a stream that ended normally, and returns the bytes that are still held back. */
  readonly end: () => readonly Uint8Array[]
  readonly onChunk: () => void
  /**
   * Handles the end of the stream. It is called once. If the stream ended normally, the returned bytes are added to it.
   */
  readonly onEnd: (ending: Ending) => Promise<Uint8Array | undefined>
  /** Aborts the request to the provider. */
  readonly cancel: () => void
  /** Whether a stream is read to its end after its client has disconnected. */
  readonly drain: boolean
  readonly timer: CallTimer
  readonly first_chunk_timeout_ms: number
  readonly idle_timeout_ms: number
  /** The time after which a client that reads nothing is treated as disconnected. */
  readonly client_timeout_ms: number
  /**
   * The signal that aborts when the client disconnects. A disconnect can also be reported by the `cancel` of the
   * stream.
   */
  readonly client: AbortSignal
}

/**
 * Relays a provider's stream chunk by chunk. If the client disconnects or stops reading, aborts the request to the
 * provider, unless `drain` is true. The chunks are relayed with `pull`. A `TransformStream` is not suitable, because
 * its `flush` does not run after an abort. `tee` is not suitable, because it continues to read when the client is gone.
 */
export function relay(body: ReadableStream<Uint8Array>, options: RelayOptions): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const { timer } = options
  let over = false

  const finish = (ending: Ending): Promise<Uint8Array | undefined> => {
    if (over) return Promise.resolve(undefined)
    over = true
    timer.stop()
    options.client.removeEventListener('abort', leave)
    if (ending !== 'done') {
      options.cancel()
      // The body is cancelled in addition to the request. Errors of this cancellation are ignored.
      reader.cancel().catch(() => {})
    }
    return options.onEnd(ending)
  }

  let started = false
  const read = async (): Promise<Uint8Array | Ending> => {
    const limit_ms = started ? options.idle_timeout_ms : options.first_chunk_timeout_ms
    const chunk = await timer.wait(limit_ms, reader.read())
    if (!over) timer.start(options.client_timeout_ms, stalled)
    if (chunk === 'silent') return started ? 'idle_timeout' : 'first_chunk_timeout'
    if (chunk === 'failed') return 'provider_failed'
    if (chunk.done) return 'done'
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
    // If a `pull` is already waiting for a chunk, this chunk is drained first.
    for (let chunk = await (reading ?? next()); ; chunk = await next()) {
      if (typeof chunk === 'string') {
        if (chunk === 'done') options.end()
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

  let output: ReadableStreamDefaultController<Uint8Array> | undefined
  const stalled = (): void => {
    leave()
    output?.error(new Error('the client did not read the stream in time'))
  }

  options.client.addEventListener('abort', leave)
  timer.start(options.client_timeout_ms, stalled)
  if (options.client.aborted) leave()
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        output = controller
      },
      async pull(controller) {
        // A stream can still be pulled after its client has disconnected. The chunks then belong to `drain`.
        while (!over && !draining) {
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
 * Waits for the first chunk of a stream and returns a stream that begins with this chunk. Returns `silent` if the chunk
 * does not arrive within the time limit, and `failed` if the stream fails before its first chunk.
 */
export async function begin(
  body: ReadableStream<Uint8Array>,
  timeout_ms: number,
  timer: CallTimer,
): Promise<ReadableStream<Uint8Array> | 'silent' | 'failed'> {
  const reader = body.getReader()
  const first = await timer.wait(timeout_ms, reader.read())
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
