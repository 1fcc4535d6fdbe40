import {
  type BurnDefaults,
  type BurnTable,
  compileBurnTable,
  defaultBurnTable,
} from '../../pricing/burn-table/table.ts'
import { type InForce, versionInForce } from '../../pricing/burn-table/versions.ts'
import type { BurnTableVersion } from '../model/burn-tables.ts'
import type { BurnTableRows } from './rows.ts'

/** The tables that rate a ledger's events. `at` returns the table that was in force at the time of an event. */
export interface RatingTables {
  at(at_ms: number): BurnTable
}

/**
 * The maximum number of compiled tables in memory. Most events use the current version, and late events can use earlier
 * versions.
 */
const MAX_COMPILED = 64

/** A customer's burn tables. Each version is compiled when it is first used. */
export class BurnTables implements RatingTables {
  readonly defaults: BurnDefaults
  private readonly rows: BurnTableRows
  private readonly defaultTable: BurnTable
  private readonly compiled = new Map<number, BurnTable>()
  private lastFound: InForce<BurnTableVersion> | null = null

  constructor(rows: BurnTableRows, defaults: BurnDefaults) {
    this.rows = rows
    this.defaults = defaults
    this.defaultTable = defaultBurnTable(defaults)
  }

  /** Returns the customer's table in force at a time, or the deployment's default table if none is in force. */
  at(at_ms: number): BurnTable {
    const { version } = this.inForce(at_ms)
    return version ? this.compile(version) : this.defaultTable
  }

  inForce(at_ms: number): InForce<BurnTableVersion> {
    const known = this.lastFound
    if (known && at_ms >= known.from_ms && at_ms < known.to_ms) return known
    this.lastFound = versionInForce(this.rows.versions, at_ms)
    return this.lastFound
  }

  /**
   * Discards the cached rows. Call this after every change of the rows. Compiled tables are kept, because the
   * definition of a version never changes.
   */
  refresh(): void {
    this.rows.forget()
    this.lastFound = null
  }

  private compile({ version, table_id }: BurnTableVersion): BurnTable {
    const known = this.compiled.get(version)
    if (known) return known
    const table = compileBurnTable(this.rows.definition(version), { id: table_id, version }, this.defaults)
    for (const oldest of this.compiled.keys()) {
      if (this.compiled.size < MAX_COMPILED) break
      this.compiled.delete(oldest)
    }
    this.compiled.set(version, table)
    return table
  }
}
