import { env } from 'cloudflare:workers'

/** What a D1 was asked to do, as it is billed. */
export interface Counts {
  /** Round trips: a batch is one. */
  calls: number
  statements: number
  rows_read: number
  rows_written: number
}

/** A D1 that counts what is read and written through it. */
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
  const db: D1Database = Object.create(env.DB, {
    prepare: { value: (query: string) => counting(env.DB.prepare(query)) },
    batch: {
      value: async (statements: readonly object[]) => {
        const results = await env.DB.batch(statements.map((statement) => Reflect.get(statement, 'statement')))
        count(results)
        return results
      },
    },
  })
  return { db, counts }
}

/** What `work` reads and writes. */
export async function countedD1<T>(
  work: (db: D1Database) => Promise<T>,
): Promise<{ readonly result: T; readonly counts: Counts }> {
  const { db, counts } = countingD1()
  return { result: await work(db), counts }
}
