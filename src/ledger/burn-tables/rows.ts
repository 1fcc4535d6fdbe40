import type { BurnTableDefinition } from '../../pricing/burn-table/definition.ts'
import type { BurnTableRow, BurnTableSnapshot, BurnTableVersion } from '../model/burn-tables.ts'
import { parseStored } from '../model/json.ts'
import type { Exec } from '../tables.ts'

const ALL_VERSIONS = `
  SELECT version, table_id, effective_from_ms, effective_to_ms, began_at_ms, deactivated_at_ms, created_at_ms,
    length(definition) AS length
  FROM burn_tables ORDER BY version`

const INSERT_VERSION = `
  INSERT INTO burn_tables (version, table_id, effective_from_ms, effective_to_ms, began_at_ms, deactivated_at_ms,
    created_at_ms, definition)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

/**
 * The burn tables in the ledger's database. All versions are also kept in memory, without their definitions. A version
 * is never deleted. Only its `deactivated_at_ms` can change.
 */
export class BurnTableRows {
  private readonly exec: Exec
  private loaded: BurnTableVersion[] | null = null

  constructor(exec: Exec) {
    this.exec = exec
  }

  /** All versions, oldest first. The first use reads them from the database. */
  get versions(): readonly BurnTableVersion[] {
    this.loaded ??= this.exec(ALL_VERSIONS).map(versionOf)
    return this.loaded
  }

  /** A number that increases whenever a table changes. */
  get revision(): number {
    const deactivated = this.versions.filter(({ deactivated_at_ms }) => deactivated_at_ms !== null).length
    return this.versions.length + deactivated
  }

  definition(version: number): BurnTableDefinition {
    const [row] = this.exec('SELECT definition FROM burn_tables WHERE version = ?', version)
    if (!row) throw new Error(`the ledger has no burn table version ${version}`)
    return parseStored(row.definition)
  }

  /** Adds a version, and removes the versions from memory. Writes one row. */
  insert(row: BurnTableRow): void {
    const definition = JSON.stringify(row.definition)
    this.exec(
      INSERT_VERSION,
      row.version,
      row.table_id,
      row.effective_from_ms,
      row.effective_to_ms,
      row.began_at_ms,
      row.deactivated_at_ms,
      row.created_at_ms,
      definition,
    )
    this.forget()
  }

  /** Deactivates a table by setting `deactivated_at_ms` of its last version, `version`. Writes one row. */
  deactivate(version: number, at_ms: number): void {
    this.exec('UPDATE burn_tables SET deactivated_at_ms = ? WHERE version = ?', at_ms, version)
    this.forget()
  }

  /** Removes the versions from memory. They are read again at the next use. */
  forget(): void {
    this.loaded = null
  }

  snapshot(): BurnTableSnapshot {
    const rows = this.versions.map(({ length: _, ...version }) => ({
      ...version,
      definition: this.definition(version.version),
    }))
    return { revision: this.revision, rows }
  }

  /** Applies a snapshot if it is newer than the stored tables. */
  accept({ revision, rows }: BurnTableSnapshot): void {
    if (revision <= this.revision) return
    const known = new Map(this.versions.map((version) => [version.version, version]))
    for (const row of rows) {
      const version = known.get(row.version)
      if (!version) this.insert(row)
      else if (row.deactivated_at_ms !== null && version.deactivated_at_ms === null) {
        this.deactivate(row.version, row.deactivated_at_ms)
      }
    }
  }
}

function versionOf(row: Record<string, SqlStorageValue>): BurnTableVersion {
  return {
    version: Number(row.version),
    table_id: String(row.table_id),
    effective_from_ms: Number(row.effective_from_ms),
    effective_to_ms: nullable(row.effective_to_ms),
    began_at_ms: Number(row.began_at_ms),
    deactivated_at_ms: nullable(row.deactivated_at_ms),
    created_at_ms: Number(row.created_at_ms),
    length: Number(row.length),
  }
}

function nullable(value: SqlStorageValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value)
}
