import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** A provider that sends chunks at a given pace, and detects when its client disconnects. */
export interface PacedProvider {
  readonly url: string
  /** Sets the chunks of the next streams, the pause between two chunks, and the action after the last chunk. */
  play(stream: PacedStream): void
  readonly calls: PacedCall[]
  stop(): Promise<void>
}

export interface PacedStream {
  readonly chunks: readonly string[]
  readonly pause_ms?: number
  /** The function that waits before the next chunk. It replaces the pause. */
  readonly next?: (sent: number) => Promise<void>
  readonly end?: 'end' | 'cut' | 'hang'
  /** Whether the provider sends neither headers nor chunks. */
  readonly mute?: boolean
  readonly type?: string
}

export interface PacedCall {
  /** The number of sent chunks. */
  sent: number
  /** Whether the client closed the connection before the end. */
  closed: boolean
  readonly path: string
  readonly body: string
}

export async function startPacedProvider(): Promise<PacedProvider> {
  const calls: PacedCall[] = []
  let stream: PacedStream = { chunks: [] }
  // With the default of 5 s, the server could close a connection at the moment when a slow test sends on it.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    void answer(request, response, stream, calls)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    calls,
    play(next) {
      stream = next
      calls.length = 0
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { chunks, pause_ms = 4, end = 'end', type = 'text/event-stream', mute, next }: PacedStream,
  calls: PacedCall[],
): Promise<void> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const call: PacedCall = {
    sent: 0,
    closed: false,
    path: request.url ?? '',
    body: Buffer.concat(parts).toString(),
  }
  calls.push(call)
  response.on('close', () => {
    call.closed = !response.writableEnded
  })
  if (mute) return
  response.writeHead(200, { 'Content-Type': type }).flushHeaders()
  for (const chunk of chunks) {
    if (call.closed) return
    response.write(chunk)
    call.sent += 1
    await (next ? next(call.sent) : new Promise((resolve) => setTimeout(resolve, pause_ms)))
  }
  if (end === 'end') response.end()
  if (end === 'cut') response.destroy()
}
