import { invalidRequest } from '../../http/output/problem.ts'
import { type Asked, type Fields, rows, text } from './translation.ts'

/**
 * A page of a list, selected by `limit` and `offset`. The lists of this API have cursors instead of offsets, so the
 * page is built from several of their pages.
 */
export interface OffsetList {
  readonly data: readonly Fields[]
  readonly pagination: { readonly limit: number; readonly offset: number; readonly total: number }
}

const PAGE = 100
/** The number of rows after which no further page of a list is read. `total` counts only the rows that were read. */
const MAX_ROWS = 1_000
const DEFAULT_LIMIT = 50

export async function listAll(
  { c, params, send }: Asked,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): Promise<OffsetList | Response> {
  const limit = wholeOf(params.limit, DEFAULT_LIMIT)
  const offset = wholeOf(params.offset, 0)
  if (limit === undefined || limit < 1 || limit > PAGE) {
    const message = `must be a whole number from 1 to ${PAGE}`
    return invalidRequest(c, `The query's limit ${message}.`, [{ path: '/limit', message }])
  }
  if (offset === undefined || offset > MAX_ROWS) {
    const message = `must be a whole number from 0 to ${MAX_ROWS}`
    return invalidRequest(c, `The query's offset ${message}.`, [{ path: '/offset', message }])
  }
  const all: Fields[] = []
  let cursor: string | undefined
  do {
    const page = await send({ method: 'GET', path, query: { ...query, limit: String(PAGE), cursor } })
    all.push(...rows(page.data))
    cursor = text(page.next_cursor)
  } while (cursor !== undefined && all.length < MAX_ROWS)
  return { data: all.slice(offset, offset + limit), pagination: { limit, offset, total: all.length } }
}

function wholeOf(value: string | undefined, otherwise: number): number | undefined {
  if (value === undefined) return otherwise
  return /^\d{1,6}$/.test(value) ? Number(value) : undefined
}
