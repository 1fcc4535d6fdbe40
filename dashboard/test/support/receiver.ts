import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Receiver {
  readonly url: string
  readonly types: () => readonly string[]
  readonly stop: () => Promise<void>
}

/** Starts a customer's webhook receiver, which records the type of each message. */
export async function startReceiver(): Promise<Receiver> {
  const types: string[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    types.push(String(Object(JSON.parse(Buffer.concat(parts).toString())).type))
    response.end('received')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    types: () => types,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
