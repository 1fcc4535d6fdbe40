import type { QueueStore } from './store.ts'

/** The default: events wait only in memory and are lost with the process. */
export function memoryStore(): QueueStore {
  return { load: () => [], append: () => undefined, remove: () => undefined }
}
