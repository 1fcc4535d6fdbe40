import { setTimeout as sleep } from 'node:timers/promises'
import type { AllocationNode, Inspector } from './inspector.ts'

/** The heap of an isolate in MB, including garbage. The inspector can report it only between tasks. */
export interface HeapUsage {
  readonly used: number
  /** The size of array buffers and other memory outside the JavaScript heap. */
  readonly outside: number
}

const MB = 1024 * 1024

export async function heapUsage(inspector: Inspector): Promise<HeapUsage> {
  const { usedSize, backingStorageSize = 0 } = await inspector.call('Runtime.getHeapUsage')
  return { used: usedSize / MB, outside: backingStorageSize / MB }
}

/** Runs the work and returns the largest sampled values of the heap during the work. */
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

const SAMPLED_BYTES = 1024

/**
 * Runs the work and returns the bytes that JavaScript allocated during it, including the bytes that were collected. The
 * number is an estimate from samples. Estimates of several megabytes are accurate to a few percent.
 */
export async function allocatedBy(inspector: Inspector, work: () => Promise<unknown>): Promise<number> {
  await inspector.call('HeapProfiler.startSampling', {
    samplingInterval: SAMPLED_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  await work()
  const { profile } = await inspector.call('HeapProfiler.stopSampling')
  return bytesOf(profile.head)
}

function bytesOf({ selfSize, children }: AllocationNode): number {
  return children.reduce((sum, child) => sum + bytesOf(child), selfSize)
}
