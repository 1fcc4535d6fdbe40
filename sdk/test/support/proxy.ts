import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * The action for a request: relay it (`pass`), cut the connection `before` or `after` the server gets it, or respond
 * to it.
 */
export type Plan = 'pass' | 'before' | 'after' | ((response: ServerResponse) => void)

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface LossyProxy {
  readonly url: string
  readonly seen: Seen[]
  /** The URL of the server behind the proxy. After a restart, the server has another URL. */
  target: string
  plan: (seen: Seen, number: number) => Plan
  stop(): Promise<void>
}

/** Starts a proxy in front of the real server. It loses requests and responses like an unreliable network. */
export async function startProxy(
  target: string,
  plan: LossyProxy['plan'] = () => 'pass',
): Promise<LossyProxy> {
  // With the default of 5 s, the server could close a connection at the moment when a slow test sends on it.
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const body = Buffer.concat(chunks)
      const seen = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: body.toString(),
      }
      proxy.seen.push(seen)
      const what = proxy.plan(seen, proxy.seen.length)
      if (what === 'before') return incoming.socket.destroy()
      if (typeof what === 'function') return what(outgoing)
      const upstream = request(
        proxy.target + seen.path,
        { method: seen.method, headers: incoming.headers, agent: false },
        (answer) => {
          if (what === 'after') {
            answer.resume()
            answer.on('end', () => incoming.socket.destroy())
            return
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        },
      )
      upstream.on('error', () => incoming.socket.destroy())
      upstream.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: LossyProxy = {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    seen: [],
    target,
    plan,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return proxy
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no port')
  return address.port
}

/** Returns a response from a server that is not the meter. */
export function answer(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): (response: ServerResponse) => void {
  return (response) => response.writeHead(status, headers).end(body)
}
