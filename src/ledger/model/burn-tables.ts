import type { BurnTableDefinition } from '../../pricing/burn-table/definition.ts'
import type { VersionTimes } from '../../pricing/burn-table/versions.ts'

/** A version of a burn table without its definition. The definition is read only when it is needed. */
export interface BurnTableVersion extends VersionTimes {
  readonly created_at_ms: number
  /** The length of the definition as JSON, in characters. */
  readonly length: number
}

/** A version with its definition. It never changes, except when its table is deactivated. */
export interface BurnTableRow extends VersionTimes {
  readonly created_at_ms: number
  readonly definition: BurnTableDefinition
}

/**
 * All versions of a customer's burn tables. Burn tables are changed only in the live ledger. The Worker copies this
 * snapshot to the test ledger, which ignores a snapshot that is not newer than its own tables.
 */
export interface BurnTableSnapshot {
  /** The revision of the burn tables. It increases with every change. */
  readonly revision: number
  readonly rows: readonly BurnTableRow[]
}
