import { isObject } from '../options.ts'

/** The methods of a queue that this module calls when a process ends or a page becomes hidden. */
interface Flushable {
  flush(options: { timeoutMs: number }): Promise<void>
  sendBeforeUnload(): Promise<void>
}

/** The part of Node's `process` that this module uses. Some runtimes have no `process`. */
interface Process {
  readonly pid: number
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  listenerCount(event: string): number
  kill(pid: number, signal: string): unknown
}

/** The timeout of the flush before a process ends, in milliseconds. */
const LAST_FLUSH_MS = 5_000

/**
 * The queues that have events. All queues share one listener for each event of the process or page, because Node
 * warns about a leak if there are many listeners.
 */
const queues = new Set<Flushable>()

export function watchQueue(queue: Flushable): void {
  if (queues.has(queue)) return
  queues.add(queue)
  if (queues.size > 1) return
  const node = nodeProcess()
  node?.on('beforeExit', beforeExit)
  node?.on('SIGTERM', onTerminate)
  if (typeof document !== 'undefined') document.addEventListener('visibilitychange', onVisibility)
}

export function forgetQueue(queue: Flushable): void {
  if (!queues.delete(queue) || queues.size > 0) return
  const node = nodeProcess()
  node?.off('beforeExit', beforeExit)
  node?.off('SIGTERM', onTerminate)
  if (typeof document !== 'undefined') document.removeEventListener('visibilitychange', onVisibility)
}

function beforeExit(): void {
  flushAll().then(() => {
    // The process ends even if the flush fails. Unsent events stay in the store, if the queue has one.
    for (const queue of [...queues]) forgetQueue(queue)
  })
}

function onTerminate(): void {
  const node = nodeProcess()
  const alone = node?.listenerCount('SIGTERM') === 1
  flushAll().then(() => {
    if (!alone || !node) return
    // Sends the signal again without a listener, so that its default action ends the process.
    node.off('SIGTERM', onTerminate)
    node.kill(node.pid, 'SIGTERM')
  })
}

function onVisibility(): void {
  if (document.visibilityState !== 'hidden') return
  for (const queue of queues) queue.sendBeforeUnload().catch(() => undefined)
}

function flushAll(): Promise<unknown> {
  return Promise.allSettled([...queues].map((queue) => queue.flush({ timeoutMs: LAST_FLUSH_MS })))
}

function nodeProcess(): Process | undefined {
  // The `process` of a Worker emits no events, so this module does not use it.
  if (typeof navigator !== 'undefined' && navigator.userAgent === 'Cloudflare-Workers') return undefined
  const found: unknown = Reflect.get(globalThis, 'process')
  return isProcess(found) ? found : undefined
}

function isProcess(value: unknown): value is Process {
  return isObject(value) && 'kill' in value && 'on' in value && 'listenerCount' in value
}
