import { env } from 'cloudflare:workers'

/** Test doubles of D1. `d1Double` replaces any calls, and the other functions simulate faults or count queries. */

interface Calls {
  readonly prepare?: (query: string) => unknown
  readonly batch?: (statements: D1PreparedStatement[]) => unknown
}

/** Returns the D1 database of the tests, with these methods replaced. */
export function d1Double({
  prepare = (query) => env.DB.prepare(query),
  batch = (statements) => env.DB.batch(statements),
}: Calls): D1Database {
  return Object.create(env.DB, { prepare: { value: prepare }, batch: { value: batch } })
}

const fail = () => {
  throw new Error('internal error of the platform')
}

/** Returns a D1 database that is down: every query throws an error. */
export function brokenD1(): D1Database {
  return d1Double({ prepare: fail, batch: fail })
}

/** Returns a KV namespace that is down: every read and write throws an error. */
export function brokenKv(): KVNamespace {
  return Object.create(env.API_KEYS, { get: { value: fail }, put: { value: fail } })
}

/**
 * Returns a D1 database in which batch number `batch` (1 for the first) fails. The batch fails before its effect, or
 * after its effect as if only the response were lost.
 */
export function d1FailingAt(batch: number, effect: 'before its effect' | 'after its effect'): D1Database {
  let batches = 0
  return d1Double({
    batch: async (statements: D1PreparedStatement[]) => {
      batches++
      if (batches !== batch) return env.DB.batch(statements)
      if (effect === 'after its effect') await env.DB.batch(statements)
      throw new Error('D1_ERROR: Network connection lost.')
    },
  })
}

/** The number of calls, statements and rows of the queries to a D1 database. */
export interface Counts {
  /** The number of round trips to D1. A batch is one round trip. */
  calls: number
  statements: number
  rows_read: number
  rows_written: number
}

/** Returns a D1 database that counts its queries, and an object with the current counts. */
export function countingD1(): { readonly db: D1Database; readonly counts: Counts } {
  const counts: Counts = { calls: 0, statements: 0, rows_read: 0, rows_written: 0 }
  const count = (results: readonly D1Result<unknown>[]) => {
    counts.calls++
    counts.statements += results.length
    for (const { meta } of results) {
      counts.rows_read += meta.rows_read
      counts.rows_written += meta.rows_written
    }
  }
  const counting = (statement: D1PreparedStatement): object => ({
    bind: (...values: unknown[]) => counting(statement.bind(...values)),
    all: async () => {
      const result = await statement.all()
      count([result])
      return result
    },
    run: async () => {
      const result = await statement.run()
      count([result])
      return result
    },
    first: async (column?: string) => {
      const result = await statement.all<Record<string, unknown>>()
      count([result])
      const row = result.results[0]
      return column === undefined || !row ? (row ?? null) : row[column]
    },
    statement,
  })
  const db = d1Double({
    prepare: (query: string) => counting(env.DB.prepare(query)),
    batch: async (statements: readonly object[]) => {
      const results = await env.DB.batch(statements.map((statement) => Reflect.get(statement, 'statement')))
      count(results)
      return results
    },
  })
  return { db, counts }
}

/** Runs `work` with a D1 database that counts its queries. Returns the result of `work` and the counts. */
export async function countedD1<T>(
  work: (db: D1Database) => Promise<T>,
): Promise<{ readonly result: T; readonly counts: Counts }> {
  const { db, counts } = countingD1()
  return { result: await work(db), counts }
}
