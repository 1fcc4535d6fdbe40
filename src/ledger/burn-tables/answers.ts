import { type BurnDefaults, DEFAULT_VERSION, defaultDefinition } from '../../pricing/burn-table/table.ts'
import type { BurnTableRow, BurnTableVersion } from '../model/burn-tables.ts'
import type { BurnTableAnswer, BurnTablesQuestion, BurnTablesResult } from '../model/messages/burn-tables.ts'
import { notFound, type Refused } from '../model/refusal.ts'
import type { BurnTables } from './compiled.ts'
import type { BurnTableRows } from './rows.ts'

/** Reads burn tables. Refuses an unknown table or version. */
export function readBurnTables(
  rows: BurnTableRows,
  tables: BurnTables,
  question: BurnTablesQuestion,
  now_ms: number,
): BurnTablesResult {
  switch (question.kind) {
    case 'list':
      return listed(rows, question.before_version ?? Number.POSITIVE_INFINITY, question.limit)
    case 'one': {
      const { id, version } = question
      const found =
        version === null
          ? lastVersion(rows, id)
          : rows.versions.find((row) => row.table_id === id && row.version === version)
      return found ? one(storedAnswer(rows, found)) : noTable(id)
    }
    case 'active': {
      const { version } = tables.inForce(now_ms)
      return one(version ? storedAnswer(rows, version) : defaultAnswer(tables.defaults))
    }
  }
}

function one(table: BurnTableAnswer): BurnTablesResult {
  return { kind: 'done', answer: { tables: [table], next_before_version: null } }
}

/** Lists tables in the order of their first versions, newest first. Returns the last version of each table. */
function listed(rows: BurnTableRows, before_version: number, limit: number): BurnTablesResult {
  const last = new Map<string, { readonly first: number; readonly version: BurnTableVersion }>()
  for (const version of rows.versions) {
    last.set(version.table_id, { first: last.get(version.table_id)?.first ?? version.version, version })
  }
  const below = [...last.values()]
    .filter(({ first }) => first < before_version)
    .sort((a, b) => b.first - a.first)
  const page = below.slice(0, limit)
  return {
    kind: 'done',
    answer: {
      tables: page.map(({ version }) => storedAnswer(rows, version)),
      next_before_version: below.length > limit ? (page.at(-1)?.first ?? null) : null,
    },
  }
}

export function storedAnswer(rows: BurnTableRows, version: BurnTableVersion): BurnTableAnswer {
  return burnTableAnswer(rows, { ...version, definition: rows.definition(version.version) })
}

/**
 * Returns the result for a stored version of a table. A table is deactivated as a whole, but only the row of its last
 * version contains the time of the deactivation, so the results of all its versions have the `deactivated_at_ms` of the
 * last version.
 */
export function burnTableAnswer(rows: BurnTableRows, row: BurnTableRow): BurnTableAnswer {
  const first = rows.versions.find(({ table_id }) => table_id === row.table_id)
  return {
    id: row.table_id,
    version: row.version,
    definition: row.definition,
    effective_from_ms: row.effective_from_ms,
    effective_to_ms: row.effective_to_ms,
    created_at_ms: first?.created_at_ms ?? row.created_at_ms,
    updated_at_ms: row.created_at_ms,
    deactivated_at_ms: row.deactivated_at_ms ?? lastVersion(rows, row.table_id)?.deactivated_at_ms ?? null,
  }
}

/** Returns the result of the request that saved a version. Later changes of the table do not change the result. */
export function savedAnswer(rows: BurnTableRows, version: number): BurnTableAnswer {
  const found = rows.versions.find((row) => row.version === version)
  if (!found) throw new Error(`the ledger has no burn table version ${version}`)
  return { ...storedAnswer(rows, found), deactivated_at_ms: null }
}

/** Returns a version of any table, including the deployment's default table; null if the version does not exist. */
export function versionAnswer(
  rows: BurnTableRows,
  tables: BurnTables,
  version: number,
): BurnTableAnswer | null {
  if (version === DEFAULT_VERSION) return defaultAnswer(tables.defaults)
  const found = rows.versions.find((row) => row.version === version)
  return found ? storedAnswer(rows, found) : null
}

function defaultAnswer(defaults: BurnDefaults): BurnTableAnswer {
  return {
    id: null,
    version: DEFAULT_VERSION,
    definition: defaultDefinition(defaults),
    effective_from_ms: null,
    effective_to_ms: null,
    created_at_ms: null,
    updated_at_ms: null,
    deactivated_at_ms: null,
  }
}

/** Returns the last version of a table; undefined if the table does not exist. */
export function lastVersion(rows: BurnTableRows, table_id: string): BurnTableVersion | undefined {
  return rows.versions.findLast((version) => version.table_id === table_id)
}

export function noTable(id: string): Refused {
  return notFound(`Burn table ${id}`)
}
