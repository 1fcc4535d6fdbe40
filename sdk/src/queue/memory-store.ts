import type { QueueStore } from './store.ts'

/** Returns the default store, which stores nothing. Events are then only in memory and are lost with the process. */
export function memoryStore(): QueueStore {
  return { load: () => [], append: () => undefined, remove: () => undefined }
}
