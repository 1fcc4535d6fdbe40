import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiProblem } from './call.ts'
import { spacing } from './pace.ts'

export interface Loaded<T> {
  /** The newest response. It is kept while the next response loads. */
  readonly data: T | undefined
  readonly problem: ApiProblem | undefined
  readonly is_loading: boolean
  readonly reload: () => void
}

/** Loads data with `load`, and loads it again when a value of `inputs` changes or `reload` is called. */
export function useApi<T>(load: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({
    data: undefined,
    problem: undefined,
    is_loading: true,
  })
  const [round, setRound] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    setState((old) => ({ ...old, is_loading: true }))
    load(abort.signal).then(
      (data) => !abort.signal.aborted && setState({ data, problem: undefined, is_loading: false }),
      (error: unknown) => {
        if (abort.signal.aborted) return
        setState((old) => ({ ...old, problem: problemOf(error), is_loading: false }))
      },
    )
    return () => abort.abort()
  }, [...inputs, round])
  const reload = useCallback(() => setRound((old) => old + 1), [])
  return { ...state, reload }
}

/** Returns the problem to show for an error. Logs the error to the console if it is not an `ApiProblem`. */
export function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  console.error(error)
  return new ApiProblem(0, {
    code: 'page_failed',
    detail: 'This page failed. Reload it. If it fails again, report the steps that caused the failure.',
  })
}

const LIVE_MS = 1_000
/** The longest wait between two calls of `tick`: after `QUIET_AFTER_MS` without a change, or near the rate limit. */
const QUIET_MS = 10_000
const QUIET_AFTER_MS = 120_000

/**
 * Calls `tick` every second while the page is visible. Each read counts against the customer's rate limit. Therefore,
 * `tick` is called every ten seconds after `change` has kept its value for two minutes. Near the rate limit, the wait
 * is also up to ten seconds.
 */
export function usePolling(tick: () => unknown, change: unknown): void {
  const latest = useRef(tick)
  latest.current = tick
  useEffect(() => {
    const began_ms = Date.now()
    let timer = 0
    let is_over = false
    const next = () => {
      const now_ms = Date.now()
      const wished_ms = now_ms - began_ms > QUIET_AFTER_MS ? QUIET_MS : LIVE_MS
      if (!is_over) timer = window.setTimeout(run, Math.min(QUIET_MS, Math.max(wished_ms, spacing(now_ms))))
    }
    const run = async () => {
      if (document.visibilityState === 'visible') await latest.current()
      next()
    }
    next()
    return () => {
      is_over = true
      window.clearTimeout(timer)
    }
  }, [change])
}
