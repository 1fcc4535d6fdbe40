/** A client of the inspector of one isolate, over its WebSocket (Chrome DevTools Protocol). */
export class Inspector {
  private readonly waiting = new Map<number, (result: unknown) => void>()
  private readonly socket: WebSocket
  private calls = 0

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener('message', ({ data }) => {
      const reply: { readonly id?: number; readonly result?: unknown } = JSON.parse(String(data))
      if (reply.id === undefined) return
      this.waiting.get(reply.id)?.(reply.result)
      this.waiting.delete(reply.id)
    })
  }

  static open(url: string): Promise<Inspector> {
    const socket = new WebSocket(url)
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(new Inspector(socket)))
      socket.addEventListener('error', () =>
        reject(
          new Error(`The connection to the inspector at ${url} failed. Check that workerd is still running.`),
        ),
      )
    })
  }

  call(
    method: 'Runtime.getHeapUsage',
  ): Promise<{ readonly usedSize: number; readonly backingStorageSize?: number }>
  call(method: 'Profiler.stop'): Promise<{ readonly profile: CpuProfile }>
  call(
    method: 'HeapProfiler.startSampling',
    params: {
      readonly samplingInterval: number
      readonly includeObjectsCollectedByMajorGC: true
      readonly includeObjectsCollectedByMinorGC: true
    },
  ): Promise<unknown>
  call(method: 'HeapProfiler.stopSampling'): Promise<{ readonly profile: { readonly head: AllocationNode } }>
  call(method: 'Profiler.enable' | 'Profiler.start'): Promise<unknown>
  call(method: 'Profiler.setSamplingInterval', params: { readonly interval: number }): Promise<unknown>
  call(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.calls
    return new Promise((resolve) => {
      this.waiting.set(id, resolve)
      this.socket.send(JSON.stringify({ id, method, params }))
    })
  }

  close(): void {
    this.socket.close()
  }
}

/** A node of a sampled heap profile: the bytes that one function allocated itself, and the functions that it called. */
export interface AllocationNode {
  readonly selfSize: number
  readonly children: readonly AllocationNode[]
}

/** A sampled CPU profile of V8: the nodes of a call tree, and for each sample the id of its node. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
}
