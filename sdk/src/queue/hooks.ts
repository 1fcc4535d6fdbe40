import { isObject } from '../options.ts'

/** The methods of a queue that run at the end of a process or of a page. */
interface Flushable {
  flush(options: { timeoutMs: number }): Promise<void>
  sendBeforeUnload(): Promise<void>
}

/** The used part of Node's `process`. Not all runtimes have it. */
interface Process {
  readonly pid: number
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  listenerCount(event: string): number
  kill(pid: number, signal: string): unknown
}

/** The longest time that the end of a process is delayed. */
const LAST_FLUSH_MS = 5_000

/** Queues with events in them. They share their listeners: Node would warn of a leak if each had its own. */
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
    // Events that the meter does not accept now stay in their store, because the process ends in any case.
    for (const queue of [...queues]) forgetQueue(queue)
  })
}

function onTerminate(): void {
  const node = nodeProcess()
  const alone = node?.listenerCount('SIGTERM') === 1
  flushAll().then(() => {
    if (!alone || !node) return
    // Without a listener the signal ends the process, which is its default.
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
  // Workers have a `process` too, but it emits no events.
  if (typeof navigator !== 'undefined' && navigator.userAgent === 'Cloudflare-Workers') return undefined
  const found: unknown = Reflect.get(globalThis, 'process')
  return isProcess(found) ? found : undefined
}

function isProcess(value: unknown): value is Process {
  return isObject(value) && 'kill' in value && 'on' in value && 'listenerCount' in value
}
