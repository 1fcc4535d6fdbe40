import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiProblem } from './call.ts'

export interface Loaded<T> {
  /** The newest answer; kept while the next one loads. */
  readonly data: T | undefined
  readonly problem: ApiProblem | undefined
  readonly is_loading: boolean
  readonly reload: () => void
}

/** Loads with `load` now, and again whenever a value of `inputs` changes or `reload` is called. */
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

/** A failure of the page itself is shown like a problem of the API, and is in the console with its stack. */
export function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  console.error(error)
  return new ApiProblem(0, {
    code: 'page_failed',
    detail: 'This page failed. Reload it, or report the steps that led here.',
  })
}

const LIVE_MS = 2_000
/**
 * A page that has seen no change for this long polls less often: each read counts against the customer's rate
 * limit.
 */
const QUIET_AFTER_MS = 120_000
const QUIET_MS = 10_000

/** Calls `tick` every two seconds while the page is visible, and every ten after two minutes without `change`. */
export function usePolling(tick: () => void, change: unknown): void {
  const latest = useRef(tick)
  latest.current = tick
  useEffect(() => {
    const began_ms = Date.now()
    let timer = 0
    const next = () => {
      const is_quiet = Date.now() - began_ms > QUIET_AFTER_MS
      timer = window.setTimeout(run, is_quiet ? QUIET_MS : LIVE_MS)
    }
    const run = () => {
      if (document.visibilityState === 'visible') latest.current()
      next()
    }
    next()
    return () => window.clearTimeout(timer)
  }, [change])
}
