import type { QueueStore } from './store.ts'

/**
 * Returns a store that stores nothing. The queue then keeps its events only in memory, as it does by default, and loses
 * them when the process ends.
 */
export function memoryStore(): QueueStore {
  return { load: () => [], append: () => undefined, remove: () => undefined }
}
