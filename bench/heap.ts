import { setTimeout as sleep } from 'node:timers/promises'
import type { Inspector } from './inspector.ts'

/** Heap of an isolate in MB, as its inspector reports it: between tasks, with what is not collected yet. */
export interface HeapUsage {
  readonly used: number
  /** Array buffers and other memory outside the JavaScript heap. */
  readonly outside: number
}

const MB = 1024 * 1024

export async function heapUsage(inspector: Inspector): Promise<HeapUsage> {
  const { usedSize, backingStorageSize = 0 } = await inspector.call('Runtime.getHeapUsage')
  return { used: usedSize / MB, outside: backingStorageSize / MB }
}

/** Runs the work and returns the most that the heap held meanwhile. */
export async function peakHeapOf(inspector: Inspector, work: () => Promise<unknown>): Promise<HeapUsage> {
  let done = false
  let used = 0
  let outside = 0
  const watch = async () => {
    while (!done) {
      const now = await heapUsage(inspector)
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
