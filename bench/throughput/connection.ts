import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly body: string
}

/**
 * Returns the text of an HTTP request. An HTTP client is not used, because it would use more CPU time than the measured
 * Worker.
 */
export function requestText(url: URL, { method, path, key, body = '', headers = {} }: RequestParts): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${key}\r\n${lines.join('')}`
  if (method === 'GET') return `${head}\r\n`
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

export interface RequestParts {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly key: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A persistent HTTP/1.1 connection with one request at a time. */
export class Connection {
  private readonly socket: Socket
  private chunks: Buffer[] = []
  private length = 0
  /** The size of the whole response in bytes: 0 until the head has arrived, and infinite for a chunked response. */
  private expected = 0
  private waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.receive(chunk))
    socket.on('error', (error) => this.waiting?.reject(error))
    socket.on('close', () => this.waiting?.reject(new Error('the server closed the connection')))
  }

  static open(url: URL): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => resolve(new Connection(socket)))
      socket.once('error', reject)
    })
  }

  /**
   * Sends a request and returns the response. Rejects if the server has closed the connection, which happens after some
   * seconds without a request.
   */
  send(request: string): Promise<Answer> {
    if (this.socket.destroyed) return Promise.reject(new Error('the connection is already closed'))
    this.chunks = []
    this.length = 0
    this.expected = 0
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.socket.write(request)
    })
  }

  close(): void {
    this.waiting = undefined
    this.socket.destroy()
  }

  private receive(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.length += chunk.length
    if (this.expected === 0) this.expected = expectedLength(this.whole())
    const complete =
      this.expected === Number.POSITIVE_INFINITY
        ? this.whole().subarray(-5).equals(LAST_CHUNK)
        : this.expected > 0 && this.length >= this.expected
    if (!complete) return
    const whole = this.whole()
    const status = Number(whole.subarray(9, 12).toString('latin1'))
    const { waiting } = this
    this.waiting = undefined
    waiting?.resolve({
      status,
      get body() {
        return whole.subarray(whole.indexOf(END_OF_HEAD) + END_OF_HEAD.length).toString()
      },
    })
  }

  private whole(): Buffer {
    const [first] = this.chunks
    if (first && this.chunks.length === 1) return first
    const whole = Buffer.concat(this.chunks)
    this.chunks = [whole]
    return whole
  }
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/** Returns the length of the whole response in bytes; 0 while the head is incomplete. */
function expectedLength(received: Buffer): number {
  const end = received.indexOf(END_OF_HEAD)
  if (end < 0) return 0
  const head = received.subarray(0, end).toString('latin1')
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  return length === undefined ? Number.POSITIVE_INFINITY : end + END_OF_HEAD.length + Number(length)
}
