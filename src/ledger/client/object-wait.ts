import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * How long a request waited for ledger objects, which is not the Worker's own time. Kept beside the calls, so that no
 * function between a route and its call has to pass it on.
 */
interface Wait {
  waited_ms: number
}

const waits = new AsyncLocalStorage<Wait>()

/** Runs a request and returns how long it waited, in milliseconds; calls that ran at once are added up. */
export async function measureObjectWait(request: () => Promise<unknown>): Promise<number> {
  const wait: Wait = { waited_ms: 0 }
  await waits.run(wait, request)
  return wait.waited_ms
}

/** Makes a call to an object and adds its duration to the request's wait, whether it succeeds or not. */
export async function waitForObject<T>(call: () => Promise<T>): Promise<T> {
  const started_ms = Date.now()
  try {
    return await call()
  } finally {
    const wait = waits.getStore()
    if (wait) wait.waited_ms += Date.now() - started_ms
  }
}
