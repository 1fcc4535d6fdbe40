import type { VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ApiProblem } from '../api/call.ts'
import { problemOf } from '../api/use-api.ts'
import { Problem } from './problem.tsx'

interface ListPage<R> {
  readonly data: readonly R[]
  readonly next_cursor: string | null
}

export interface List<R> {
  readonly rows: readonly R[] | undefined
  readonly problem: ApiProblem | undefined
  readonly is_loading: boolean
  readonly has_more: boolean
  readonly more: () => void
  readonly reload: () => void
}

/**
 * The maximum number of consecutive responses without rows that the list requests before the user must click to
 * continue. Each request searches only a part of a long list. Therefore, a response can have no rows although older
 * rows match.
 */
const ANSWERS_A_SEARCH = 30

/** Loads a list of the API page by page. Loads its first page again when a value of `inputs` changes. */
export function useList<R>(
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<ListPage<R>>,
  inputs: readonly unknown[],
): List<R> {
  const [rows, setRows] = useState<readonly R[]>()
  const [cursor, setCursor] = useState<string | null>(null)
  const [problem, setProblem] = useState<ApiProblem>()
  const [is_loading, setLoading] = useState(true)
  const [round, setRound] = useState(0)
  const reading = useRef(new AbortController())
  const read = (from: string | undefined, answers_left: number) => {
    const { signal } = reading.current
    setLoading(true)
    load(from, signal).then(
      ({ data, next_cursor }) => {
        if (signal.aborted) return
        setRows((old) => (from === undefined ? data : [...(old ?? []), ...data]))
        setCursor(next_cursor)
        setProblem(undefined)
        if (data.length === 0 && next_cursor !== null && answers_left > 1) read(next_cursor, answers_left - 1)
        else setLoading(false)
      },
      (error: unknown) => {
        if (signal.aborted) return
        setProblem(problemOf(error))
        setLoading(false)
      },
    )
  }
  useEffect(() => {
    reading.current = new AbortController()
    read(undefined, ANSWERS_A_SEARCH)
    return () => reading.current.abort()
  }, [...inputs, round])
  return {
    rows,
    problem,
    is_loading,
    has_more: cursor !== null,
    more: () => cursor !== null && read(cursor, ANSWERS_A_SEARCH),
    reload: () => setRound((old) => old + 1),
  }
}

interface ListProps<R> {
  readonly list: List<R>
  readonly empty: VNode
  readonly children: (rows: readonly R[]) => VNode
}

/** Shows the rows of a list and a button for the next page. Shows `empty` if the list has no row. */
export function ListView<R>({ list, empty, children }: ListProps<R>): VNode {
  const { rows, problem, is_loading, has_more, more, reload } = list
  if (problem) return <Problem problem={problem} retry={reload} />
  const is_empty = rows?.length === 0
  if (rows === undefined || (is_empty && has_more && is_loading)) {
    return (
      <p class="loading" role="status">
        {is_empty ? 'Searching older entries…' : 'Loading…'}
      </p>
    )
  }
  if (is_empty && !has_more) return empty
  return (
    <>
      {is_empty ? <p>No recent entry matches.</p> : children(rows)}
      {has_more && (
        <button type="button" class="secondary" onClick={more} disabled={is_loading}>
          {is_empty ? 'Search older entries' : 'Load more'}
        </button>
      )}
    </>
  )
}
