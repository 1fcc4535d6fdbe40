import { setTimeout as sleep } from 'node:timers/promises'

/** Heap of an isolate in MB, as its inspector reports it: between tasks, with what is not collected yet. */
export interface HeapUsage {
  readonly used: number
  /** Array buffers and other memory outside the JavaScript heap. */
  readonly outside: number
}

interface Reply {
  readonly id?: number
  readonly result?: { readonly usedSize?: number; readonly backingStorageSize?: number }
}

const MB = 1024 * 1024

/** The inspector of one isolate. */
export class Heap {
  private readonly waiting = new Map<number, (reply: Reply) => void>()
  private readonly socket: WebSocket
  private calls = 0

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener('message', ({ data }) => {
      const reply: Reply = JSON.parse(String(data))
      if (reply.id !== undefined) this.waiting.get(reply.id)?.(reply)
    })
  }

  static open(url: string): Promise<Heap> {
    const socket = new WebSocket(url)
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(new Heap(socket)))
      socket.addEventListener('error', () => reject(new Error(`no inspector at ${url}`)))
    })
  }

  async usage(): Promise<HeapUsage> {
    const { result } = await this.call('Runtime.getHeapUsage')
    return { used: (result?.usedSize ?? 0) / MB, outside: (result?.backingStorageSize ?? 0) / MB }
  }

  /** Runs the work and returns the most that the heap held meanwhile. */
  async peakOf(work: () => Promise<unknown>): Promise<HeapUsage> {
    let done = false
    let used = 0
    let outside = 0
    const watch = async () => {
      while (!done) {
        const now = await this.usage()
        used = Math.max(used, now.used)
        outside = Math.max(outside, now.outside)
        await sleep(1)
      }
    }
    const watching = watch()
    try {
      await work()
    } finally {
      done = true
      await watching
    }
    return { used, outside }
  }

  close(): void {
    this.socket.close()
  }

  private call(method: string): Promise<Reply> {
    const id = ++this.calls
    return new Promise((resolve) => {
      this.waiting.set(id, (reply) => {
        this.waiting.delete(id)
        resolve(reply)
      })
      this.socket.send(JSON.stringify({ id, method }))
    })
  }
}
