import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'

/** A function that responds to one request as a provider does. */
export type Script = (response: ServerResponse, request: UpstreamRequest) => void | Promise<void>

export interface UpstreamRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** The body as received. */
  readonly text: string
  readonly body: Record<string, unknown>
}

/**
 * A provider on the loopback interface that uses one script for each request. The last script also handles all later
 * requests.
 */
export interface Upstream {
  readonly url: string
  readonly requests: UpstreamRequest[]
  play(...scripts: Script[]): void
  stop(): Promise<void>
}

export async function startUpstream(): Promise<Upstream> {
  const requests: UpstreamRequest[] = []
  let scripts: Script[] = []
  // With the default of 5 s, the server could close a connection at the moment when a slow test sends on it.
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', async () => {
      const text = Buffer.concat(chunks).toString()
      const { headers, url = '' } = incoming
      const request = {
        path: url,
        headers,
        text,
        body: headers['content-type'] === 'application/json' && text !== '' ? JSON.parse(text) : {},
      }
      requests.push(request)
      const script = scripts.length > 1 ? scripts.shift() : scripts[0]
      await script?.(outgoing, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    play: (...next) => {
      scripts = next
      requests.length = 0
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Script {
  return (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))
  }
}

export interface Ending {
  /** The bytes that the server sends unchanged after the chunks. */
  readonly tail?: string
  /** Whether the connection is cut instead of ending the stream. */
  readonly cut?: boolean
  /** Whether the connection stays open without further bytes. */
  readonly hang?: boolean
  /** Whether each chunk has its type in a separate line, as in the streams of Anthropic and OpenAI's newer APIs. */
  readonly named?: boolean
}

/** Returns a script that sends server-sent events, each in a separate write. */
export function sse(chunks: readonly object[], { tail = '', cut, hang, named }: Ending = {}): Script {
  return async (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (const chunk of chunks) {
      const name = named && 'type' in chunk ? `event: ${String(chunk.type)}\n` : ''
      response.write(`${name}data: ${JSON.stringify(chunk)}\n\n`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    if (tail) response.write(tail)
    if (hang) return
    if (cut) setTimeout(() => response.destroy(), 20)
    else response.end()
  }
}
