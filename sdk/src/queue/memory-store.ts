import type { QueueStore } from './store.ts'

/** The default: events wait in memory only, and end with the process. */
export function memoryStore(): QueueStore {
  return { load: () => [], append: () => undefined, remove: () => undefined }
}
