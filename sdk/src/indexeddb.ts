import { ConfigurationError } from './errors.ts'
import type { QueuedEvent, QueueStore } from './queue/store.ts'

const EVENTS = 'events'

/**
 * Returns a store that keeps the events of a queue in a browser's IndexedDB, so that they survive the page. Pages of
 * one origin may use the same name. If two pages send the same event, it is billed once.
 *
 * @example
 * const om = new OpenMonetize({ apiKey, queue: { store: indexedDbStore('usage') } })
 */
export function indexedDbStore(name: string): QueueStore {
  if (typeof name !== 'string' || name === '')
    throw new ConfigurationError('indexedDbStore requires a database name.')
  let opened: Promise<IDBDatabase> | undefined
  let adding: QueuedEvent[] = []
  let removing: string[] = []
  let writing: Promise<void> | undefined

  /** Writes all collected changes in one transaction. */
  async function write(): Promise<void> {
    await undefined
    opened ??= open(name)
    const db = await opened
    writing = undefined
    const transaction = db.transaction(EVENTS, 'readwrite')
    const store = transaction.objectStore(EVENTS)
    const [added, removed] = [adding, removing]
    adding = []
    removing = []
    for (const { id, text } of added) store.put({ id, text, number: ++number })
    for (const id of removed) store.delete(id)
    await done(transaction)
  }
  /**
   * The number of the newest row. Rows are read in the order of their numbers. The first number is based on the clock,
   * so that it is higher than the numbers of earlier pages.
   */
  let number = Date.now() * 1000

  const change = (): Promise<void> => {
    writing ??= write()
    return writing
  }

  return {
    async load() {
      opened ??= open(name)
      const db = await opened
      return result<QueuedEvent[]>(db.transaction(EVENTS).objectStore(EVENTS).index('number').getAll())
    },
    append(events) {
      adding.push(...events)
      return change()
    },
    remove(ids) {
      const gone = new Set(ids)
      adding = adding.filter(({ id }) => !gone.has(id))
      removing.push(...ids)
      return change()
    },
    async sync() {
      if (adding.length > 0 || removing.length > 0 || writing) await change()
    },
    async close() {
      const db = await opened
      opened = undefined
      db?.close()
    },
  }
}

async function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore(EVENTS, { keyPath: 'id' }).createIndex('number', 'number')
  }
  return result(request)
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onerror = () => reject(transaction.error)
    transaction.onabort = () => reject(transaction.error)
  })
}
