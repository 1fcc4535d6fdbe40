import { env } from 'cloudflare:workers'
import { afterAll, expect } from 'vitest'

/**
 * Records every D1 statement that the Worker and the ledger objects prepare while a test file runs. Afterwards, checks
 * the query plan of each statement in SQLite. No statement may scan a table whose size is not limited.
 */

const seen = new Set<string>()

/**
 * The tables that always have few rows: positions of jobs, ledgers with a failing flush, the 100 newest price feeds,
 * and the operator's signing keys.
 */
const SMALL_TABLES: ReadonlySet<string> = new Set(['sweeps', 'flush_failures', 'price_feeds', 'signing_keys'])

/** The partial indexes that contain only the rows that a job looks for. A scan of such an index reads no other rows. */
const SMALL_INDEXES: ReadonlySet<string> = new Set([
  'reconciliations_different',
  'rollup_watermarks_unfinished',
])

/**
 * Parts of the queries that count rows for the operator's statistics (`src/admin/stats/figures.ts`,
 * `src/webhooks/figures.ts`). They may scan a table, because they read rows only up to a limit.
 */
const COUNTS = [
  'SELECT status, tier, count(*) AS count FROM (SELECT status, tier FROM customers LIMIT ?1)',
  "FROM webhook_deliveries WHERE status = 'pending' LIMIT",
  'FROM webhook_endpoints LIMIT',
  'LEFT JOIN reconciliations c ON c.ledger_id = l.ledger_id LIMIT ?1) l',
]

export function recordStatements(): void {
  const prototype: unknown = Object.getPrototypeOf(env.DB)
  if (typeof prototype !== 'object' || prototype === null) throw new Error('D1 has no prototype')
  const prepare: unknown = Reflect.get(prototype, 'prepare')
  if (typeof prepare !== 'function') throw new Error('D1 prepares nothing')
  Reflect.set(prototype, 'prepare', function (this: D1Database, query: string) {
    if (!query.startsWith('EXPLAIN') && new Error().stack?.includes('/src/')) seen.add(query)
    return Reflect.apply(prepare, this, [query])
  })
  afterAll(async () => {
    for (const query of seen) {
      expect(await scansOf(query), `a scan of a table that grows in: ${query}`).toEqual([])
    }
  })
}

/** Returns the steps of a statement's query plan that scan a whole table whose size is not limited. */
export async function scansOf(query: string): Promise<string[]> {
  if (COUNTS.some((part) => query.includes(part))) return []
  const nothing = Array.from({ length: parametersOf(query) }, () => null)
  const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${query}`)
    .bind(...nothing)
    .all<{ detail: string }>()
  const names = tablesOf(query)
  const tables = await growingTables()
  return results
    .map(({ detail }) => detail)
    .filter((detail) => {
      const [, name = '', index] = /^SCAN (\w+)(?:.*INDEX (\w+))?/.exec(detail) ?? []
      const table = names.get(name) ?? name
      return tables.has(table) && !(index !== undefined && SMALL_INDEXES.has(index))
    })
}

/** Returns the table names in a statement by their aliases. */
function tablesOf(query: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const references = query.matchAll(/\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+AS\s+(\w+)|\s+([a-z])\b)?/g)
  for (const [, table = '', alias, letter] of references) names.set(alias ?? letter ?? table, table)
  return names
}

function parametersOf(query: string): number {
  const numbered = [...query.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number))
  return numbered.length > 0 ? Math.max(...numbered) : (query.match(/\?/g)?.length ?? 0)
}

let growing: Promise<ReadonlySet<string>> | undefined

function growingTables(): Promise<ReadonlySet<string>> {
  growing ??= env.DB.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all<{ name: string }>()
    .then(({ results }) => new Set(results.map(({ name }) => name).filter((name) => !SMALL_TABLES.has(name))))
  return growing
}
